"""What the views show of a result: read from the scene each time it is asked for, so that no button can be wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import slicer

from ..Scene.Provenance import INPUT_ROLE, MASK_ROLE, UNCERTAINTY_ROLE
from .Layout import (
    COMPARISON_LAYOUTS,
    DENSE_VIEWS,
    LONG_AXES_LAYOUTS,
    LONG_AXIS_VIEWS,
    MEASURES_LAYOUT,
    PLOT_VIEW,
    SELF_CHECK_LAYOUT,
    arrangement,
    inputOf,
    sliceViews,
    viewsOnScreen,
)
from .Playback import browserOf
from .Rendering import isRendered


@dataclass(frozen=True)
class Shown:
    """What the user sees of a result now.

    :param comparison: whether it is compared with its input.
    :param longAxes: whether it is held against acquired long axes.
    :param fraction: 0 where its input covers it, 1 where it is seen itself.
    """

    comparison: bool = False
    fraction: float = 1.0
    uncertainty: bool = False
    synthesised: bool = False
    rendering: bool = False
    playing: bool = False
    measures: bool = False
    longAxes: bool = False


NOTHING = Shown()


def shownOf(volume: Any) -> Shown:
    """What is seen of a dense volume; of ``None``, or a volume that has left its scene, nothing."""
    if volume is None or volume.GetScene() is None:
        return NOTHING
    layers = [view.layers for view in viewsOnScreen(volume)]
    spread, mask, sparse = (_idOf(node) for node in (*_companions(volume), inputOf(volume)))
    faded = [view.GetForegroundOpacity() for view in layers if sparse and view.GetForegroundVolumeID() == sparse]
    browser = browserOf(volume)
    return Shown(
        comparison=comparedVolume(volume.GetScene()) is volume,
        fraction=1 - max(faded, default=0.0),
        uncertainty=any(isInFront(view, spread) for view in layers),
        synthesised=any(mask and view.GetLabelVolumeID() == mask and view.GetLabelOpacity() > 0 for view in layers),
        rendering=isRendered(volume),
        playing=bool(browser and browser.GetPlaybackActive()),
        measures=measuredVolume(volume.GetScene()) is volume,
        longAxes=witnessedVolume(volume.GetScene()) is volume,
    )


def comparedVolume(scene) -> Any:
    """The dense volume that is compared with its input now, or ``None``."""
    return _denseIn(scene, COMPARISON_LAYOUTS, DENSE_VIEWS)


def witnessedVolume(scene) -> Any:
    """The dense volume that is held against acquired long axes now, or ``None``."""
    return _denseIn(scene, LONG_AXES_LAYOUTS, [names[1] for names in LONG_AXIS_VIEWS])


def measuredVolume(scene) -> Any:
    """The dense volume whose measures are shown now, or ``None``."""
    return _denseIn(scene, (MEASURES_LAYOUT,), DENSE_VIEWS)


def _denseIn(scene, layouts: Collection[int], names: Iterable[str]) -> Any:
    if arrangement(scene) not in layouts:
        return None
    shown = (scene.GetNodeByID(view.layers.GetBackgroundVolumeID() or "") for view in sliceViews(scene, names))
    return next((volume for volume in shown if volume), None)


def isReportShown(report: Any) -> bool:
    """Whether the page of a self-check shows this report."""
    return report is not None and isChartShown(report.plot)


def isChartShown(chart) -> bool:
    """Whether the page of a self-check shows this plot."""
    scene = chart.GetScene()
    if scene is None or arrangement(scene) != SELF_CHECK_LAYOUT:
        return False
    view = scene.GetSingletonNode(PLOT_VIEW, "vtkMRMLPlotViewNode")
    return view is not None and view.GetPlotChartNodeID() == chart.GetID()


def isInFront(layers, volumeId: str | None) -> bool:
    """Whether a volume is the foreground of a view, and not faded out."""
    return bool(volumeId) and layers.GetForegroundVolumeID() == volumeId and layers.GetForegroundOpacity() > 0


def resultsIn(scene) -> list:
    """The dense volumes of a scene."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene)
    return [volume for volume in volumes if volume.GetNodeReferenceID(INPUT_ROLE)]


def _companions(volume) -> tuple:
    return volume.GetNodeReference(UNCERTAINTY_ROLE), volume.GetNodeReference(MASK_ROLE)


def _idOf(node) -> str | None:
    return node and node.GetID()
