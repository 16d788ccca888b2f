"""A note over views that show another phase than the one that is selected: a result may have fewer than its input."""

from __future__ import annotations

from typing import Any

import vtk

from ..Scene.CineInput import browsersShowing
from ..Scene.Provenance import PHASE, factOf
from ..Translation import _
from .Layout import inputOf, namesOnScreen, viewsOnScreen
from .Modules import drawingOf
from .Rendering import isRendered
from .Shown import resultsIn

_SLICE_VIEW, _THREE_D_VIEW = "vtkMRMLSliceNode", "vtkMRMLViewNode"
_HEIGHT = 0.93  # of the view, where neither the heart nor Slicer's own texts are


def phaseNote(volume) -> str:
    """Why a result does not show the phase that its input shows now, in two short lines, for views are narrow.

    Empty if it does show it, or is of a still.
    """
    browser = next(iter(browsersShowing(volume)), None)
    return _ofCine(volume, browser) if browser else _ofSinglePhase(volume)


class PhaseNotes:
    """Writes the notes of all results into the views that show them."""

    def __init__(self) -> None:
        self._actors: dict[tuple[str, str], Any] = {}

    def write(self, scene) -> None:
        """Bring the notes of all views up to date; without an application there are no views to write into."""
        wanted = _notesByView(scene)
        for key in {*wanted, *self._actors}:
            self._set(key, wanted.get(key, ""))

    def clear(self) -> None:
        """Take all notes away."""
        for key in self._actors:
            self._set(key, "")

    def _set(self, key: tuple[str, str], text: str) -> None:
        actor = self._actors.get(key)
        if actor is None and text:
            actor = self._add(key)
        if actor is None or (actor.GetInput() or "") == text:
            return
        actor.SetInput(text)
        actor.SetVisibility(bool(text))
        view = drawingOf(*key)
        if view:
            view.scheduleRender()

    def _add(self, key: tuple[str, str]):
        view = drawingOf(*key)
        if view is None:
            return None
        self._actors[key] = _textActor()
        view.renderWindow().GetRenderers().GetFirstRenderer().AddActor2D(self._actors[key])
        return self._actors[key]


def _ofCine(volume, browser) -> str:
    sequence, master = browser.GetSequenceNode(volume), browser.GetMasterSequenceNode()
    number = browser.GetSelectedItemNumber()
    if number < 0 or sequence.GetItemNumberFromIndexValue(master.GetNthIndexValue(number)) >= 0:
        return ""
    text = _("Phase {number} of {count}:\nnot reconstructed")
    return text.format(number=number + 1, count=master.GetNumberOfDataNodes())


def _ofSinglePhase(volume) -> str:
    sparse, phase = inputOf(volume), factOf(volume, PHASE)
    browser = next(iter(browsersShowing(sparse)), None) if sparse and phase else None
    if browser is None:
        return ""
    number, itself = browser.GetSelectedItemNumber(), browser.GetSequenceNode(sparse).GetItemNumberFromIndexValue(phase)
    if itself < 0 or number == itself:
        return ""
    return _("This is phase {itself},\nbefore is phase {number}").format(itself=itself + 1, number=number + 1)


def _notesByView(scene) -> dict[tuple[str, str], str]:
    notes: dict[tuple[str, str], str] = {}
    for volume in resultsIn(scene):
        text = phaseNote(volume)
        views = [(_SLICE_VIEW, view.plane.GetLayoutName()) for view in viewsOnScreen(volume)] if text else []
        if text and isRendered(volume):
            views += [(_THREE_D_VIEW, name) for name in namesOnScreen(scene, _THREE_D_VIEW)]
        notes.update(dict.fromkeys(views, text))
    return notes


def _textActor():
    actor = vtk.vtkTextActor()
    look = actor.GetTextProperty()
    look.SetFontSize(14)
    look.SetColor(1.0, 0.85, 0.2)
    look.SetBackgroundColor(0.0, 0.0, 0.0)
    look.SetBackgroundOpacity(0.8)
    look.SetJustificationToCentered()
    look.SetVerticalJustificationToTop()
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.GetPositionCoordinate().SetValue(0.5, _HEIGHT)
    return actor
