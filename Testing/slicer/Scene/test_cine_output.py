"""A dense cine: in step with its input, phase by phase, undone by one folder, and whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest
import slicer
import vtk

from calid.errors import Cancelled
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.NodeState import SequenceState, VolumeState
from CaLIDSlicerLib.Scene.PhaseNodes import phaseNodes
from CaLIDSlicerLib.Scene.PhaseTimes import phaseTimes
from CaLIDSlicerLib.Scene.Provenance import INPUT_ROLE, MASK_ROLE, UNCERTAINTY_ROLE
from CaLIDSlicerLib.Scene.VolumeBridge import ijkToRasOf, voxelsOf

from ..running import hierarchyOf, nodesOf, runToStall


@pytest.mark.parametrize("chosen", ["proxy", "sequence", "browser"])
def test_every_acquired_slice_of_every_phase_is_kept(makeCine, reconstruct, chosen):
    cine = makeCine()
    job = reconstruct(getattr(cine, chosen))
    dense = [voxelsOf(node) for node in phaseNodes(job.sequence).values()]
    assert np.array(dense).dtype == np.int16
    np.testing.assert_array_equal(np.array(dense)[:, ::2], cine.voxels)
    np.testing.assert_allclose(ijkToRasOf(job.volume), np.diag([1.4, 1.4, 4.0, 1.0]), atol=1e-12)


def test_the_index_is_that_of_the_input(makeCine, reconstruct):
    cine = makeCine(values=("0.5", "30.25", "61"))
    cine.sequence.SetNumericIndexValueTolerance(0.01)
    dense = reconstruct(cine.proxy).sequence
    for get in ("GetIndexName", "GetIndexUnit", "GetIndexTypeAsString", "GetNumericIndexValueTolerance"):
        assert getattr(dense, get)() == getattr(cine.sequence, get)()
    assert list(phaseNodes(dense)) == ["0.5", "30.25", "61"]


def test_a_text_index(makeCine, reconstruct):
    cine = makeCine(values=("systole", "late", "diastole"), index="text")
    assert list(phaseNodes(reconstruct(cine.sequence).sequence)) == ["systole", "late", "diastole"]


def test_frame_numbers_stay_and_the_times_come_as_attributes(makeCine, reconstruct):
    cine = makeCine(values=("0", "1", "2"))
    cine.sequence.SetIndexName("")
    cine.sequence.SetIndexUnit("")
    for number, time in enumerate(("0", "31.5", "63")):
        cine.sequence.GetNthDataNode(number).SetAttribute("DICOM.triggerTime", time)
    dense = reconstruct(cine.proxy).sequence
    assert list(phaseNodes(dense)) == ["0", "1", "2"]
    assert dense.GetAttribute("MultiVolume.FrameLabels") == "0,31.5,63"
    assert dense.GetAttribute("MultiVolume.FrameIdentifyingDICOMTagUnits") == "ms"
    assert dense.GetNthDataNode(1).GetAttribute("DICOM.triggerTime") == "31.5"
    assert phaseTimes(dense) == pytest.approx((0, 31.5, 63))


def test_input_and_output_play_in_step(makeCine, reconstruct, sequencesLogic):
    cine = makeCine()
    job = reconstruct(cine.proxy)
    assert job.browser is cine.browser
    for number in (2, 0, 1):
        cine.browser.SetSelectedItemNumber(number)
        np.testing.assert_array_equal(voxelsOf(job.volume)[::2], voxelsOf(cine.proxy))
        np.testing.assert_array_equal(voxelsOf(cine.proxy), cine.voxels[number])


def test_a_sequence_without_a_browser_gets_one_for_both(makeCine, reconstruct):
    cine = makeCine(isPlayed=False)
    job = reconstruct(cine.sequence, uncertainty=True)
    assert job.browser.GetMasterSequenceNode() is cine.sequence
    assert job.browser.GetProxyNode(job.sequence) is job.volume
    sparse = job.browser.GetProxyNode(cine.sequence)
    np.testing.assert_array_equal(voxelsOf(sparse), cine.voxels[0])
    assert job.volume.GetNodeReference(INPUT_ROLE) is sparse  # else there was no "before" to show


def test_selection_and_playback_are_not_disturbed(makeCine, repeatingWorker, sequencesLogic):
    cine = makeCine()
    cine.browser.SetSelectedItemNumber(1)
    cine.browser.PlaybackActiveOn()
    seen: list = []

    def look(job, number):
        seen.append((number, cine.browser.GetSelectedItemNumber(), cine.browser.GetPlaybackActive()))

    Reconstruction(cine.proxy, 4.0, onPhase=look, workerCommand=repeatingWorker).wait()
    assert seen == [(0, 1, True), (1, 1, True), (2, 1, True)]
    assert (cine.browser.GetSelectedItemNumber(), cine.browser.GetPlaybackActive()) == (1, True)


def test_phases_appear_one_by_one(makeCine, repeatingWorker):
    cine = makeCine()
    cine.browser.SetSelectedItemNumber(2)
    seen: list = []

    def look(job, _number):
        count = job.sequence.GetNumberOfDataNodes()
        np.testing.assert_array_equal(voxelsOf(job.volume)[::2], cine.voxels[count - 1])  # the last one that is done
        seen.append((count, job.finished))

    Reconstruction(cine.proxy, 4.0, onPhase=look, workerCommand=repeatingWorker).wait()
    assert seen == [(1, False), (2, False), (3, False)]


@pytest.mark.parametrize(("selected", "phases"), [(0, 1), (1, 2), (2, 3)])
def test_a_cine_is_shown_anew_for_a_phase_that_is_seen_and_at_the_end(
    makeCine, reconstruct, sequencesLogic, selected, phases
):
    """All views are drawn each time; once more without the application, in which the browser shows it by itself."""
    cine, shown = makeCine(), []
    cine.browser.SetSelectedItemNumber(selected)
    cine.proxy.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: shown.append(1))
    job = reconstruct(cine.proxy, mask=True, uncertainty=True)
    assert 1 + phases <= len(shown) <= 2 * (phases + 1) + 2  # the first phase also makes the references
    np.testing.assert_array_equal(voxelsOf(job.volume)[::2], cine.voxels[selected])


def test_a_phase_that_is_not_seen_is_played_as_soon_as_it_is_selected(makeCine, repeatingWorker, sequencesLogic):
    cine, seen = makeCine(), []

    def look(job, number):
        if number == 1:
            assert job.sequence.GetNumberOfDataNodes() == 2
            cine.browser.SelectNextItem()
            seen.append(np.array_equal(voxelsOf(job.volume)[::2], cine.voxels[1]))

    Reconstruction(cine.proxy, 4.0, onPhase=look, workerCommand=repeatingWorker).wait()
    assert seen == [True]


def test_a_proxy_switched_while_running_has_no_effect(makeCine, repeatingWorker, sequencesLogic):
    cine = makeCine()

    def switch(_job, number):
        cine.browser.SetSelectedItemNumber((number + 1) % 3)

    job = Reconstruction(cine.proxy, 4.0, onPhase=switch, workerCommand=repeatingWorker)
    job.wait()
    dense = [voxelsOf(node)[::2] for node in phaseNodes(job.sequence).values()]
    np.testing.assert_array_equal(np.array(dense), cine.voxels)


def test_a_phase_that_is_deleted_while_running_moves_no_other(makeCine, repeatingWorker, sequencesLogic):
    cine = makeCine()

    def delete(_job, number):
        if number == 0:
            cine.sequence.RemoveDataNodeAtValue("0")

    job = Reconstruction(cine.proxy, 4.0, onPhase=delete, workerCommand=repeatingWorker)
    job.wait()
    assert list(phaseNodes(job.sequence)) == ["0", "30", "60"]
    dense = [voxelsOf(node)[::2] for node in phaseNodes(job.sequence).values()]
    np.testing.assert_array_equal(np.array(dense), cine.voxels)


def test_one_window_for_all_phases(makeCine, reconstruct, sequencesLogic):
    cine = makeCine()
    cine.proxy.GetDisplayNode().AutoWindowLevelOff()
    cine.proxy.GetDisplayNode().SetWindowLevel(321, 123)
    display = reconstruct(cine.proxy).volume.GetDisplayNode()
    for number in range(3):
        cine.browser.SetSelectedItemNumber(number)
        assert (display.GetAutoWindowLevel(), display.GetWindow(), display.GetLevel()) == (0, 321, 123)


def test_the_window_of_a_cine_that_was_never_shown(makeCine, reconstruct):
    cine = makeCine(isPlayed=False)
    display = reconstruct(cine.sequence).volume.GetDisplayNode()
    low, high = cine.voxels.min(), np.percentile(cine.voxels, 99.5)
    assert display.GetAutoWindowLevel() == 0
    assert (display.GetWindow(), display.GetLevel()) == pytest.approx((high - low, (high + low) / 2))


def test_the_mask_covers_thin_acquired_slices_too(makeCine, reconstruct):
    job = reconstruct(makeCine().proxy, mask=True, acquired="thin")
    assert voxelsOf(job.volume.GetNodeReference(MASK_ROLE))[:, 0, 0].tolist() == [1] * 7


def test_mask_and_uncertainty(makeCine, reconstruct, sequencesLogic):
    cine = makeCine()
    job = reconstruct(cine.proxy, mask=True, uncertainty=True)
    mask = job.volume.GetNodeReference(MASK_ROLE)
    assert job.sequence.GetNodeReference(MASK_ROLE) is mask
    assert voxelsOf(mask)[:, 0, 0].tolist() == [0, 1, 0, 1, 0, 1, 0]
    spread, spreads = (node.GetNodeReference(UNCERTAINTY_ROLE) for node in (job.volume, job.sequence))
    assert cine.browser.GetProxyNode(spreads) is spread
    assert spread.GetDisplayNode().GetAutoWindowLevel() == 0
    for number in range(3):
        cine.browser.SetSelectedItemNumber(number)
        assert voxelsOf(spread).max() == 0.5 + number


def test_provenance_is_on_all_nodes(makeCine, reconstruct):
    cine = makeCine()
    job = reconstruct(cine.proxy, seed=11)
    for node in (job.volume, job.sequence, *phaseNodes(job.sequence).values()):
        assert node.GetAttribute("CaLID.model") == "repeat"
        assert node.GetAttribute("CaLID.seed") == "11"
        assert json.loads(node.GetAttribute("CaLID.acquired")) == [0, None, 1, None, 2, None, 3]
    assert job.volume.GetNodeReference(INPUT_ROLE) is cine.proxy
    assert job.sequence.GetNodeReference(INPUT_ROLE) is cine.sequence


def test_the_parent_transform_is_kept(makeCine, reconstruct, scene):
    cine = makeCine()
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    cine.proxy.SetAndObserveTransformNodeID(transform.GetID())
    job = reconstruct(cine.proxy, mask=True)
    assert job.volume.GetParentTransformNode() is transform
    assert job.volume.GetNodeReference(MASK_ROLE).GetParentTransformNode() is transform


def test_deleting_the_folder_undoes_the_result(makeCine, reconstruct, scene, sequencesLogic):
    cine = makeCine()
    hierarchy = hierarchyOf(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.CreateItem(study, cine.proxy)
    cine.browser.PlaybackActiveOn()
    before = {node for node in nodesOf(scene) if "Volume" in node or "Sequence" in node}

    job = reconstruct(cine.proxy, mask=True, uncertainty=True)
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(job.volume))
    assert (hierarchy.GetItemName(folder), hierarchy.GetItemParent(folder)) == ("SAX CaLID", study)
    assert hierarchy.GetNumberOfItemChildren(folder) == 5

    hierarchy.RemoveItem(folder, True, True)  # what "Delete" does in the Data module
    left = {node for node in nodesOf(scene) if "Volume" in node or "Sequence" in node}
    assert {node for node in left - before if "Display" not in node and "Storage" not in node} == set()
    assert before <= left
    cine.browser.SetSelectedItemNumber(1)
    np.testing.assert_array_equal(voxelsOf(cine.proxy), cine.voxels[1])


def test_the_current_phase_becomes_a_single_volume(makeCine, reconstruct):
    cine = makeCine()
    cine.browser.SetSelectedItemNumber(1)
    job = reconstruct(cine.proxy, phases="current")
    assert (job.sequence, job.browser) == (None, None)
    assert (job.volume.GetName(), job.volume.GetAttribute("CaLID.phase")) == ("SAX phase 2 CaLID", "30")
    np.testing.assert_array_equal(voxelsOf(job.volume)[::2], cine.voxels[1])
    assert not cine.browser.IsProxyNodeID(job.volume.GetID())


@pytest.mark.parametrize("isPlayed", [True, False])
def test_cancel_removes_every_node(makeCine, stallingWorker, scene, sequencesLogic, isPlayed):
    cine = makeCine(isPlayed=isPlayed)
    hierarchyOf(scene)
    if isPlayed:
        cine.browser.PlaybackActiveOn()
    before = nodesOf(scene)
    job = runToStall(cine.sequence, stallingWorker, mask=True, uncertainty=True)
    assert nodesOf(scene) > before
    job.cancel()
    assert isinstance(job.error, Cancelled)
    assert nodesOf(scene) == before
    assert (job.volume, job.sequence, job.browser) == (None, None, None)
    assert hierarchyOf(scene).GetItemByName("SAX CaLID") == 0
    if isPlayed:
        assert cine.browser.GetPlaybackActive()
        assert cine.browser.GetNumberOfSynchronizedSequenceNodes(True) == 1


def test_a_cancelled_run_does_not_count_in_the_names(makeCine, stallingWorker, reconstruct, sequencesLogic):
    cine = makeCine()
    runToStall(cine.proxy, stallingWorker, mask=True).cancel()
    jobs = [reconstruct(cine.proxy, mask=True) for _ in range(2)]
    assert [job.volume.GetName() for job in jobs] == ["SAX CaLID", "SAX CaLID_1"]
    assert [job.sequence.GetName() for job in jobs] == ["SAX CaLID sequence", "SAX CaLID_1 sequence"]


def test_cancel_can_keep_the_finished_phases(makeCine, stallingWorker, sequencesLogic):
    cine = makeCine(values=("0", "30", "60"))
    job = runToStall(cine.proxy, stallingWorker, mask=True, uncertainty=True)
    job.cancel(keep=True)
    assert isinstance(job.error, Cancelled)
    assert list(phaseNodes(job.sequence)) == ["0", "30"]
    assert job.sequence.GetAttribute("MultiVolume.FrameLabels") == "0,30"
    assert job.sequence.GetAttribute("CaLID.finished_phases") == "2 of 3"
    assert job.volume.GetAttribute("CaLID.model") == "repeat"
    cine.browser.SetSelectedItemNumber(1)
    np.testing.assert_array_equal(voxelsOf(job.volume)[::2], cine.voxels[1])
    assert list(phaseNodes(job.sequence.GetNodeReference(UNCERTAINTY_ROLE))) == ["0", "30"]


def test_nothing_finished_nothing_kept(makeCine, makeWorker, scene):
    cine = makeCine()
    hierarchyOf(scene)
    before = nodesOf(scene)
    job = Reconstruction(cine.proxy, 4.0, workerCommand=makeWorker("import time; time.sleep(60)"))
    job.cancel(keep=True)
    assert (nodesOf(scene), job.volume) == (before, None)


def test_two_jobs_on_one_cine(makeCine, repeatingWorker, sequencesLogic):
    cine = makeCine()
    jobs = [Reconstruction(cine.proxy, spacing, workerCommand=repeatingWorker) for spacing in (4.0, 2.0)]
    while not all(job.finished for job in jobs):
        for job in jobs:
            job.poll()
    assert [job.error for job in jobs] == [None, None]
    assert {job.volume.GetName() for job in jobs} == {"SAX CaLID", "SAX CaLID_1"}  # whichever was first
    assert [voxelsOf(job.volume).shape[0] for job in jobs] == [7, 13]


def test_the_states_share_the_voxels(makeCine, makeVolume):
    """Keeping what is overwritten must not double the memory."""
    volume, cine = makeVolume(), makeCine()
    assert VolumeState(volume)._content.GetImageData() is volume.GetImageData()
    kept = SequenceState(cine.sequence)._phases["30"]
    assert kept.GetImageData() is cine.sequence.GetNthDataNode(1).GetImageData()


def test_the_hierarchy_items_that_slicer_makes_are_moved(makeCine, reconstruct, scene):
    hierarchy = hierarchyOf(scene)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def addItem(_scene, _event, node):  # in the application a plugin does so
        if node.IsA("vtkMRMLVolumeNode"):
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

    scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, addItem)
    job = reconstruct(makeCine().proxy, mask=True)
    folders = {
        hierarchy.GetItemName(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)))
        for node in (job.volume, job.sequence, job.volume.GetNodeReference(MASK_ROLE))
    }
    assert folders == {"SAX CaLID"}


@pytest.fixture
def importedCine(makeCine, sequencesLogic):
    """As Slicer's DICOM import leaves a cine: the proxy shares the voxels of its phase, and bears its number."""
    cine = makeCine()
    cine.browser.SetSaveChanges(cine.sequence, True)
    cine.browser.SetOverwriteProxyName(cine.sequence, True)
    cine.browser.SetSelectedItemNumber(1)
    return cine


def test_a_cine_whose_proxy_writes_back_is_left_as_it_was(importedCine, reconstruct):
    cine = importedCine
    job = reconstruct(cine.proxy, mask=True, uncertainty=True)
    assert job.volume.GetName() == "SAX sequence CaLID"
    for number in (2, 0, 1):
        cine.browser.SetSelectedItemNumber(number)
        np.testing.assert_array_equal(voxelsOf(job.volume)[::2], cine.voxels[number])
    np.testing.assert_array_equal([voxelsOf(node) for node in phaseNodes(cine.sequence).values()], cine.voxels)
    assert list(phaseNodes(job.sequence)) == ["0", "30", "60"]
    assert job.volume.GetName() == "SAX sequence CaLID"


def test_a_cancelled_one_is_left_as_it_was_too(importedCine, stallingWorker, scene):
    cine = importedCine
    hierarchyOf(scene)
    before = nodesOf(scene)
    runToStall(cine.proxy, stallingWorker, uncertainty=True).cancel()
    assert nodesOf(scene) == before
    np.testing.assert_array_equal([voxelsOf(node) for node in phaseNodes(cine.sequence).values()], cine.voxels)
    assert cine.browser.GetSelectedItemNumber() == 1
