"""One window and level for two volumes: what is compared must be shown in the same grey scale."""

from __future__ import annotations

import numpy as np
import vtk
from slicer.util import VTKObservationMixin

from ..Scene.VolumeBridge import copyWindowLevel, sampleOf, voxelsOf
from .Heart import Heart

_FITTED = "CaLID.windowFitted"  # attribute of a display node
_GREYS = (1, 98)  # percentiles of a heart without what lies around it: of the rest, some is fat
_DARK = 1.5  # times the range of the heart: with a window up to there, a third of all greys is not used


def fitWindow(volume, heart: Heart) -> None:
    """Fit the grey scale to the heart, once, where nobody has chosen one or it hides the heart.

    Slicer, and the scanner that wrote a window into the file, fit it to the whole field of view, where fat close to the
    coil is several times as bright as blood.
    """
    display = volume.GetDisplayNode()
    if display is None or display.GetAttribute(_FITTED):
        return
    voxels = heart.core().within(voxelsOf(volume), volume.GetSpacing())
    third = len(voxels) // 3  # at base and apex are vessels and fat
    low, high = (float(value) for value in np.percentile(sampleOf(voxels[third : len(voxels) - third]), _GREYS))
    display.SetAttribute(_FITTED, "yes")  # what the user makes of it from now on is his
    if display.GetAutoWindowLevel() or display.GetWindowLevelMax() > low + _DARK * (high - low):
        display.AutoWindowLevelOff()  # a cine would change its grey scale from phase to phase
        display.SetWindowLevel(max(high - low, np.finfo(float).tiny), (high + low) / 2)


class SharedWindow(VTKObservationMixin):
    """Keeps window and level of two volumes equal, whichever of them the user changes; of one pair at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._shared: list = []

    def share(self, first, second) -> None:
        """Give ``second`` the grey scale of ``first``, and keep them equal from now on; again, it does nothing."""
        displays = [node.GetDisplayNode() for node in (first, second)]
        if displays == self._shared:
            return
        self.release()
        self._shared = displays
        copyWindowLevel(first, second)
        if None in displays:
            return
        if displays[0].GetWindow() > 0:
            displays[0].AutoWindowLevelOff()  # else the window of a cine would change from phase to phase, in both
        for changed, other in (displays, displays[::-1]):
            self.addObserver(changed, vtk.vtkCommand.ModifiedEvent, _follow(other))

    def release(self) -> None:
        """Let go of both."""
        self.removeObservers()
        self._shared = []


def _follow(other):
    def copy(changed, _event) -> None:
        if changed.GetWindow() != other.GetWindow() or changed.GetLevel() != other.GetLevel():
            other.AutoWindowLevelOff()
            other.SetWindowLevel(changed.GetWindow(), changed.GetLevel())

    return copy
