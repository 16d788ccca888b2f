"""The list of breath-hold shifts: what was found in a result, and which of it is taken back on the next Apply."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import qt
from slicer.i18n import tr as _

from calid.errors import CalidError
from calid.stacks.findings import NOTABLE_SHIFT

from ..Scene.CineInput import findSource
from ..Scene.Provenance import INPUT_ROLE, factOf

MOST_ROWS = 6
"""Of the list; more are scrolled to, lest it push the sections below it out of sight."""


class SliceShift(NamedTuple):
    """A slice that a breath-hold has shifted in its plane.

    :param number: of the acquired slice, from 1.
    :param mm: how far.
    :param isInPlace: whether the result leaves it there, as somebody has asked for.
    """

    number: int
    mm: float
    isInPlace: bool


class PanelShifts:
    """Connects the list with the parameter ``inPlace``.

    :param onChosen: called with the slices, from 1, that are to stay in place, when a tick was set or taken away.
    """

    def __init__(self, ui: Any, onChosen: Callable[[list[int]], None]) -> None:
        self._ui, self._onChosen = ui, onChosen
        self._shifts: list[SliceShift] | None = None
        self._inPlace: list[int] = []
        ui.shiftsList.itemChanged.connect(self._onTicked)

    def show(self, shifts: Sequence[SliceShift], inPlace: Sequence[int] | None, isIdle: bool = True) -> None:
        """Show what was found; nothing is shown of a result without shifts.

        :param inPlace: slices, from 1, that stay in place on the next run: those without a tick. ``None`` if that is
            not of the stack that the result was made from, so that there is nothing to choose.
        """
        ui = self._ui
        self._inPlace = [each.number for each in shifts if each.isInPlace] if inPlace is None else list(inPlace)
        ui.shiftsList.blockSignals(True)  # it says what is chosen already
        if list(shifts) != self._shifts:
            self._fill(list(shifts))
        for row, shift in enumerate(shifts):
            isTicked = shift.number not in self._inPlace
            ui.shiftsList.item(row).setCheckState(qt.Qt.Checked if isTicked else qt.Qt.Unchecked)
        ui.shiftsList.blockSignals(False)
        ui.shiftsList.setEnabled(isIdle and inPlace is not None)
        for each in (ui.shiftsCaption, ui.shiftsList):
            each.setVisible(bool(shifts))

    def _fill(self, shifts: list[SliceShift]) -> None:
        rows = self._ui.shiftsList
        self._shifts = shifts
        rows.clear()
        for shift in shifts:
            rows.addItem(shiftText(shift))
        if shifts:
            count = min(len(shifts), MOST_ROWS)
            rows.setFixedHeight(count * rows.sizeHintForRow(0) + 2 * rows.property("frameWidth"))

    def _onTicked(self, item: Any) -> None:
        assert self._shifts
        number = self._shifts[self._ui.shiftsList.row(item)].number
        others = [each for each in self._inPlace if each != number]
        self._onChosen(others if item.checkState() == qt.Qt.Checked else sorted([*others, number]))


def shiftsOf(volume: Any) -> list[SliceShift]:
    """The shifts that a result says were found in its input; those that are not there are not listed."""
    found = factOf(volume, "shifts_mm") if volume is not None else None
    if not found:
        return []
    inPlace = json.loads(factOf(volume, "in_place") or "[]")
    lengths = np.linalg.norm(np.reshape(json.loads(found), (-1, 2)), axis=1)
    return [SliceShift(k + 1, float(mm), k + 1 in inPlace) for k, mm in enumerate(lengths) if mm > 0]


def isMadeFrom(volume: Any, node: Any) -> bool:
    """Whether a result was made from the stack or cine that ``node`` belongs to."""
    try:
        return volume is not None and node is not None and volume.GetNodeReference(INPUT_ROLE) is findSource(node).node
    except CalidError:  # said beside the input
        return False


def shiftText(shift: SliceShift) -> str:
    """One row of the list."""
    isNotable = shift.mm >= NOTABLE_SHIFT
    text = _("Warning: slice {number} by {mm:.1f} mm") if isNotable else _("Slice {number} by {mm:.1f} mm")
    left = _(", left in place here") if shift.isInPlace else ""
    return text.format(number=shift.number, mm=shift.mm) + left
