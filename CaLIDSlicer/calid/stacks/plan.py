"""Which slices to synthesise, and where: from the positions of the acquired slices to those of the dense stack.

The requested spacing is a ceiling: gap g is split into ceil(g / spacing) equal steps, so that every acquired slice
lies exactly on the dense grid. Each gap is planned by its own length. A gap that is longer than a multiple of the
spacing by no more than ``POSITION_TOLERANCE_MM`` is that multiple: 8.01 mm is four steps of a requested 2 mm, for
headers round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calid.errors import UnusableInput
from calid.stacks.stack import POSITION_TOLERANCE_MM, common_step, is_uniform

LARGEST_STACK = 2_000
"""More dense slices than this mean a mistyped spacing; they would only exhaust the memory."""

SMALLEST_SPACING = 0.25
"""mm. No slice that is thinner than this is known to anybody, least of all to the model."""


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

    def for_choice(self, acquired: str) -> DensePlan:
        """Which slices of the result are acquired ones: none if they are to be ``"thin"``, as in ``Options``."""
        return replace(self, acquired=[None] * len(self.positions)) if acquired == "thin" else self

    @property
    def known(self) -> list[int]:
        """The dense slices that were acquired, in order."""
        return [index for index, source in enumerate(self.acquired) if source is not None]


def slice_indices(slices: int, numbers: Sequence[int]) -> list[int]:
    """Which of some acquired slices are meant by ``numbers`` counted from 1, as people count.

    :raises UnusableInput: for a number that no slice has.
    """
    for number in numbers:
        if not 1 <= number <= slices:
            raise UnusableInput(f"there is no slice {number} to be left in place", f"choose slices from 1 to {slices}")
    return [number - 1 for number in numbers]


def plan_slices(positions: Sequence[float] | np.ndarray, spacing: float) -> DensePlan:
    """Plan the dense stack of slices acquired at ``positions`` (mm, increasing), at most ``spacing`` mm apart.

    :raises UnusableInput: if the spacing is below 0.25 mm, leaves nothing to do, or asks for more than 2,000 slices.
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


def check_one_spacing(plan: DensePlan, positions: np.ndarray, spacing: float) -> None:
    """Refuse what no volume file holds: unequal gaps are planned each by its own length, but a file has one spacing.

    :param positions: of the acquired slices, mm.
    :param spacing: that was asked for, mm.
    :raises UnusableInput: with the spacing that would do, if there is one.
    """
    if is_uniform(plan.positions):
        return
    steps, common = np.diff(plan.positions), common_step(positions, largest=spacing)
    raise UnusableInput(
        f"a volume file has one spacing, but the gaps split into steps of {steps.min():.4g} to {steps.max():.4g} mm",
        f"use --spacing {common:.6g}" if common else "leave out slices until the gaps are equal",
    )


def _steps_per_gap(gaps: np.ndarray, spacing: float) -> list[int]:
    if not SMALLEST_SPACING <= spacing < np.inf:
        raise UnusableInput(
            f"a spacing of {spacing:g} mm is not possible", f"ask for a spacing of at least {SMALLEST_SPACING:g} mm"
        )
    steps = np.maximum(np.ceil((gaps - POSITION_TOLERANCE_MM) / spacing), 1).astype(int)
    if (slices := int(steps.sum()) + 1) > LARGEST_STACK:
        raise UnusableInput(
            f"a spacing of {spacing:g} mm asks for {slices} slices, more than {LARGEST_STACK}",
            f"ask for a spacing of at least {np.ceil(100 * gaps.sum() / (LARGEST_STACK - steps.size)) / 100:g} mm",
        )
    if (steps == 1).all():
        raise UnusableInput(
            f"nothing to do: a spacing of {spacing:g} mm is asked for, and no gap is larger than {gaps.max():.4g} mm",
            f"ask for a spacing below {gaps.max():.4g} mm",
        )
    return [int(count) for count in steps]
