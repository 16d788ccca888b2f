"""Which slices to synthesise, and where: from the positions of the acquired slices to those of the dense stack.

The requested spacing is a ceiling: gap g is split into ceil(g / spacing) equal steps, so that every acquired slice
lies exactly on the dense grid. Each gap is planned by its own length. A gap that is longer than a multiple of the
spacing by no more than ``POSITION_TOLERANCE_MM`` is that multiple: 8.01 mm is four steps of a requested 2 mm, for
headers round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calid.errors import UnusableInput
from calid.stacks.stack import POSITION_TOLERANCE_MM

LARGEST_STACK = 10_000
"""More dense slices than this mean a mistyped spacing; they would only exhaust the memory."""


@dataclass(frozen=True)
class Target:
    """One slice to synthesise.

    :param index: in the dense stack.
    :param gap: length in mm of the gap it lies in.
    :param below: index of the acquired slice at the start of the gap.
    :param above: index of the acquired slice at its end.
    :param fraction: of the way from ``below`` to ``above``, in (0, 1).
    """

    index: int
    gap: float
    below: int
    above: int
    fraction: float


@dataclass(frozen=True)
class DensePlan:
    """The dense stack before it is filled.

    :param positions: ``(dense slices,)`` in mm along the slice axis, increasing from 0.
    :param acquired: for every dense slice the index of the acquired slice it equals, or ``None``.
    :param targets: the slices to synthesise, in order.
    """

    positions: np.ndarray
    acquired: list[int | None]
    targets: list[Target]

    @property
    def synthesised(self) -> np.ndarray:
        """``(dense slices,)`` bool: true where the slice is synthesised."""
        return np.array([source is None for source in self.acquired])


def plan_slices(positions: Sequence[float] | np.ndarray, spacing: float) -> DensePlan:
    """Plan the dense stack of slices acquired at ``positions`` (mm, increasing), at most ``spacing`` mm apart.

    :raises UnusableInput: if the spacing is not positive, leaves nothing to do, or asks for an absurd number of slices.
    """
    positions = np.asarray(positions, dtype=np.float64)
    steps = _steps_per_gap(np.diff(positions), spacing)
    dense: list[float] = [float(positions[0])]
    acquired: list[int | None] = [0]
    targets: list[Target] = []
    for below, count in enumerate(steps):
        gap = float(positions[below + 1] - positions[below])
        for step in range(1, count):
            targets.append(Target(len(dense), gap, below, below + 1, step / count))
            dense.append(float(positions[below]) + gap * step / count)
            acquired.append(None)
        dense.append(float(positions[below + 1]))
        acquired.append(below + 1)
    return DensePlan(np.array(dense), acquired, targets)


def _steps_per_gap(gaps: np.ndarray, spacing: float) -> list[int]:
    if not np.isfinite(spacing) or spacing <= 0:
        raise UnusableInput(f"a spacing of {spacing:g} mm is not possible", "ask for a spacing above 0 mm")
    if gaps.sum() / spacing > LARGEST_STACK:
        raise UnusableInput(
            f"a spacing of {spacing:g} mm asks for {gaps.sum() / spacing:.0f} slices", "ask for a larger spacing, in mm"
        )
    steps = np.maximum(np.ceil((gaps - POSITION_TOLERANCE_MM) / spacing), 1).astype(int)
    if (steps == 1).all():
        raise UnusableInput(
            f"nothing to do: a spacing of {spacing:g} mm is asked for, and no gap is larger than {gaps.max():.4g} mm",
            f"ask for a spacing below {gaps.max():.4g} mm",
        )
    return [int(count) for count in steps]
