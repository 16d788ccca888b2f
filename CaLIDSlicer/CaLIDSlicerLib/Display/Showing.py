"""Showing a result so that the gain is seen at once: sparse beside dense, fade, playback, and the overlays.

Every function acts on what the user sees of a result, or brings it into the views first. It says whether it had
something to show it in: without an application or without views it does nothing and returns false, so that scripts run
with ``--no-main-window``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import chain
from typing import Any

import slicer

from . import LongAxesPage, MeasuresPage, Overlay, Playback, Rendering, SelfCheckPage
from .Comparison import fillViews, lookAtHeart
from .Layout import (
    COMPARISON_LAYOUTS,
    DENSE_VIEWS,
    LONG_AXES_LAYOUTS,
    LONG_AXIS_VIEWS,
    MEASURES_LAYOUT,
    SPARSE_VIEWS,
    arrangement,
    inputOf,
    makeViews,
    showComparisonLayout,
    showLongAxesLayout,
    showMeasuresLayout,
    viewsOnScreen,
    viewsShowing,
)
from .Modules import resetThreeDViews, settleViews
from .Shown import isReportShown, resultsIn, shownOf
from .Turns import Steps, Turns, atOnce
from .ViewState import LONG_AXES, SELF_CHECK, ViewState
from .Watch import ViewWatch

__all__ = [
    "begin",
    "end",
    "isReportShown",
    "leave",
    "listen",
    "play",
    "putBack",
    "remember",
    "showBeforeAfter",
    "showInTurns",
    "showLongAxes",
    "showMeasures",
    "showReport",
    "showResult",
    "showSynthesised",
    "showUncertainty",
    "showVolumeRendering",
    "shownOf",
]

_watch = ViewWatch()
begin, end, listen = _watch.begin, _watch.end, _watch.listen


def showResult(volume) -> bool:
    """Show a dense volume beside its input, in three planes through the heart and in 3D."""
    return atOnce(_showing(volume))


def showInTurns(volume) -> Turns:
    """As :func:`showResult`, while the window goes on to answer: six new views and a rendering take a second or so.

    It ends undone where there are no views, or the user turns to others meanwhile.
    """
    return Turns(_showing(volume))


def showMeasures(volume) -> Turns:
    """Show a measured dense volume: outlines, beating surfaces, and the volumes over the beat; as :func:`showInTurns`.

    It ends undone for a volume that was not measured.
    """
    return Turns(_showingMeasures(volume))


def showLongAxes(volume) -> Turns:
    """Show before and after on the planes of the study's long axes, beside these, as :func:`showInTurns`.

    It ends undone for a volume whose input has none; the three first ones have room.
    """
    return Turns(_showingLongAxes(volume))


def leave() -> bool:
    """Give the user the views back that ours were shown in place of."""
    with _watch.changing(slicer.mrmlScene):
        MeasuresPage.hideLabels(slicer.mrmlScene)
        return _watch.memory.leave(slicer.mrmlScene)


def remember() -> ViewState:
    """What the views show now, for :func:`putBack`."""
    return ViewState(slicer.mrmlScene)


def putBack(state: ViewState) -> bool:
    """Show again what was shown then; false, and nothing changes, if the user has chosen other views meanwhile."""
    with _watch.changing(slicer.mrmlScene):
        return state.restore()


def showBeforeAfter(volume, fraction: float = 1.0) -> bool:
    """Fade from the sparse input (0) to the dense volume (1) where the dense volume is shown."""
    sparse = inputOf(volume)
    if sparse is None or not _bringUp(volume, viewsOnScreen):
        return False
    with _watch.changing(volume.GetScene()):
        for view in viewsShowing(volume):
            # Nothing, rather than a volume that is not seen: the view would name it.
            view.layers.SetForegroundVolumeID(sparse.GetID() if fraction < 1 else None)
            view.layers.SetForegroundOpacity(1 - fraction)
    return True


def showUncertainty(volume, visible: bool = True, logic=None) -> bool:
    """As :func:`Overlay.showUncertainty`."""
    if visible and not _bringUp(volume, viewsOnScreen):
        return False
    with _watch.changing(volume.GetScene()):
        return Overlay.showUncertainty(volume, visible, logic)


def showSynthesised(volume, visible: bool = True) -> bool:
    """As :func:`Overlay.showSynthesised`."""
    if visible and not _bringUp(volume, Overlay.isMarkable):
        return False
    with _watch.changing(volume.GetScene()):
        return Overlay.showSynthesised(volume, visible)


def showVolumeRendering(volume, visible: bool = True, logic=None) -> bool:
    """As :func:`Rendering.showVolumeRendering`; of all results, one is rendered at a time."""
    scene = volume.GetScene()
    if scene is None:
        return False
    if visible and not Rendering.isThreeDOnScreen(scene):
        return showResult(volume)
    with _watch.changing(scene):
        if visible:
            Rendering.hideRenderings(result for result in resultsIn(scene) if result is not volume)
        return Rendering.showVolumeRendering(volume, visible, logic)


def play(volume, playing: bool = True) -> bool:
    """As :func:`Playback.play`, of the cine that the volume belongs to."""
    if playing:
        _bringUp(volume, lambda shown: viewsOnScreen(shown) or Rendering.isRendered(shown))
    with _watch.changing(volume.GetScene()):
        return Playback.play(Playback.browserOf(volume), playing)


def showReport(report) -> bool:
    """As :func:`SelfCheckPage.showReport`."""
    with _watch.changing(slicer.mrmlScene):
        _watch.memory.remember(slicer.mrmlScene, SELF_CHECK)
        return SelfCheckPage.showReport(report)


def _bringUp(volume, isSeen: Callable) -> bool:
    """Compare a result with its input, unless it can be seen already."""
    isInScene = volume.GetScene() is not None
    return isInScene and (bool(isSeen(volume)) or (showResult(volume) and bool(isSeen(volume))))


def _showing(volume) -> Steps:
    steps = (fillViews, lookAtHeart, Rendering.prepare, _render, _frame)
    views = [*SPARSE_VIEWS, *DENSE_VIEWS]
    return (yield from _arranging(volume, views, showComparisonLayout, COMPARISON_LAYOUTS, steps))


def _showingMeasures(volume) -> Steps:
    steps = (MeasuresPage.fillPage, MeasuresPage.lookAtLabels)
    return (yield from _arranging(volume, DENSE_VIEWS, showMeasuresLayout, (MEASURES_LAYOUT,), steps))


def _showingLongAxes(volume) -> Steps:
    layout = LongAxesPage.layoutOf(volume)
    if layout is None:
        return False
    with _watch.changing(volume.GetScene()):
        _watch.memory.remember(volume.GetScene(), LONG_AXES)
    rows = LONG_AXIS_VIEWS[: LONG_AXES_LAYOUTS.index(layout) + 1]
    arrange = partial(showLongAxesLayout, layout=layout)
    steps = (LongAxesPage.fillPage, LongAxesPage.lookAlong)
    return (yield from _arranging(volume, [*chain.from_iterable(rows)], arrange, (layout,), steps))


def _arranging(
    volume,
    views: Collection[str],
    arrange: Callable[[Any], bool],
    layouts: Collection[int],
    steps: Iterable[Callable[[Any], bool | None]],
) -> Steps:
    scene = volume.GetScene()
    if scene is None:
        return False
    with _watch.changing(scene):
        _watch.memory.remember(scene, volume.GetID())
        Playback.offer(Playback.browserOf(volume))
    yield
    yield from makeViews(scene, views)
    with _watch.changing(scene):
        if not _isThere(volume, scene) or not arrange(scene):
            return False
    yield
    with _watch.changing(scene):
        settleViews()
    for step in steps:
        with _watch.changing(scene):
            # The event loop has run: the job may have been cancelled, and the user have turned to other views.
            if not _isThere(volume, scene) or arrangement(scene) not in layouts or step(volume) is False:
                return False
        yield
    return True


def _isThere(volume, scene) -> bool:
    return volume.GetScene() is scene


def _render(volume) -> None:
    MeasuresPage.hideLabels(volume.GetScene())  # they are inside of what is rendered
    Rendering.hideRenderings(result for result in resultsIn(volume.GetScene()) if result is not volume)
    Rendering.showVolumeRendering(volume)


def _frame(volume) -> None:
    if Rendering.isRendered(volume):
        resetThreeDViews()
