"""The held-out-slice protocol, version 1: the one way the quality of synthesised slices is reported.

Every other slice of a stack is taken away, a method puts it back, and only those slices are scored, where there is
heart. The method gets a stack that never held the missing slices: not their voxels, not their intensity range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from calid.errors import UnusableInput
from calid.evaluation.metrics import Region
from calid.stacks.plan import DensePlan, plan_slices
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import choose_thickness

MARGIN = 8  # pixels around the labels of a slice
PRIMARY_BELOW = 6.0  # mm between the slices of a stack of the primary set


@dataclass(frozen=True, eq=False)
class Case:
    """One phase of one patient: a one-phase stack and its labels (slices, rows, columns), 0 where there is no heart.

    :param every: 2 is the protocol; 4 hides three slices in a row, which tells fill orders apart.
    """

    patient: str
    phase: str
    stack: SliceStack
    labels: np.ndarray
    every: int = 2

    @property
    def distance(self) -> float:
        """Largest distance between two slices in mm."""
        return float(np.max(self.stack.gaps))

    @property
    def subset(self) -> str:
        """``"primary"`` (5 mm stacks, 10 -> 5) or ``"stress"`` (the others, 20 -> 10)."""
        return "primary" if self.distance < PRIMARY_BELOW else "stress"

    @cached_property
    def intensity(self) -> float:
        """What counts as 1: the 99.5th percentile of the original volume. For scoring only."""
        return float(np.percentile(self.stack.voxels, 99.5))

    def scaled(self, voxels: np.ndarray) -> np.ndarray:
        """Scanner intensities to 0..1, clipped, float32."""
        return np.clip(np.asarray(voxels, dtype=np.float32) / self.intensity, 0, 1)

    @property
    def kept(self) -> range:
        """The slices a method may see: 0, 2, 4 ...; what lies beyond the last of them is dropped."""
        return range(0, len(self.labels), self.every)

    @property
    def scored(self) -> list[int]:
        """The slices between kept ones that hold heart."""
        return [k for k in range(self.kept[-1]) if k % self.every and self.labels[k].any()]

    def sparse(self) -> SliceStack:
        """The kept slices as a stack of their own that shares no memory with the original.

        They are as thick as they were among all the others: not thicker than those are apart.
        """
        kept, thickness = list(self.kept), choose_thickness(self.stack).mm
        voxels, positions = self.stack.voxels[:, kept], self.stack.positions[kept]
        return replace(self.stack, voxels=voxels, positions=positions, thickness=thickness)

    def plan(self, sparse: SliceStack) -> DensePlan:
        """The plan that puts a slice at each original position; raises where there is none."""
        plan = plan_slices(sparse.positions, self.distance)
        wanted = self.stack.positions[: self.kept[-1] + 1]
        if len(plan.positions) != len(wanted) or not np.allclose(plan.positions, wanted, atol=1e-3):
            raise UnusableInput(
                f"{self.patient} {self.phase}: the hidden slices are not at equal steps between the kept ones "
                f"(gaps in mm: {np.round(self.stack.gaps, 2).tolist()})",
                "leave this stack out of the evaluation",
            )
        return plan

    def region(self, k: int) -> Region:
        """Bounding box of the labels of slice ``k`` with a margin of 8 pixels, cut at the border of the image."""
        rows, columns = (np.flatnonzero(self.labels[k].any(axis=axis)) for axis in (1, 0))
        height, width = self.labels[k].shape
        return _box_side(rows, height), _box_side(columns, width)

    @cached_property
    def middle_row(self) -> int:
        """The row of all slices that a long-axis cut through the middle of the heart runs along."""
        return round(float(np.flatnonzero(self.labels.any(axis=(0, 2))).mean()))

    def depth(self, k: int) -> float:
        """Where slice ``k`` is along the heart axis: 0 at the most basal slice with heart, 1 at the most apical.

        The base is the end with the larger labelled area, whatever the order in which the slices are stored.
        """
        area = np.count_nonzero(self.labels, axis=(1, 2))
        heart = np.flatnonzero(area)
        if len(heart) < 2:
            return 0.5
        middle = (heart[0] + heart[-1]) / 2
        towards_last = float(np.average(heart, weights=area[heart])) > middle
        fraction = float((k - heart[0]) / (heart[-1] - heart[0]))
        return 1 - fraction if towards_last else fraction


def _box_side(occupied: np.ndarray, size: int) -> slice:
    return slice(max(0, int(occupied[0]) - MARGIN), min(size, int(occupied[-1]) + MARGIN + 1))
