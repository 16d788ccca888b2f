"""The sample data as a script and a user get it from Slicer's module Sample Data."""

from __future__ import annotations

import qt
import slicer
from driving import loadFromSampleData, spin, ui
from watching import Silence

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


def test_a_large_sample_is_computed_beside_the_window():
    from CaLIDSlicerLib.Scene.SampleData import SampleShape, addCine

    spin(0.5)  # what an earlier test has left to the event loop is none of it
    with Silence() as silence:
        addCine(SampleShape(phases=6, slices=12, matrix=(256, 256)))
    assert silence.cpu < 0.2, silence.cpu
    assert progress() is None


def test_a_sample_can_be_cancelled_and_is_not_tried_again():
    """By its dialog, which keeps the user from all else."""
    seen = []

    def cancel() -> None:
        if progress() and not seen:
            seen.append(slicer.app.activeModalWidget() is progress())
            progress().cancel()

    timer = qt.QTimer()
    timer.timeout.connect(cancel)
    timer.start(50)
    assert loadFromSampleData(NAMES[0]) is None
    timer.stop()
    assert seen == [True]
    assert progress() is None
    assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == []


def progress():
    """The dialog that says how far a computation is; ``None`` where there is none."""
    tops = slicer.app.topLevelWidgets()
    return next((top for top in tops if top.className() == "QProgressDialog" and top.visible), None)


def shownInToolBar():
    """The sequence browser that Slicer's toolbar acts on."""
    bars = slicer.util.findChildren(slicer.util.mainWindow(), className="qMRMLSequenceBrowserToolBar")
    return next(bar.activeBrowserNode() for bar in bars if bar.visible)
