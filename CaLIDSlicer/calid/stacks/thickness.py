"""How thick the acquired slices are, mm: said by the user, by the file, or assumed."""

from __future__ import annotations

from dataclasses import dataclass

from calid.errors import UnusableInput
from calid.stacks.stack import SliceStack

USUAL = 8.0
"""mm: of a short-axis slice where nothing says it, as is usual (6 to 10); a true thickness 2 mm off costs little."""

LARGEST_OVERLAP = 3.0
"""Slices thicker than this many gaps were never acquired: the number is that of something else."""


@dataclass(frozen=True)
class Thickness:
    """mm that every acquired slice averages over, and who says so: ``"asked"``, ``"file"`` or ``"assumed"``."""

    mm: float
    source: str


def choose_thickness(stack: SliceStack, asked: float | None = None) -> Thickness:
    """What was asked for, else what the file says, else the smaller of :data:`USUAL` and the smallest gap.

    :param asked: mm, of :class:`calid.options.Options`.
    :raises UnusableInput: for a thickness that is not positive, or larger than 3 times the smallest gap.
    """
    gap = float(stack.gaps.min())
    if asked is None and stack.thickness is None:
        return Thickness(min(USUAL, gap), "assumed")
    mm, source = (asked, "asked") if asked is not None else (stack.thickness, "file")
    if mm is None or not 0 < mm <= LARGEST_OVERLAP * gap:
        raise UnusableInput(
            f"slices {mm:g} mm thick are not possible where the smallest gap is {gap:.4g} mm",
            f"give a thickness above 0 and up to {LARGEST_OVERLAP * gap:.4g} mm",
        )
    return Thickness(float(mm), source)
