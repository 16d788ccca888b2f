"""The common frame: where the gaps are filled, all slices lie as if they were acquired in one breath-hold.

Acquired slices are moved there, and what is synthesised near a shifted slice is moved back by its share of the shift.
So acquired slices stay where they are, the wall leads to them without a step, and half-way between two of them the
heart is where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from calid.alignment.crossings import Across, Crossings, crossing
from calid.alignment.shifts import CAP, PIXEL, Shifts, find_shifts
from calid.errors import UnusableInput
from calid.model.gap import GapNet
from calid.reconstruction.inplane import InplaneGrid, displaced
from calid.reconstruction.intensity import IntensityScale
from calid.stacks.findings import NOTABLE_SHIFT
from calid.stacks.padding import Padding
from calid.stacks.plan import DensePlan, slice_indices
from calid.stacks.stack import SliceStack

ALIGNMENTS = ("auto", "straight", "off")

REACH = 0.5
"""Of a gap, over which that of a shift is put back which the slice on the other side does not share."""

ALIKE = 0.5
"""Of the shorter of two shifts, that the longer may differ from it and still be of the same breath-hold."""


@dataclass(frozen=True, eq=False)
class CommonFrame:
    """What was found of the shifts of a stack, and what is to be done about them.

    :param pixels: (slices, 2) the shifts that are taken out, in pixels, down and to the right.
    :param in_place: slices, counted from 1, that are left where they are.
    :param long_axes: how many helped to find the shifts.
    """

    align: str
    shifts: Shifts
    pixels: np.ndarray
    padding: Padding
    in_place: tuple[int, ...] = ()
    long_axes: int = 0

    @classmethod
    def of(
        cls,
        stack: SliceStack,
        align: str,
        thickness: float,
        net: GapNet,
        in_place: tuple[int, ...] = (),
        long_axes: Sequence[Across] = (),
    ) -> CommonFrame:
        """Look for shifts, unless ``align`` is ``"off"``.

        :param thickness: mm of the slices.
        :param net: predicts each slice from the others.
        :param in_place: slices, counted from 1, whose shifts are found and told, and not taken out.
        :param long_axes: of the same heart, whose crossings with the slices tell of shifts, too.
        :raises UnusableInput: for an unknown alignment, or a slice that there is not.
        """
        if align not in ALIGNMENTS:
            raise UnusableInput(f"align is {align!r}", f"choose one of {', '.join(ALIGNMENTS)} for align")
        padding = Padding.of(stack.voxels)
        used = [] if align == "off" else crossing(stack, long_axes)
        shifts = Shifts.none(len(stack.positions)) if align == "off" else _look(stack, thickness, net, used)
        pixels = shifts.mm / np.array(stack.pixel_spacing)
        pixels[slice_indices(len(pixels), in_place)] = 0
        return cls(align, shifts, pixels, padding, in_place, len(used))

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the shifts, in sentences; slices are counted from 1."""
        found = [
            f"slice {k + 1} is shifted by {mm:.1f} mm in its plane: {self._done(k + 1)}"
            for k, mm in enumerate(self.shifts.lengths)
            if mm >= NOTABLE_SHIFT
        ]
        unsettled = [f"slice {k + 1} may be shifted, but not certainly: left alone" for k in self.shifts.unsettled]
        capped = [f"slice {k + 1} seems to be shifted by more than {CAP:g} mm: left alone" for k in self.shifts.capped]
        return found + unsettled + capped

    def _done(self, number: int) -> str:
        if number in self.in_place:
            return "left in place, as asked for"
        return "moved in place" if self.align == "straight" else "taken into account between the slices"

    @property
    def facts(self) -> dict[str, Any]:
        """For the provenance; shifts as they were found, in mm, down the rows and along the columns."""
        found = self.shifts.mm.round(2).tolist()
        return {"align": self.align, "shifts_mm": found, "in_place": list(self.in_place), "long_axes": self.long_axes}

    def straighten(self, stack: SliceStack) -> SliceStack:
        """The stack with the shifts taken out, in its own data type."""
        if not self.pixels.any():
            return stack
        voxels = np.stack([self._moved(phase, -self.pixels) for phase in stack.voxels])
        return replace(stack, voxels=voxels)

    def put_back(
        self, plan: DensePlan, acquired: np.ndarray | None, dense: np.ndarray, spread: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """One phase (dense slices, rows, columns) and its predicted deviation, where the acquired slices are.

        :param acquired: (slices, rows, columns) that return bit for bit; ``None`` where they are synthesised too.
        """
        if self.align == "straight" or not self.pixels.any():
            return dense, spread
        share = _put_back(plan, self.pixels)
        dense = self._moved(dense, share)
        if acquired is not None:
            dense[plan.known] = acquired
        return dense, None if spread is None else np.maximum(self._moved(spread, share), 0)

    def _moved(self, slices: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """(k, rows, columns) moved by (k, 2) pixels; no value leaves the range of its slice, and padding stays such."""
        moved = slices.copy()
        padded = self.padding.mask(slices)
        tissue = self.padding.filled(slices) if padded.any() else slices
        for k in np.flatnonzero(pixels.any(axis=1)):
            out = displaced(tissue[k], pixels[k]).clip(tissue[k].min(), tissue[k].max())
            moved[k] = out.round() if slices.dtype.kind in "iu" else out
            if padded[k].any():
                came = np.ix_(*(_sources(n, by) for n, by in zip(slices.shape[1:], pixels[k], strict=True)))
                moved[k] = np.where(padded[k][came], slices[k][came], moved[k])
        return moved


def _put_back(plan: DensePlan, shifts: np.ndarray) -> np.ndarray:
    """(dense, 2) what each dense slice is moved by, from the ``shifts`` (acquired, 2) of the acquired ones.

    What both sides of a gap share is of a breath-hold for several slices, and of all between them. The rest is of one
    slice and fades on the way to the other.
    """
    moves = np.empty((len(plan.positions), 2))
    for (low, high), (below, above) in zip(pairwise(plan.known), pairwise(shifts), strict=True):
        fraction = (plan.positions[low : high + 1] - plan.positions[low]) / (plan.positions[high] - plan.positions[low])
        both = _shared(below, above)
        fading = [np.maximum(0, 1 - way / REACH)[:, None] for way in (fraction, 1 - fraction)]
        moves[low : high + 1] = both + fading[0] * (below - both) + fading[1] * (above - both)
    return moves


def _shared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(2,) the mean of two shifts that are alike, as those of one breath-hold are; nothing of others."""
    shorter = min(np.linalg.norm(one), np.linalg.norm(other))
    return (one + other) / 2 if np.linalg.norm(one - other) <= ALIKE * shorter else np.zeros(2)


def _sources(count: int, pixels: float) -> np.ndarray:
    """Which of ``count`` pixels each is when they are moved by ``pixels``."""
    return np.clip(np.arange(count) - round(pixels), 0, count - 1)


def _look(stack: SliceStack, thickness: float, net: GapNet, across: Sequence[Across]) -> Shifts:
    grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, PIXEL, 2)
    pictures = grid.to_model(IntensityScale.of(stack.voxels).normalise(stack.voxels))
    crossings = Crossings(stack, across, PIXEL, pictures.shape[2:], thickness) if across else None
    return find_shifts(pictures, stack.positions, thickness, net, crossings)
