"""The sample data on real MRML, and how it is offered to Slicer's module Sample Data, which is a stand-in here."""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import slicer
from PIL import Image

from calid.errors import Cancelled
from calid.files.reading import read_stack
from calid.phantom.beating_heart import make_phantom
from CaLIDSlicerLib.Scene import SampleData
from CaLIDSlicerLib.Scene.SampleData import (
    FILE_TYPE,
    SUFFIX,
    SampleShape,
    addCine,
    addHeart,
    addStill,
    loadCine,
    loadSample,
    loadStill,
    registerSampleData,
)
from CaLIDSlicerLib.Scene.SliceThickness import thicknessOf
from CaLIDSlicerLib.Scene.VolumeBridge import readStack, voxelsOf

RESOURCES = Path(__file__).parents[3] / "CaLIDSlicer" / "Resources"
SMALL = SampleShape(phases=4, slices=3, matrix=(24, 32), pixel=6.0)


@pytest.fixture
def phantom():
    return make_phantom(phases=4, slices=3, gap=10.0, matrix=(24, 32), pixel=6.0).sparse


@pytest.fixture
def browser(scene, sequencesLogic):
    """Finds the one browser of the scene."""
    return lambda: scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode")


def test_the_cine_is_a_sequence_over_time_in_ms(phantom, browser):
    proxy = addCine(SMALL)
    sequence = browser().GetMasterSequenceNode()
    assert browser().GetProxyNode(sequence) is proxy
    assert (sequence.GetIndexName(), sequence.GetIndexUnit()) == ("time", "ms")
    assert sequence.GetIndexTypeAsString() == "numeric"
    assert [sequence.GetNthIndexValue(n) for n in range(4)] == ["0", "225", "450", "675"]
    assert browser().GetPlaybackRateFps() == pytest.approx(1000 / 225)
    for phase in range(4):
        np.testing.assert_array_equal(voxelsOf(sequence.GetNthDataNode(phase)), phantom.voxels[phase])


def test_selecting_a_phase_changes_what_the_proxy_shows_but_not_its_window(phantom, browser):
    proxy = addCine(SMALL)
    np.testing.assert_array_equal(voxelsOf(proxy), phantom.voxels[0])
    display = proxy.GetDisplayNode()
    window = display.GetWindow(), display.GetLevel()
    browser().SetSelectedItemNumber(2)
    np.testing.assert_array_equal(voxelsOf(proxy), phantom.voxels[2])
    assert proxy.GetDisplayNode().GetAutoWindowLevel() == 0
    assert (display.GetWindow(), display.GetLevel()) == window


def test_the_still_is_the_first_phase_where_the_phantom_lies(phantom):
    stack = readStack(addStill(SMALL))
    np.testing.assert_array_equal(stack.voxels[0], phantom.voxels[0])
    np.testing.assert_allclose(stack.affine, np.diag([-1, -1, 1, 1]) @ phantom.affine, atol=1e-9)


def test_loading_twice_gives_two_independent_cines(scene, browser):
    first, second = addCine(SMALL), addCine(SMALL)
    assert first.GetName() != second.GetName()
    assert scene.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 2
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 2


@pytest.fixture
def sources(monkeypatch):
    """What is registered with Slicer's SampleData module."""
    found: list[SimpleNamespace] = []
    logic = SimpleNamespace(registerCustomSampleDataSource=lambda **source: found.append(SimpleNamespace(**source)))
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=logic))
    return found


def test_all_samples_are_offered_with_a_thumbnail(sources):
    registerSampleData(RESOURCES)
    assert {source.category for source in sources} == {"Cardiac"}
    assert len({source.sampleName for source in sources}) == 3
    for source in sources:
        assert source.loadFileTypes == FILE_TYPE
        assert source.fileNames.endswith(SUFFIX)
        assert source.nodeNames
        assert not hasattr(source, "customDownloader")  # Slicer's downloadSample would pass it by
        thumbnail = Path(source.thumbnailFileName)
        with Image.open(thumbnail) as picture:
            assert picture.format == "PNG"
            assert picture.size == (260, 280)
        assert thumbnail.stat().st_size < 40_000


@pytest.fixture
def application(monkeypatch):
    """An application with views."""
    monkeypatch.setattr(slicer, "app", MagicMock(), raising=False)
    monkeypatch.setattr(slicer, "modules", MagicMock(), raising=False)
    monkeypatch.setattr(slicer.util, "setSliceViewerLayers", MagicMock())
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: None)
    monkeypatch.setattr(SampleData, "SampleShape", lambda: SMALL)
    return slicer


def download(source, folder: Path) -> Path:
    """As Slicer does before it calls the reader."""
    path, _headers = urllib.request.urlretrieve(source.uris, folder / source.fileNames)
    return path


def test_what_is_downloaded_is_read_as_the_sample(application, browser, sources, tmp_path):
    registerSampleData(RESOURCES)
    volumes = [volume for source in sources for volume in loadSample(download(source, tmp_path))]
    assert [volume.GetName() for volume in volumes] == [source.nodeNames for source in sources]
    assert browser().GetProxyNode(browser().GetMasterSequenceNode()) is volumes[0]


def test_the_real_heart_is_that_of_the_file_with_its_times_and_thickness(browser):
    stack = read_stack(RESOURCES / "SampleData" / "SunnybrookCine.seq.nrrd")
    proxy = addHeart()
    sequence = browser().GetMasterSequenceNode()
    assert browser().GetProxyNode(sequence) is proxy
    assert [float(sequence.GetNthIndexValue(n)) for n in range(20)] == pytest.approx(1000 * np.array(stack.times))
    assert browser().GetPlaybackRateFps() == pytest.approx(1000 / 37.95)
    for phase in (0, 19):
        np.testing.assert_array_equal(voxelsOf(sequence.GetNthDataNode(phase)), stack.voxels[phase])
    np.testing.assert_allclose(readStack(proxy).affine, np.diag([-1, -1, 1, 1]) @ stack.affine, atol=1e-4)
    assert thicknessOf(stack.gaps, sequence, proxy) == 10
    assert proxy.GetDisplayNode().GetAutoWindowLevel() == 0


def test_the_phantom_says_how_thick_its_slices_are(browser):
    addCine(SMALL)
    assert thicknessOf(np.array([10.0]), browser().GetMasterSequenceNode()) == 6


def test_a_file_that_names_no_sample_is_none(application, tmp_path):
    (tmp_path / "other.calidphantom").write_text("another heart", encoding="utf-8")
    assert loadSample(tmp_path / "other.calidphantom") is None


def test_a_sample_that_is_cancelled_is_nothing_and_not_tried_again(application, monkeypatch, tmp_path):
    (tmp_path / "cine.calidphantom").write_text("CaLIDPhantomCine", encoding="utf-8")

    def cancel(_compute, _steps, _text):
        raise Cancelled("it was cancelled after 1 of 3 steps")

    monkeypatch.setattr(SampleData, "computeWithProgress", cancel)
    assert loadSample(tmp_path / "cine.calidphantom") == []
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 0


def test_a_cine_is_shown_with_its_playback(application, browser):
    application.modules.sequences.logic.return_value.GetFirstBrowserNodeForProxyNode = lambda _volume: browser()
    volume = loadCine()
    slicer.util.setSliceViewerLayers.assert_called_once_with(background=volume, fit=True, rotateToVolumePlane=True)
    application.modules.sequences.showSequenceBrowser.assert_called_once_with(browser())


def test_a_still_is_shown_without_playback(application):
    application.modules.sequences.logic.return_value.GetFirstBrowserNodeForProxyNode.return_value = None
    volume = loadStill()
    slicer.util.setSliceViewerLayers.assert_called_once_with(background=volume, fit=True, rotateToVolumePlane=True)
    application.modules.sequences.showSequenceBrowser.assert_not_called()


def test_without_views_the_sample_is_loaded_and_nothing_shown(application):
    application.app.layoutManager.return_value = None
    assert loadCine().GetScene() is slicer.mrmlScene
    slicer.util.setSliceViewerLayers.assert_not_called()
