"""The sample data as a script and a user get it from Slicer's module Sample Data."""

from __future__ import annotations

import slicer
from driving import loadFromSampleData, ui

NAMES = ("CaLID phantom (cine)", "CaLID phantom")


def test_scripts_get_the_nodes():
    import SampleData

    for name in NAMES:
        node = SampleData.downloadSample(name)
        assert node.IsA("vtkMRMLScalarVolumeNode"), name
        nodes = SampleData.SampleDataLogic().downloadSamples(name)
        assert [found.GetClassName() for found in nodes] == ["vtkMRMLScalarVolumeNode"], name
        assert nodes[0] is not node
    assert len(slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")) == 2


def test_the_button_shows_the_cine_and_its_playback():
    assert loadFromSampleData(NAMES[0]) is not None
    (volume,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert volume.GetName() == "CaLIDPhantomCine"
    assert "12 phases" in ui().understoodLabel.text
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetBackgroundVolumeID() == volume.GetID()
    assert shownInToolBar() is slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(volume)


def shownInToolBar():
    """The sequence browser that Slicer's toolbar acts on."""
    bars = slicer.util.findChildren(slicer.util.mainWindow(), className="qMRMLSequenceBrowserToolBar")
    return next(bar.activeBrowserNode() for bar in bars if bar.visible)
