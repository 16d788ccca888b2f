"""A reconstruction into nodes that exist: what becomes of them, and that they come back if it fails."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from calid.errors import CalidError, UnusableInput
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.PhaseNodes import phaseNodes
from CaLIDSlicerLib.Scene.Provenance import FINISHED_PHASES, MASK_ROLE, UNCERTAINTY_ROLE, factOf
from CaLIDSlicerLib.Scene.VolumeBridge import ijkToRasOf, voxelsOf

from ..running import hierarchyOf, nodesOf, runToStall


def state(job) -> list:
    voxels = [voxelsOf(node).copy() for node in (job.volume, *phaseNodes(job.sequence).values())]
    attributes = {name: job.sequence.GetAttribute(name) for name in job.sequence.GetAttributeNames()}
    display = job.volume.GetDisplayNode()
    references = [job.sequence.GetNodeReferenceID(role) for role in (MASK_ROLE, UNCERTAINTY_ROLE)]
    window = (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel())
    return [voxels, attributes, window, references, ijkToRasOf(job.volume).tolist()]


@pytest.mark.parametrize("chosen", ["volume", "sequence"])
def test_an_earlier_result_is_overwritten(makeCine, reconstruct, repeatingWorker, scene, sequencesLogic, chosen):
    cine = makeCine()
    first = reconstruct(cine.proxy, mask=True, uncertainty=True)
    stale = [first.volume.GetNodeReferenceID(role) for role in (MASK_ROLE, UNCERTAINTY_ROLE)]
    second = Reconstruction(cine.proxy, 2.0, output=getattr(first, chosen), workerCommand=repeatingWorker)
    second.wait()
    assert (second.volume, second.sequence) == (first.volume, first.sequence)
    assert voxelsOf(second.volume).shape[0] == 13
    assert [scene.GetNodeByID(node) for node in stale] == [None, None]
    assert cine.browser.GetNumberOfSynchronizedSequenceNodes(True) == 2


@pytest.mark.parametrize("chosen", ["volume", "sequence"])
def test_an_overwritten_result_comes_back_after_cancel(
    makeCine, reconstruct, stallingWorker, scene, sequencesLogic, chosen
):
    cine = makeCine()
    first = reconstruct(cine.proxy, mask=True, uncertainty=True)
    expected, before = state(first), nodesOf(scene)
    slicer.util.arrayFromVolume(cine.sequence.GetNthDataNode(0))[:] //= 2
    job = runToStall(cine.proxy, stallingWorker, output=getattr(first, chosen), mask=True)
    assert not np.array_equal(voxelsOf(first.volume), expected[0][0])
    job.cancel()
    found = state(first)
    assert found[1:] == expected[1:]
    for one, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert nodesOf(scene) == before


def test_a_new_volume_becomes_the_proxy(makeCine, reconstruct, scene):
    cine = makeCine()
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Result")  # as the node selector makes one
    job = reconstruct(cine.proxy, output=empty)
    assert job.volume is empty
    assert cine.browser.GetProxyNode(job.sequence) is empty


def test_an_existing_volume_takes_a_still_and_comes_back_after_failure(makeVolume, reconstruct, makeWorker):
    sparse, output = makeVolume(), makeVolume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), name="mine")
    done = reconstruct(sparse, output=output)
    assert (done.volume, output.GetName(), output.GetAttribute("CaLID.model")) == (output, "mine", "repeat")
    np.testing.assert_array_equal(voxelsOf(output)[::2], voxelsOf(sparse))

    before, matrix = voxelsOf(output).copy(), ijkToRasOf(output)
    with pytest.raises(CalidError):
        Reconstruction(sparse, 2.0, output=output, workerCommand=makeWorker("sys.exit(1)")).wait()
    np.testing.assert_array_equal(voxelsOf(output), before)
    np.testing.assert_array_equal(ijkToRasOf(output), matrix)


def test_outputs_that_cannot_be_taken(makeCine, makeVolume, scene, reconstruct):
    cine, still = makeCine(), makeVolume(name="still")
    labels = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    other = makeCine(name="other")
    cases = [
        (cine.proxy, cine.proxy, "never overwritten"),
        (cine.proxy, cine.sequence, "never overwritten"),
        (cine.proxy, labels, "LabelMapVolume"),
        (cine.proxy, other.sequence, "other browser"),
        (cine.proxy, slicer.vtkMRMLScalarVolumeNode(), "not in the scene"),
        (still, cine.proxy, "belongs to a cine"),
        (still, cine.sequence, "belongs to a cine"),
    ]
    for node, output, said in cases:
        with pytest.raises(UnusableInput, match=said) as caught:
            reconstruct(node, output=output)
        assert caught.value.remedy


@pytest.mark.parametrize("chosen", ["volume", "sequence"])
def test_two_jobs_do_not_write_the_same_cine(makeCine, reconstruct, stallingWorker, repeatingWorker, chosen):
    cine = makeCine()
    first = reconstruct(cine.proxy)
    running = Reconstruction(cine.proxy, 2.0, output=first.volume, workerCommand=stallingWorker)
    with pytest.raises(UnusableInput, match="is being written by a reconstruction that still runs"):
        reconstruct(cine.proxy, output=getattr(first, chosen))
    running.cancel()
    assert reconstruct(cine.proxy, output=getattr(first, chosen)).error is None


def test_two_jobs_do_not_write_the_same_volume(makeVolume, reconstruct, makeWorker):
    sparse, output = makeVolume(), makeVolume(name="mine")
    running = Reconstruction(sparse, 2.0, output=output, workerCommand=makeWorker("import time; time.sleep(60)"))
    with pytest.raises(UnusableInput, match='"mine" is being written'):
        reconstruct(sparse, output=output)
    running.cancel()
    with pytest.raises(CalidError, match="cannot be started"):
        Reconstruction(sparse, 2.0, output=output, workerCommand=["/no/such/program"]).wait()
    assert reconstruct(sparse, output=output).volume is output


def itemsOf(scene) -> list[tuple[str, str]]:
    """Nodes and folders of the subject hierarchy as (parent, name); here nobody removes the items of nodes gone."""
    hierarchy, items = hierarchyOf(scene), vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    numbers = [items.GetId(n) for n in range(items.GetNumberOfIds())]
    nodes = {n: hierarchy.GetItemDataNode(n) for n in numbers}
    there = [n for n in numbers if hierarchy.GetItemLevel(n) == "Folder" or scene.IsNodePresent(nodes[n])]
    return sorted((hierarchy.GetItemName(hierarchy.GetItemParent(n)), hierarchy.GetItemName(n)) for n in there)


@pytest.mark.parametrize("kind", ["still", "cine"])
def test_overwriting_leaves_no_second_folder_and_no_second_names(
    makeVolume, makeCine, reconstruct, scene, sequencesLogic, kind
):
    sparse = makeVolume() if kind == "still" else makeCine().proxy
    hierarchyOf(scene)
    first = reconstruct(sparse, mask=True, uncertainty=True)
    expected, before = itemsOf(scene), len(nodesOf(scene))
    reconstruct(sparse, mask=True, uncertainty=True, output=first.volume)
    assert itemsOf(scene) == expected
    assert len(nodesOf(scene)) == before


def test_an_overwritten_result_that_comes_back_is_in_its_folder(
    makeCine, reconstruct, stallingWorker, scene, sequencesLogic
):
    cine = makeCine()
    hierarchyOf(scene)
    first = reconstruct(cine.proxy, mask=True, uncertainty=True)
    expected = itemsOf(scene)
    runToStall(cine.proxy, stallingWorker, output=first.volume, mask=True, uncertainty=True).cancel()
    assert itemsOf(scene) == expected


def test_what_is_overwritten_says_nothing_any_more(makeCine, reconstruct, stallingWorker, scene, sequencesLogic):
    cine = makeCine()
    job = runToStall(cine.proxy, stallingWorker)
    job.cancel(keep=True)
    assert factOf(job.volume, FINISHED_PHASES) == "2 of 3"
    reconstruct(cine.proxy, output=job.volume)
    assert factOf(job.volume, FINISHED_PHASES) is None
    assert factOf(job.sequence, FINISHED_PHASES) is None
