"""A cine is found from its proxy, sequence or browser, read without a trace, and refused with the phase named."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calid.errors import UnusableInput
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.CineInput import MOST_PHASES, findSource
from CaLIDSlicerLib.Scene.PhaseTimes import phaseTimes
from CaLIDSlicerLib.Scene.VolumeBridge import voxelsOf


def refusal(node, phases: str = "all", **options) -> str:
    with pytest.raises(UnusableInput) as caught:
        Reconstruction(node, 4.0, workerCommand=["/no/such/program"], phases=phases, **options)
    assert caught.value.remedy
    return str(caught.value)


def setPhase(cine, number: int, voxels: np.ndarray) -> None:
    slicer.util.updateVolumeFromArray(cine.sequence.GetNthDataNode(number), voxels)


@pytest.mark.parametrize("chosen", ["proxy", "sequence", "browser"])
def test_a_cine_is_found_from_any_of_its_nodes(makeCine, chosen):
    cine = makeCine()
    source = findSource(getattr(cine, chosen))
    assert (source.volume, source.sequence, source.browser) == (cine.proxy, cine.sequence, cine.browser)
    assert (source.name, source.phases) == ("SAX", 3)
    stacks = source.read(source.items("all"))
    np.testing.assert_array_equal([stack.voxels[0] for stack in stacks], cine.voxels)


def test_a_volume_is_a_still(makeVolume):
    source = findSource(makeVolume())
    assert (source.sequence, source.phases, source.items("all"), source.items("current")) == (None, 1, [0], [0])


def test_reading_leaves_no_trace(makeCine, scene, sequencesLogic):
    cine = makeCine()
    cine.browser.SetSelectedItemNumber(1)
    cine.browser.PlaybackActiveOn()
    before, times = scene.GetNumberOfNodes(), [node.GetMTime() for node in (cine.proxy, cine.sequence, cine.browser)]
    source = findSource(cine.proxy)
    source.read(source.items("all"))
    assert scene.GetNumberOfNodes() == before
    assert [node.GetMTime() for node in (cine.proxy, cine.sequence, cine.browser)] == times
    assert (cine.browser.GetSelectedItemNumber(), cine.browser.GetPlaybackActive()) == (1, True)


def test_the_current_phase_is_the_one_the_browser_shows(makeCine):
    cine = makeCine()
    cine.browser.SetSelectedItemNumber(2)
    source = findSource(cine.sequence)
    assert source.items("current") == [2]
    np.testing.assert_array_equal(source.read([2])[0].voxels, cine.voxels[2:])


def test_the_current_phase_of_a_sequence_that_is_not_the_master(makeCine):
    """The master sets the time; the item at that time may have another number in the other sequence."""
    cine, other = makeCine(), makeCine(name="other", values=("30", "60"), isPlayed=False)
    cine.browser.AddSynchronizedSequenceNodeID(other.sequence.GetID())
    cine.browser.SetSelectedItemNumber(2)
    assert findSource(other.sequence).items("current") == [1]


def test_phases_is_all_or_current(makeCine):
    with pytest.raises(UnusableInput, match="first"):
        Reconstruction(makeCine().proxy, 4.0, phases="first")


def test_no_browser_no_current_phase(makeCine):
    assert "no phase is the current one" in refusal(makeCine(isPlayed=False).sequence, "current")


def test_a_missing_phase(makeCine):
    cine = makeCine()
    cine.sequence.GetSequenceScene().RemoveNode(cine.sequence.GetNthDataNode(1))
    copy = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "index only")
    copy.CopySequenceIndex(makeCine(name="whole").sequence)
    assert '"index only", phase 1 is missing' in refusal(copy)


def test_an_empty_phase(makeCine):
    cine = makeCine()
    cine.sequence.GetNthDataNode(1).SetAndObserveImageData(None)
    assert '"SAX sequence", phase 2 has no voxels' in refusal(cine.proxy)


def test_a_blank_phase(makeCine):
    cine = makeCine()
    setPhase(cine, 1, np.zeros_like(cine.voxels[1]))
    message = refusal(cine.proxy)
    assert message.startswith('"SAX sequence", phase 2: ')
    assert "every voxel is 0" in message


def test_a_phase_of_another_size_or_type(makeCine):
    cine = makeCine()
    setPhase(cine, 2, cine.voxels[2][:, :-1])
    assert "phase 3 is 48 x 39 x 4 short, but phase 1 is 48 x 40 x 4 short" in refusal(cine.proxy)
    setPhase(cine, 2, cine.voxels[2].astype(np.float32))
    assert "phase 3 is 48 x 40 x 4 float" in refusal(cine.proxy)


def test_a_phase_at_another_place(makeCine):
    cine = makeCine()
    cine.sequence.GetNthDataNode(1).SetOrigin(0, 0, 3)
    assert "phase 2 is up to 3 mm away from phase 1" in refusal(cine.proxy)
    cine.sequence.GetNthDataNode(1).SetOrigin(0, 0, 0.01)  # headers round
    assert len(findSource(cine.proxy).read([0, 1])) == 2


def test_a_cine_of_one_slice(makeCine):
    cine = makeCine(np.random.default_rng(0).integers(0, 9, (3, 1, 8, 8)).astype(np.int16))
    assert '"SAX sequence", phase 1 has 1 slice' in refusal(cine.browser)


def test_too_many_phases_are_refused_but_one_of_them_is_not(makeCine, repeatingWorker):
    count = MOST_PHASES + 1
    voxels = np.random.default_rng(0).integers(0, 9, (count, 2, 4, 4)).astype(np.int16)
    cine = makeCine(voxels, values=[str(number) for number in range(count)])
    assert "201 phases" in refusal(cine.proxy)
    Reconstruction(cine.proxy, 4.0, phases="current", workerCommand=repeatingWorker).wait()


def test_a_sequence_without_volumes_or_without_anything(scene):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "empty")
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "player")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    assert '"empty" has no phases' in refusal(sequence)
    assert '"player" plays no volumes' in refusal(browser)
    sequence.SetDataNodeAtValue(slicer.vtkMRMLLinearTransformNode(), "0")
    assert '"empty", phase 1 is not a volume but LinearTransform' in refusal(sequence)


def test_a_browser_whose_master_is_a_transform_still_shows_its_volumes(makeCine, scene):
    cine = makeCine(isPlayed=False)
    motion = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "motion")
    motion.SetDataNodeAtValue(slicer.vtkMRMLLinearTransformNode(), "0")
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(motion.GetID())
    browser.AddSynchronizedSequenceNodeID(cine.sequence.GetID())
    assert findSource(browser).sequence is cine.sequence


def test_a_proxy_of_two_browsers(makeCine, scene):
    cine = makeCine()
    second = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "second")
    second.SetAndObserveMasterSequenceNodeID(cine.sequence.GetID())
    second.AddProxyNode(cine.proxy, cine.sequence, False)
    assert '"SAX browser" and "second" at once' in refusal(cine.proxy)
    assert findSource(second).browser is second


def test_phases_of_different_intensity_scale_pass_as_they_are(makeCine):
    cine = makeCine()
    setPhase(cine, 1, cine.voxels[1] * 3)
    stacks = findSource(cine.proxy).read([0, 1, 2])
    np.testing.assert_array_equal(stacks[1].voxels[0], cine.voxels[1] * 3)


def test_a_renamed_proxy_does_not_name_the_result(makeCine):
    cine = makeCine()
    cine.browser.SetOverwriteProxyName(cine.sequence, True)
    cine.proxy.SetName("SAX sequence [time=0ms]")
    assert findSource(cine.proxy).name == "SAX sequence"


def importedCine(cine, labels: str, tag: str = "TriggerTime", units: str = "ms"):
    """As Slicer's DICOM import leaves a cine: indexed by frame number, times in attributes."""
    cine.sequence.SetIndexName("")
    cine.sequence.SetIndexUnit("")
    cine.sequence.SetAttribute("MultiVolume.FrameLabels", labels)
    cine.sequence.SetAttribute("MultiVolume.FrameIdentifyingDICOMTagName", tag)
    cine.sequence.SetAttribute("MultiVolume.FrameIdentifyingDICOMTagUnits", units)
    return cine.sequence


@pytest.mark.parametrize(
    ("labels", "tag", "units", "expected"),
    [
        ("0,31.5,63", "TriggerTime", "ms", (0, 31.5, 63)),
        ("0,0.0315,0.063", "TriggerTime", "s", (0, 31.5, 63)),
        ("0,31.5", "TriggerTime", "ms", None),
        ("0,63,31.5", "TriggerTime", "ms", None),
        ("0,nan,63", "TriggerTime", "ms", None),
        ("a,b,c", "TriggerTime", "ms", None),
        ("1,2,3", "EchoTime", "ms", None),
        ("1,2,3", "FlipAngle", "degrees", None),
        ("1,2,3", "TriggerTime", "na", None),
    ],
)
def test_times_of_an_imported_cine(makeCine, labels, tag, units, expected):
    times = phaseTimes(importedCine(makeCine(values=("0", "1", "2")), labels, tag, units))
    assert times == (expected and pytest.approx(expected))


def test_times_from_the_trigger_time_of_each_phase(makeCine):
    cine = makeCine(values=("1", "2", "3"))
    cine.sequence.SetIndexUnit("")
    assert phaseTimes(cine.sequence) is None
    for number, time in enumerate(("12", "44", "76")):
        cine.sequence.GetNthDataNode(number).SetAttribute("DICOM.triggerTime", time)
    assert phaseTimes(cine.sequence) == (12, 44, 76)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.floats(0.01, 0.2), min_size=1, max_size=12),
    unit=st.sampled_from(["s", "ms"]),
)
def test_times_from_an_index_in_seconds_or_milliseconds(makeCine, steps, unit):
    seconds = np.cumsum(steps)
    values = [f"{time * {'s': 1, 'ms': 1000}[unit]:.6f}" for time in seconds]
    voxels = np.arange(len(steps) * 8, dtype=np.int16).reshape(-1, 2, 2, 2)
    cine = makeCine(voxels, values=values, isPlayed=False)
    cine.sequence.SetIndexUnit(unit)
    assert phaseTimes(cine.sequence) == pytest.approx([1000 * time for time in seconds], abs=1e-3)


def test_the_proxy_is_not_what_is_read(makeCine):
    cine = makeCine()
    voxelsOf(cine.proxy)[:] = 7
    np.testing.assert_array_equal(findSource(cine.proxy).read([0])[0].voxels, cine.voxels[:1])
