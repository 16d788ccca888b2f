"""Showing a result so that the gain is seen at once: sparse above dense, fade, playback, and the overlays.

Every function says whether it had something to show it in: without an application or without views it does nothing and
returns false, so that scripts run with ``--no-main-window``.
"""

from __future__ import annotations

import slicer

from .Geometry import extentsOf, look, planesOf, scaleToFit
from .Layout import (
    DENSE_VIEWS,
    SPARSE_VIEWS,
    inputOf,
    leaveComparisonLayout,
    link,
    showComparisonLayout,
    sliceViews,
    viewsShowing,
)
from .Modules import resetThreeDViews, settleViews
from .Overlay import showSynthesised, showUncertainty
from .Playback import play
from .Rendering import showVolumeRendering
from .SelfCheckPage import showReport
from .Window import SharedWindow

__all__ = [
    "end",
    "leaveResult",
    "play",
    "showBeforeAfter",
    "showReport",
    "showResult",
    "showSynthesised",
    "showUncertainty",
    "showVolumeRendering",
]

_window = SharedWindow()


def showResult(result) -> bool:
    """Show a dense volume under its input, in three planes through the heart and in 3D; a cine starts to beat.

    :param result: the dense volume node, or the finished job that made it.
    """
    dense = getattr(result, "volume", result)
    if dense.GetScene() is None or not showComparisonLayout(dense.GetScene()):
        return False
    settleViews()
    if dense.GetScene() is None:  # the event loop has run, and may have cancelled the job
        return False
    if not sliceViews(dense.GetScene(), DENSE_VIEWS):
        return False
    sparse = inputOf(dense)
    if sparse:
        _window.share(sparse, dense)
    _fillRow(SPARSE_VIEWS, dense, background=sparse)
    _fillRow(DENSE_VIEWS, dense, background=dense, foreground=sparse)
    _lookAtHeart(dense, sparse or dense)
    if showVolumeRendering(dense):
        resetThreeDViews()
    play(getattr(result, "browser", None))
    return True


def leaveResult() -> bool:
    """Give the user the views back that a result was shown in place of, when it has been taken back."""
    _window.removeObservers()
    return leaveComparisonLayout(slicer.mrmlScene)


def showBeforeAfter(volume, fraction: float = 1.0) -> bool:
    """Fade from the sparse input (0) to the dense volume (1) where the dense volume is shown."""
    sparse, views = inputOf(volume), viewsShowing(volume)
    if sparse is None:
        return False
    for view in views:
        view.layers.SetForegroundVolumeID(sparse.GetID())
        view.layers.SetForegroundOpacity(1 - fraction)
    return bool(views)


def end() -> None:
    """Let go of all nodes: they are leaving the scene, or the module its widget."""
    _window.removeObservers()


def _fillRow(names, dense, background, foreground=None) -> None:
    views = sliceViews(dense.GetScene(), names)
    for view in views:
        view.layers.SetBackgroundVolumeID(background.GetID() if background else None)
        view.layers.SetForegroundVolumeID(foreground.GetID() if foreground else None)
        view.layers.SetForegroundOpacity(0)
        view.layers.SetLabelVolumeID(None)
    link(views)


def _lookAtHeart(dense, sparse) -> None:
    """Both rows look at the same planes at one scale: through the sparse volume's middle gap, where the gain is."""
    planes, extents, scene = planesOf(sparse), extentsOf(sparse), dense.GetScene()
    rows = [sliceViews(scene, names) for names in (SPARSE_VIEWS, DENSE_VIEWS)]
    scales = [scaleToFit(view.plane, extent) for row in rows for view, extent in zip(row, extents, strict=False)]
    for row in rows:
        for view, plane in zip(row, planes, strict=False):
            look(view.plane, plane, max(scales))
