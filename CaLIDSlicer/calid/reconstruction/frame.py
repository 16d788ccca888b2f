"""The common frame: where the gaps are filled, all slices lie as if they were acquired in one breath-hold.

Acquired slices are moved there, and what is synthesised is moved back by its share of its neighbours' shifts. So
acquired slices stay where they are, and the wall leads from one to the next without a step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from calid.alignment.shifts import CAP, PIXEL, Shifts, find_shifts
from calid.errors import UnusableInput
from calid.reconstruction.inplane import InplaneGrid, displaced
from calid.stacks.padding import Padding
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack

ALIGNMENTS = ("auto", "straight", "off")

NOTABLE = 3.0
"""mm. From here on a shift is worth a warning: experts see it."""


@dataclass(frozen=True, eq=False)
class CommonFrame:
    """What was found of the shifts of a stack, and what is to be done about them.

    :param pixels: (slices, 2) the shifts in pixels, down and to the right.
    """

    align: str
    shifts: Shifts
    pixels: np.ndarray
    padding: Padding

    @classmethod
    def of(cls, stack: SliceStack, align: str) -> CommonFrame:
        """Look for shifts, unless ``align`` is ``"off"``.

        :raises UnusableInput: for an unknown alignment.
        """
        if align not in ALIGNMENTS:
            raise UnusableInput(f"align is {align!r}", f"choose one of {', '.join(ALIGNMENTS)} for align")
        padding = Padding.of(stack.voxels)
        shifts = Shifts.none(len(stack.positions)) if align == "off" else _look(stack, padding)
        return cls(align, shifts, shifts.mm / np.array(stack.pixel_spacing), padding)

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the shifts, in sentences; slices are counted from 1."""
        done = "moved in place" if self.align == "straight" else "taken into account between the slices"
        found = [
            f"slice {k + 1} is shifted by {mm:.1f} mm in its plane: {done}"
            for k, mm in enumerate(self.shifts.lengths)
            if mm >= NOTABLE
        ]
        unsettled = [f"slice {k + 1} may be shifted, but not certainly: left alone" for k in self.shifts.unsettled]
        capped = [f"slice {k + 1} seems to be shifted by more than {CAP:g} mm: left alone" for k in self.shifts.capped]
        return found + unsettled + capped

    @property
    def facts(self) -> dict[str, Any]:
        """For the provenance; shifts in mm, down the rows and along the columns."""
        return {"align": self.align, "shifts_mm": self.shifts.mm.round(2).tolist()}

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
        share = np.stack([np.interp(plan.positions, plan.positions[plan.known], axis) for axis in self.pixels.T], 1)
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


def _sources(count: int, pixels: float) -> np.ndarray:
    """Which of ``count`` pixels each is when they are moved by ``pixels``."""
    return np.clip(np.arange(count) - round(pixels), 0, count - 1)


def _look(stack: SliceStack, padding: Padding) -> Shifts:
    grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, PIXEL, 2)
    pictures = grid.to_model(padding.filled(stack.voxels))
    return find_shifts(pictures - pictures.min(), stack.positions)
