"""Stacks that come into the scene as nodes of their own: a still as a volume, a cine as a sequence that is played."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import slicer

from calid.errors import UnusableInput
from calid.stacks.stack import SliceStack

from ..Host import application
from .PhaseTimes import phaseTimes
from .SliceThickness import writeThickness
from .VolumeBridge import BRIGHTEST_PERCENT, freeName, sampleOf, voxelsOf

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

_USUAL_STEP_MS = 40.0
"""Between phases whose times nobody knows: 25 in a second."""


def addVolume(stack: SliceStack, name: str):
    """Add the first phase of a stack in RAS to the scene, in a grey scale of its own, and return its volume node."""
    volume = slicer.mrmlScene.AddNode(_volume(stack.voxels[0], stack.affine, freeName(slicer.mrmlScene, name)))
    writeThickness(volume, stack.thickness)
    _addDisplay(volume, stack.voxels)
    return volume


def addCineOf(stack: SliceStack, name: str, browser=None):
    """Add a cine to the scene and return its proxy, the volume node that shows the selected phase.

    With it comes a sequence node, indexed by the time in ms where it is known, and else by number.

    :param stack: in RAS, times in seconds.
    :param browser: that plays it in step with others; ``None`` makes one, which plays it at the speed of a heart.
    """
    name = freeName(slicer.mrmlScene, name)
    sequence = newSequence(stack.voxels, stack.affine, stack.times and [1000 * time for time in stack.times], name)
    writeThickness(sequence, stack.thickness)
    return playSequence(sequence, name, browser)


def newSequence(voxels: np.ndarray, ijkToRas: np.ndarray, times: Sequence[float] | None, name: str):
    """A sequence of volumes, in no scene yet.

    :param voxels: (phases, k, j, i).
    :param times: ms of each phase, ``None`` where they are not known.
    """
    sequence = _sequence(name)
    sequence.SetIndexName("phase" if times is None else "time")
    sequence.SetIndexUnit("" if times is None else "ms")
    sequence.SetIndexType(sequence.NumericIndex)
    for phase, value in enumerate(range(len(voxels)) if times is None else times):
        sequence.SetDataNodeAtValue(_volume(voxels[phase], ijkToRas, name), f"{value:g}")
    return sequence


def readSequence(path: str | Path, name: str):
    """The sequence that a .seq.nrrd file holds, in no scene yet.

    :raises UnusableInput: naming the file, if it cannot be read.
    """
    sequence = _sequence(name)
    storage = slicer.vtkMRMLVolumeSequenceStorageNode()
    storage.SetFileName(str(path))
    if not storage.ReadData(sequence) or sequence.GetNumberOfDataNodes() == 0:
        raise UnusableInput(f"{path} cannot be read as a sequence", "install the extension again")
    return sequence


def playSequence(sequence, name: str, browser=None):
    """Add a sequence, and a proxy that shows its selected phase, in one grey scale for all; return the proxy.

    The proxy comes first and the sequence whole: a selector that shows nothing takes the first node that it sees.

    :param browser: as in :func:`addCineOf`.
    """
    scene, phases = slicer.mrmlScene, [sequence.GetNthDataNode(n) for n in range(sequence.GetNumberOfDataNodes())]
    proxy = slicer.vtkMRMLScalarVolumeNode()
    proxy.CopyContent(phases[0])
    proxy.SetName(name)
    scene.AddNode(proxy)
    _addDisplay(proxy, *map(voxelsOf, phases))
    scene.AddNode(sequence)
    isNew = browser is None
    if isNew:
        browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} browser")
    with slicer.util.NodeModify(browser):  # a browser that is seen without its proxy is given one more
        if isNew:
            browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
            browser.SetPlaybackRateFps(1000 / _stepOf(sequence))
        browser.AddProxyNode(proxy, sequence, False)
    return proxy


def browserOf(proxy):
    """The sequence browser that changes a proxy volume; ``None`` for a still."""
    browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode", proxy.GetScene())
    return next((browser for browser in browsers if browser.IsProxyNodeID(proxy.GetID())), None)


def show(volume):
    """Show a volume, and the playback controls where it is a cine; without views only return it."""
    app = application()
    if app and app.layoutManager():
        slicer.util.setSliceViewerLayers(background=volume, fit=True, rotateToVolumePlane=True)
        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(volume)
        if browser:
            slicer.modules.sequences.showSequenceBrowser(browser)
    return volume


def _stepOf(sequence) -> float:
    """ms from phase to phase."""
    times = phaseTimes(sequence)
    return float(np.diff(times).mean()) if times and len(times) > 1 and sequence.GetIndexUnit() else _USUAL_STEP_MS


def _sequence(name: str):
    sequence = slicer.vtkMRMLSequenceNode()
    sequence.SetName(f"{name} sequence")
    return sequence


def _volume(voxels: np.ndarray, ijkToRas: np.ndarray, name: str):
    """A volume node, in no scene yet."""
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetName(name)
    slicer.util.updateVolumeFromArray(volume, voxels)
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
    return volume


def _addDisplay(volume, *images: np.ndarray) -> None:
    """One window for all phases: fitted to each, it would flicker."""
    bright = float(np.percentile(sampleOf(*images), BRIGHTEST_PERCENT))
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevel(bright, bright / 2)
