"""All shifts of a stack at once, from how far each slice is off the middle of its two neighbours.

Anatomy drifts from slice to slice, so what is observed is a second difference, in which a steady drift cancels; what
is left of the anatomy is its curvature, which is noise here. A second difference says nothing of a constant or a ramp.
The prior does: most slices are nearly in place, and those that are not are single ones (a breath-hold each) or blocks
(a breath-hold for several). Both are heavy-tailed, so a small misfit is taken for anatomy and a large one for a shift.

The most probable shifts are found by reweighted least squares. There are several local optima, so it is started from
several sides, and the most probable end is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

SPIKE, SPIKE_TAIL = 0.8, 3.0
"""mm and degrees of freedom of Student's t: of the shift of a single slice. As published for real stacks."""

JUMP, JUMP_TAIL = 0.7, 1.0
"""The same of the step between two blocks: most often none at all."""

NOISE_TAIL = 20.0
BEND = 0.5
"""mm, standard deviation of the curvature that all slices share: the heart's axis is an arc."""

BREATH, DRIFT = 5.0, 3.0
"""mm, standard deviations of what all crossings share, and of how far it drifts from one end to the other: a long axis
of another breath-hold is cut beside its place, and anatomy drifts there.
"""

COMMON = np.array([BEND, BREATH, DRIFT])
"""Of the unknowns that are of no single slice."""

CROSSED_TAIL = 3.0
"""Of a crossing: flow, and a heart that beat otherwise, may deceive it by millimetres."""

STARTS = ((1.0, 1.0), (4.0, 1.0), (1.0, 6.0), (0.6, 0.1))
"""Factors on the scales of spikes and jumps in the first rounds."""

FIRST_ROUNDS, ROUNDS = 4, 25


def second_differences(positions: np.ndarray) -> np.ndarray:
    """(k - 2, k) matrix: each inner slice less the straight line between its neighbours at ``positions`` (k,) mm."""
    inner = np.arange(len(positions) - 2)
    below = (positions[2:] - positions[1:-1]) / (positions[2:] - positions[:-2])
    matrix = np.zeros((len(positions) - 2, len(positions)))
    matrix[inner, inner], matrix[inner, inner + 1], matrix[inner, inner + 2] = -below, 1, below - 1
    return matrix


def solve_jointly(
    positions: np.ndarray,
    observed: np.ndarray,
    noise: np.ndarray,
    crossed: np.ndarray | None = None,
    crossed_noise: float = 1.0,
) -> np.ndarray:
    """The shifts (k, 2) in mm of slices at ``positions``; most of them are near 0.

    :param observed: (k - 2, 2) mm, second differences of inner slices.
    :param noise: (k - 2,) mm, their standard deviations.
    :param crossed: (k, 2) mm, the shifts as long axes see them, but for what all share; not a number where none does.
    :param crossed_noise: mm, their standard deviation.
    """
    model = _Model.of(second_differences(positions), observed, noise)
    if crossed is not None:
        model = model.with_crossed(positions, crossed, crossed_noise)
    ends = [model.descend(*start) for start in STARTS]
    shifts = model.shape @ min(ends, key=model.cost)[: -len(COMMON)]
    return shifts - _middle(shifts)


@dataclass(frozen=True)
class _Model:
    """Unknown are a spike of each slice, a jump of each pair, the bend, and what crossings share: (2 k + 2, 2)."""

    shape: np.ndarray
    matrix: np.ndarray
    observed: np.ndarray
    noise: np.ndarray
    noise_tail: np.ndarray
    scale: np.ndarray
    tail: np.ndarray

    @classmethod
    def of(cls, differences: np.ndarray, observed: np.ndarray, noise: np.ndarray) -> _Model:
        inner, k = differences.shape
        shape = np.hstack([np.eye(k), np.tril(np.ones((k, k)))[:, 1:]])
        matrix = np.hstack([differences @ shape, np.ones((inner, 1)), np.zeros((inner, 2))])
        scale, tail = (np.repeat([a, b], [k, k - 1]) for a, b in ((SPIKE, JUMP), (SPIKE_TAIL, JUMP_TAIL)))
        return cls(shape, matrix, observed, noise, np.full(inner, NOISE_TAIL), scale, tail)

    def with_crossed(self, positions: np.ndarray, crossed: np.ndarray, noise: float) -> _Model:
        """The model that has seen, too, where long axes cross the slices."""
        seen = np.isfinite(crossed).all(axis=1)
        count = int(seen.sum())
        along = (positions - positions.mean()) / np.ptp(positions)
        rows = np.column_stack([self.shape[seen], np.zeros(count), np.ones(count), along[seen]])
        return replace(
            self,
            matrix=np.vstack([self.matrix, rows]),
            observed=np.vstack([self.observed, crossed[seen]]),
            noise=np.append(self.noise, np.full(count, noise)),
            noise_tail=np.append(self.noise_tail, np.full(count, CROSSED_TAIL)),
        )

    def descend(self, spikes: float, jumps: float) -> np.ndarray:
        k = len(self.shape)
        unknown, eased = np.zeros((2 * k - 1 + len(COMMON), 2)), self.scale * np.repeat([spikes, jumps], [k, k - 1])
        for turn in range(ROUNDS):
            early = turn < FIRST_ROUNDS
            misfit = 0 if early else self._misfit(unknown)
            trust = (self.noise_tail + 2) / (self.noise_tail + misfit) / self.noise**2
            spread = self.tail * (eased if early else self.scale) ** 2
            hold = (self.tail + 2) / (spread + (unknown[: -len(COMMON)] ** 2).sum(axis=1))
            normal = self.matrix.T * trust @ self.matrix + np.diag(np.append(hold, COMMON**-2))
            unknown = np.linalg.solve(normal, self.matrix.T @ (trust[:, None] * self.observed))
        return unknown

    def cost(self, unknown: np.ndarray) -> float:
        """Minus the logarithm of the probability, but for a constant."""
        noise = (self.noise_tail + 2) / 2 * np.log1p(self._misfit(unknown) / self.noise_tail)
        size = (unknown[: -len(COMMON)] ** 2).sum(axis=1)
        common = ((unknown[-len(COMMON) :] / COMMON[:, None]) ** 2).sum()
        prior = (self.tail + 2) / 2 * np.log1p(size / (self.tail * self.scale**2))
        return float(noise.sum() + prior.sum() + common / 2)

    def _misfit(self, unknown: np.ndarray) -> np.ndarray:
        return ((self.observed - self.matrix @ unknown) ** 2).sum(axis=1) / self.noise**2


def _middle(shifts: np.ndarray) -> np.ndarray:
    """The geometric median of (k, 2): where most slices are, whatever a few do."""
    middle = np.median(shifts, axis=0)
    for _ in range(30):
        weight = 1 / np.maximum(np.linalg.norm(shifts - middle, axis=1), 0.1)
        middle = (weight[:, None] * shifts).sum(axis=0) / weight.sum()
    return middle
