"""Sample data of the extension: the heart phantom as a sparse cine and as a still, made on request, without a network.

Slicer's module *Sample Data* offers both in the category *Cardiac*, and scripts get them with
``SampleData.downloadSample("CaLID phantom (cine)")``. Its contract, as read in
``Modules/Scripted/SampleData/SampleData.py`` of Slicer: button and function download a file into the cache and hand it
to the reader of ``loadFileTypes``, whose nodes they return (a ``customDownloader`` is called by the button only). So
what is "downloaded", from an address that holds its own content, is the name of a sample, and
``CaLIDSlicerFileReader`` makes the sample of that name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer

from calid.errors import Cancelled
from calid.phantom.beating_heart import Phantom
from calid.stacks.stack import SliceStack

from ..Host import application, computeWithProgress
from ..Translation import _
from .VolumeBridge import freeName, sampleOf

CATEGORY = "Cardiac"
FILE_TYPE, SUFFIX = "CaLIDPhantom", ".calidphantom"
CINE_NAME, STILL_NAME = "CaLIDPhantomCine", "CaLIDPhantom"

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class SampleShape:
    """How much of a phantom is made; by default as much as a laptop reconstructs in a minute or so.

    :param phases: of one heart beat, at least 2; the still has the first of them, end-diastole.
    :param gap: mm between slices.
    :param pixel: mm.
    :param matrix: (rows, columns).
    """

    phases: int = 12
    slices: int = 8
    gap: float = 10.0
    pixel: float = 1.6
    matrix: tuple[int, int] = (128, 128)


def registerSampleData(resourcesFolder: str | Path) -> None:
    """Offer the samples in Slicer's module *Sample Data*; call it when the application has started up, not before.

    :param resourcesFolder: the module's folder ``Resources``, which holds the thumbnails in ``SampleData``.
    """
    import SampleData

    for name, label in ((CINE_NAME, "CaLID phantom (cine)"), (STILL_NAME, "CaLID phantom")):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=label,
            uris=f"data:,{name}",
            fileNames=f"{name}{SUFFIX}",
            nodeNames=name,
            thumbnailFileName=str(Path(resourcesFolder) / "SampleData" / f"{name}.png"),
            loadFileTypes=FILE_TYPE,
        )


def loadSample(path: str | Path) -> list | None:
    """Add the sample that a file names, show it, and return its volume node, in a list.

    The list is empty where the user has cancelled it; on ``None``, for no such sample, Slicer would try again.
    """
    name = Path(path).read_text(encoding="utf-8").strip()
    load = {CINE_NAME: loadCine, STILL_NAME: loadStill}.get(name)
    try:
        return [load()] if load else None
    except Cancelled:
        return []


def loadCine():
    """Add the cine, show it with its playback controls, and return its volume node."""
    return _show(addCine())


def loadStill():
    """Add the still, show it, and return its volume node."""
    return _show(addStill())


def addStill(shape: SampleShape | None = None):
    """Add one sparse short-axis stack to the scene and return its volume node.

    :raises Cancelled: if the user has cancelled it, as with a cine.
    """
    stack = _scan(shape or SampleShape(), phases=1)
    volume = slicer.mrmlScene.AddNode(_volume(stack, freeName(slicer.mrmlScene, STILL_NAME)))
    _addDisplay(volume, stack)
    return volume


def addCine(shape: SampleShape | None = None):
    """Add a sparse cine to the scene and return its proxy, the volume node that shows the selected phase.

    With it come a sequence node, indexed by the time in ms, and a browser node that plays it at the speed of a heart.

    :raises Cancelled: if the user has cancelled it: it is computed beside Slicer's window, which shows how far it is.
    """
    scene, shape = slicer.mrmlScene, shape or SampleShape()
    stack = _scan(shape, shape.phases)
    times = [1000 * seconds for seconds in stack.times or ()]
    name = freeName(scene, CINE_NAME)
    sequence = _addSequence(stack, times, name)
    proxy = scene.AddNode(_volume(stack.phase(0), name))
    _addDisplay(proxy, stack)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} browser")
    with slicer.util.NodeModify(browser):  # a browser that is seen without its proxy is given one more
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        browser.AddProxyNode(proxy, sequence, False)
    browser.SetPlaybackRateFps(1000 / (times[1] - times[0]))
    return proxy


def _scan(shape: SampleShape, phases: int) -> SliceStack:
    """The sparse phantom with its axes in RAS, times in seconds."""
    phantom = Phantom(phases, shape.slices, shape.gap, shape.pixel, shape.matrix)
    sparse = computeWithProgress(phantom.acquire, phases, _("The phantom is being computed ..."))
    return SliceStack(sparse.voxels, _LPS_TO_RAS @ sparse.frame, sparse.positions, sparse.times)


def _addSequence(stack: SliceStack, times: list[float], name: str):
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", f"{name} sequence")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("ms")
    sequence.SetIndexType(sequence.NumericIndex)
    for phase, time in enumerate(times):
        sequence.SetDataNodeAtValue(_volume(stack.phase(phase), name), f"{time:g}")
    return sequence


def _volume(stack: SliceStack, name: str):
    """A volume node, in no scene yet, with the one phase of a stack."""
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetName(name)
    slicer.util.updateVolumeFromArray(volume, stack.voxels[0])
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(stack.affine))
    return volume


def _addDisplay(volume, stack: SliceStack) -> None:
    """One window for all phases: fitted to each, it would flicker."""
    bright = float(np.percentile(sampleOf(stack.voxels), 99.5))
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevel(bright, bright / 2)


def _show(volume):
    """Show a volume, and the playback controls where it is a cine; without views only return it."""
    app = application()
    if app and app.layoutManager():
        slicer.util.setSliceViewerLayers(background=volume, fit=True, rotateToVolumePlane=True)
        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(volume)
        if browser:
            slicer.modules.sequences.showSequenceBrowser(browser)
    return volume
