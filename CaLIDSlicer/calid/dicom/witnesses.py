"""What the long axes of a study say of a result: cut along their planes, it is held against what was acquired there.

A long axis is another breath-hold of the same heart, so where the diaphragm stood otherwise nothing can agree with it
in full. What tells is how linear interpolation of the same stack agrees ("before") beside the result ("after").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calid.dicom.long_axis import LongAxis
from calid.stacks.agreement import correlation, gradient_correlation
from calid.stacks.heart import HEART_MM, around_heart
from calid.stacks.section import Section
from calid.stacks.stack import SliceStack

_FEWEST_PIXELS = 400
"""Of a long axis that are within the stack and near the heart; fewer are a corner of it, and say nothing."""
_FEWEST_ROWS = 3
"""And columns: a gradient needs them."""


@dataclass(frozen=True)
class Agreement:
    """How well cuts agree with a long axis, each the mean over the phases; 1 at best.

    :param correlation: normalised cross-correlation.
    :param gradient_correlation: the same of the magnitude of the gradients: of the edges.
    """

    correlation: float
    gradient_correlation: float

    @classmethod
    def of(cls, cuts: np.ndarray, acquired: np.ndarray, region: np.ndarray) -> Agreement:
        """Of (phases, rows, columns) images, over a region (rows, columns)."""
        pairs = list(zip(cuts, acquired, strict=True))
        return cls(
            float(np.mean([correlation(*pair, region) for pair in pairs])),
            float(np.mean([gradient_correlation(*pair, region) for pair in pairs])),
        )


@dataclass(frozen=True, eq=False)
class Witness:
    """A long axis around the heart, and what the stack shows on its plane.

    :param long_axis: that it is of.
    :param acquired: (phases, rows, columns), as ``before`` and ``after``, which are not a number outside of the stack.
    :param before: of linear interpolation between the acquired slices.
    :param after: of the result.
    :param region: (rows, columns) bool, what counts.
    :param spacing: mm between rows and between columns.
    """

    long_axis: LongAxis
    acquired: np.ndarray
    before: np.ndarray
    after: np.ndarray
    region: np.ndarray
    spacing: tuple[float, float]

    @property
    def agreements(self) -> tuple[Agreement, Agreement]:
        """Before and after."""
        before, after = (Agreement.of(cuts, self.acquired, self.region) for cuts in (self.before, self.after))
        return before, after


class Witnesses:
    """The long axes that meet the heart of a stack, while its result comes phase by phase.

    :param stack: sparse, all phases.
    :param long_axes: in step with it.
    :param positions: mm of the slices of the result.
    """

    def __init__(self, stack: SliceStack, long_axes: Sequence[LongAxis], positions: np.ndarray) -> None:
        self._stack, self._positions = stack, positions
        heart = around_heart(stack, HEART_MM)
        views = [_View(stack, one, heart) for one in long_axes]
        self._views = [view for view in views if view.is_enough]

    def __len__(self) -> int:
        return len(self._views)

    def add(self, phase: int, dense: np.ndarray) -> None:
        """Cut a phase of the result, (slices, rows, columns).

        :param phase: of the stack, from 0.
        """
        for view in self._views:
            before = view.section.sample(self._stack.voxels[phase], self._stack.positions)
            view.cuts[phase] = before, view.section.sample(dense, self._positions)

    def heard(self) -> list[Witness]:
        """All of them, in the phases that came."""
        return [view.witness() for view in self._views]


class _View:
    """One long axis, cut to the rectangle around what counts of it."""

    def __init__(self, stack: SliceStack, one: LongAxis, heart: tuple[slice, slice]) -> None:
        middle = Section.of(stack, one.plane.affine, one.plane.shape)
        region = middle.inside & middle.within(*heart)
        rows, columns = self._box = _extent(region.any(axis=1)), _extent(region.any(axis=0))
        corner = np.eye(4)
        corner[:2, 3] = columns.start, rows.start
        region = region[self._box]
        self.one, self.section = one, Section.of(stack, one.plane.affine @ corner, region.shape, one.thickness)
        self.region = region & self.section.inside
        self.cuts: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def is_enough(self) -> bool:
        """Whether it is worth to be heard."""
        return self.region.sum() >= _FEWEST_PIXELS and min(self.region.shape) >= _FEWEST_ROWS

    def witness(self) -> Witness:
        phases = sorted(self.cuts)
        before, after = (np.stack([self.cuts[phase][n] for phase in phases]) for n in (0, 1))
        rows, columns = self._box
        acquired = self.one.voxels[phases, rows, columns].astype(np.float32)
        return Witness(self.one, acquired, before, after, self.region, self.one.plane.spacing)


def _extent(used: np.ndarray) -> slice:
    """From the first to the last that is true."""
    found = np.flatnonzero(used)
    return slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0)
