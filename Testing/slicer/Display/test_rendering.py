"""The heart in 3D and in time: transfer functions, the region that is left, the pace of playback."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from CaLIDSlicerLib.Display import Rendering
from CaLIDSlicerLib.Display.Overlay import showUncertainty
from CaLIDSlicerLib.Display.Playback import framesPerSecond, play
from CaLIDSlicerLib.Display.Rendering import applyBrightBloodLook, showVolumeRendering

from ..running import hierarchyOf, nodesOf, runToStall


@pytest.fixture
def logic(scene):
    logic = slicer.vtkSlicerVolumeRenderingLogic()
    logic.SetMRMLScene(scene)
    return logic


@pytest.fixture
def colours(scene):
    logic = slicer.vtkSlicerColorLogic()
    logic.SetMRMLScene(scene)
    return logic


@pytest.fixture
def makeBrowser(scene):
    """A cine whose index has the given values and unit."""
    sequences = slicer.vtkSlicerSequencesLogic()
    sequences.SetMRMLScene(scene)

    def make(values, unit=""):
        sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
        sequence.SetIndexUnit(unit)
        for value in values:
            sequence.SetDataNodeAtValue(slicer.vtkMRMLScalarVolumeNode(), value)
        browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        return browser

    return make


@pytest.fixture
def heart() -> np.ndarray:
    """Air, a bright chest wall at the edge, myocardium and blood in the middle; int16."""
    rng = np.random.default_rng(3)
    voxels = rng.normal(20, 5, (6, 60, 60))
    voxels[:, :10] = 900
    y, x = np.mgrid[-30:30, -30:30]
    voxels[:, np.hypot(x, y) < 14] = 150
    voxels[:, np.hypot(x, y) < 10] = 600
    return (voxels + rng.normal(0, 5, voxels.shape)).astype(np.int16)


def test_blood_is_bright_and_opaque_and_myocardium_translucent(makeVolume, logic, heart):
    volume = makeVolume(heart)
    assert showVolumeRendering(volume, True, logic)
    display = logic.GetFirstVolumeRenderingDisplayNode(volume)
    assert display.GetVisibility()
    properties = display.GetVolumePropertyNode()
    opacity, colour = properties.GetScalarOpacity(), properties.GetColor()
    assert opacity.GetValue(20) == 0
    assert 0 < opacity.GetValue(150) < 0.3
    assert opacity.GetValue(600) > 0.6
    assert sum(colour.GetColor(600)) > 1.5 * sum(colour.GetColor(150)) > 0


def test_the_chest_wall_is_cropped_along_the_axes_of_an_oblique_volume(makeVolume, logic, heart):
    turn = np.eye(4)
    turn[:3, :3] = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]]) * (1.4, 1.4, 8.0)
    turn[:3, 3] = 5, 6, 7
    volume = makeVolume(heart, turn)
    showVolumeRendering(volume, True, logic)
    display = logic.GetFirstVolumeRenderingDisplayNode(volume)
    region = display.GetMarkupsROINode()
    assert display.GetCroppingEnabled()
    assert not region.GetDisplayVisibility()
    np.testing.assert_allclose(region.GetSize(), [0.5 * 60 * 1.4, 0.5 * 60 * 1.4, 6 * 8.0], rtol=1e-6)
    centre = [0.0] * 3
    region.GetCenterWorld(centre)
    np.testing.assert_allclose(centre, (turn @ [29.5, 29.5, 2.5, 1])[:3], atol=1e-6)
    axes = slicer.util.arrayFromVTKMatrix(region.GetObjectToWorldMatrix())[:3, :3]
    np.testing.assert_allclose(np.abs(axes.T @ turn[:3, :3]), np.diag([1.4, 1.4, 8.0]), atol=1e-6)


def test_showing_again_adds_no_node_and_hiding_keeps_the_settings(makeVolume, logic, heart, scene):
    volume = makeVolume(heart)
    assert not showVolumeRendering(volume, False, logic)
    showVolumeRendering(volume, True, logic)
    count = scene.GetNumberOfNodes()
    display = logic.GetFirstVolumeRenderingDisplayNode(volume)
    assert showVolumeRendering(volume, False, logic)
    assert not display.GetVisibility()
    showVolumeRendering(volume, True, logic)
    assert display.GetVisibility()
    assert scene.GetNumberOfNodes() == count


def test_showing_again_does_not_look_for_the_heart_again(makeVolume, logic, heart, monkeypatch):
    volume = makeVolume(heart)
    showVolumeRendering(volume, True, logic)

    def heartOf(_volume):
        pytest.fail("it takes a while, of a cine, and the volume is cropped already")

    monkeypatch.setattr(Rendering, "heartOf", heartOf)
    assert showVolumeRendering(volume, True, logic)


def test_a_volume_of_few_values_has_a_look_too():
    voxels = np.zeros((3, 20, 20), np.uint8)
    voxels[:, 10, 10] = 1
    properties = slicer.vtkMRMLVolumePropertyNode()
    applyBrightBloodLook(properties, voxels)
    assert properties.GetScalarOpacity().GetSize() == 4


@pytest.mark.parametrize(
    ("values", "unit", "fps"),
    [
        (["0", "40", "80", "120"], "ms", 25),
        (["0", "0.05", "0.1"], "s", 20),
        ([str(n) for n in range(30)], "", 30),
        (["0"], "ms", 1),
    ],
)
def test_the_heart_beats_at_its_own_pace_or_once_a_second(makeBrowser, values, unit, fps):
    assert framesPerSecond(makeBrowser(values, unit).GetMasterSequenceNode()) == pytest.approx(fps)


def test_playback_starts_in_a_loop_and_stops(makeBrowser):
    browser = makeBrowser(["0", "40", "80"], "ms")
    assert play(browser)
    assert browser.GetPlaybackActive()
    assert browser.GetPlaybackLooped()
    assert browser.GetPlaybackRateFps() == pytest.approx(25)
    assert play(browser, False)
    assert not browser.GetPlaybackActive()
    assert not play(None)


def show(volume, logic, colours) -> None:
    """What the panel does with the first phase, and the user with what it shows."""
    assert showVolumeRendering(volume, True, logic)
    showUncertainty(volume, True, colours)
    colours.AddDefaultColorLegendDisplayNode(volume.GetNodeReference("CaLID.uncertainty"))  # here no view shows it


def test_cancel_takes_back_what_the_first_phase_was_shown_with(
    makeCine, stallingWorker, scene, sequencesLogic, logic, colours
):
    cine = makeCine()
    hierarchyOf(scene)
    before = nodesOf(scene)
    job = runToStall(cine.proxy, stallingWorker, mask=True, uncertainty=True)
    show(job.volume, logic, colours)
    assert {"Legend", "ROI", "Property", "Rendering"} <= {
        word for word in ("Legend", "ROI", "Property", "Rendering") for node in nodesOf(scene) if word in node
    }
    job.cancel()
    assert nodesOf(scene) == before


def test_cancel_leaves_an_overwritten_result_shown_as_it_was(
    makeCine, reconstruct, stallingWorker, scene, sequencesLogic, logic, colours
):
    cine = makeCine()
    first = reconstruct(cine.proxy, uncertainty=True)
    before = nodesOf(scene)
    job = runToStall(cine.proxy, stallingWorker, output=first.volume, uncertainty=True)
    show(job.volume, logic, colours)
    job.cancel()
    assert nodesOf(scene) == before
    assert first.volume.GetDisplayNode() is not None


def test_an_overwritten_uncertainty_takes_its_legend_with_it(
    makeCine, reconstruct, scene, sequencesLogic, logic, colours
):
    cine = makeCine()
    first = reconstruct(cine.proxy, uncertainty=True)
    show(first.volume, logic, colours)
    reconstruct(cine.proxy, output=first.volume)
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 0
    assert logic.GetFirstVolumeRenderingDisplayNode(first.volume).GetVisibility()
