"""Colour over the dense volume: where the model is unsure, and which slices it has made."""

from __future__ import annotations

import math

import numpy as np
import slicer

from ..Scene.Provenance import INPUT_ROLE, MASK_ROLE, UNCERTAINTY_ROLE
from ..Scene.VolumeBridge import sampleOf, voxelsOf
from .Layout import DENSE_VIEWS, SliceView, sliceViews, viewsOnScreen, viewsShowing
from .Modules import moduleLogic
from .Shown import isInFront, resultsIn

UNCERTAINTY_OPACITY = 0.6
MASK_OPACITY = 0.3
UNCERTAINTY_COLOURS = "vtkMRMLColorTableNodeFileInferno.txt"

_HIDDEN_SHARE = 0.2  # of the colour scale: what is less unsure is left clear, so that the image stays readable


def showUncertainty(volume, visible: bool = True, logic=None) -> bool:
    """Colour the views of the dense volume by its uncertainty, with a legend; else take the colours away.

    :param logic: vtkSlicerColorLogic, for the legend; ``None`` takes that of Slicer's module.
    :return: whether the volume has an uncertainty and a view.
    """
    spread, views = volume.GetNodeReference(UNCERTAINTY_ROLE), viewsShowing(volume)
    if spread is None:
        return False
    if visible:
        colourByUncertainty(spread)
    for view in views:
        view.layers.SetForegroundVolumeID(spread.GetID() if visible else None)
        view.layers.SetForegroundOpacity(UNCERTAINTY_OPACITY if visible else 0)
    showLegend(volume, logic)
    return bool(views)


def showSynthesised(volume, visible: bool = True) -> bool:
    """Tint the synthesised slices where slices are seen from the side: a whole tinted short axis would hide the heart.

    :return: whether the volume has a mask of its synthesised slices and a view.
    """
    mask = volume.GetNodeReference(MASK_ROLE)
    views = [view for view in viewsShowing(volume) if not _isShortAxis(view)]
    if mask is None:
        return False
    for view in views:
        view.layers.SetLabelVolumeID(mask.GetID() if visible else None)
        view.layers.SetLabelOpacity(MASK_OPACITY)
    return bool(views)


def isMarkable(volume) -> bool:
    """Whether the user sees a view in which :func:`showSynthesised` would mark slices."""
    return any(not _isShortAxis(view) for view in viewsOnScreen(volume))


def colourByUncertainty(spread) -> None:
    """Set the colours of an uncertainty volume: clear where it is small, brighter the larger it is."""
    values = voxelsOf(spread)
    sample = sampleOf(values)
    positive = sample[sample > 0]
    high = float(np.percentile(positive, 99)) if positive.size else 1.0
    display = spread.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetAndObserveColorNodeID(UNCERTAINTY_COLOURS)
        display.AutoWindowLevelOff()  # else a cine would change its colours from phase to phase
        display.SetWindowLevelMinMax(0, high)
        display.SetAutoThreshold(False)
        display.SetThreshold(_HIDDEN_SHARE * high, float(max(values.max(), high)))
        display.SetApplyThreshold(True)


def takeOffOthers(scene) -> None:
    """Take the colours and marks of a result out of the dense views that show a volume it has nothing to do with.

    Slicer shows a volume that is loaded in all views, and leaves what lies over it.
    """
    results = resultsIn(scene)
    for view in sliceViews(scene, DENSE_VIEWS):
        shown = view.layers.GetBackgroundVolumeID()
        for result in results:
            spread, mask = (result.GetNodeReferenceID(role) for role in (UNCERTAINTY_ROLE, MASK_ROLE))
            if shown in (None, result.GetID(), result.GetNodeReferenceID(INPUT_ROLE), spread, mask):
                continue
            if spread and view.layers.GetForegroundVolumeID() == spread:
                view.layers.SetForegroundVolumeID(None)
            if mask and view.layers.GetLabelVolumeID() == mask:
                view.layers.SetLabelVolumeID(None)


def showLegend(volume, logic=None) -> None:
    """Show the legend of a volume's uncertainty where, and as long as, its colours are seen."""
    spread, logic = volume.GetNodeReference(UNCERTAINTY_ROLE), logic or moduleLogic("colors")
    if spread is None or logic is None:
        return
    visible = any(isInFront(view.layers, spread.GetID()) for view in viewsOnScreen(volume))
    legend = logic.GetColorLegendDisplayNode(spread)
    if legend is None and visible:
        legend = logic.AddDefaultColorLegendDisplayNode(spread)
        legend.SetTitleText("Uncertainty (± intensity)")
        legend.SetNumberOfLabels(3)
        legend.SetSize(0.08, 0.5)
    if legend and visible:
        legend.SetLabelFormat(f"%.{_decimals(spread.GetDisplayNode().GetWindowLevelMax())}f")
    if legend and bool(legend.GetVisibility()) != visible:
        legend.SetVisibility(visible)


def _decimals(high: float) -> int:
    """So many that two digits of ``high`` are shown: intensities are hundreds in one image, and up to 1 in another."""
    return max(0, 1 - math.floor(math.log10(high)))


def _isShortAxis(view: SliceView) -> bool:
    return view.plane.GetLayoutName() == DENSE_VIEWS[0]
