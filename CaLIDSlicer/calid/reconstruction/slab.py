"""Consistency with what was measured: an acquired slice is the mean of the heart over a slab, not a sample of it.

With y the acquired slices, A the operator that averages dense slices over the slabs, and x any dense stack, the nearest
one that explains y is ``x + S A' (A S A' + p I)^-1 (y - A x)``, where S says that a correction is smooth along the axis
(Gaussian), and p how little y is to be trusted (Tikhonov; the posterior mean of a Gaussian process). No pixel of a
slice sees another one, so all of them share one small matrix, (dense slices, acquired slices).

What a dense slice means follows from the grid: the mean over one step, thin where the step is short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calid.reconstruction.misfit import Misfit, without_noise, without_shifts
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack

SMOOTHNESS = 4.0
"""mm, standard deviation of S along the axis. From 3 to 5 mm the result is the same to 0.03 dB."""


@dataclass(frozen=True, eq=False)
class Slabs:
    """The slabs of one stack on its dense grid, and how far to trust them.

    :param operator: A, (acquired, dense), rows that sum to 1.
    :param gain: (dense, acquired), from what the slabs leave unexplained to the correction of the dense slices.
    :param misfit: of the stack; its penalty is p.
    """

    operator: np.ndarray
    gain: np.ndarray
    misfit: Misfit

    @classmethod
    def of(cls, stack: SliceStack, plan: DensePlan, thickness: float) -> Slabs:
        """The slabs of ``thickness`` mm; p follows from noise and shifts of all phases of the stack."""
        positions, shown = _beyond(plan.positions, thickness / 2)
        averaging = slab_operator(positions, stack.positions, thickness)
        operator = averaging @ shown
        misfit = Misfit.of(stack, operator @ _linear(stack.positions, plan.positions))
        smooth = np.exp(-0.5 * ((positions[:, None] - positions) / SMOOTHNESS) ** 2) @ averaging.T
        solved = np.linalg.inv(averaging @ smooth + misfit.penalty * np.eye(len(stack.positions)))
        inside = np.searchsorted(positions, plan.positions)
        return cls(operator.astype(np.float32), (smooth @ solved)[inside].astype(np.float32), misfit)

    def consistent(self, dense: np.ndarray, acquired: np.ndarray) -> np.ndarray:
        """One phase, float32 (dense slices, rows, columns), made consistent with its (acquired slices, rows, columns).

        What noise or a shift of a slice in its plane explains is no news of the heart, and is left out.
        """
        measured = acquired.astype(np.float32)
        unexplained = without_shifts(measured - np.tensordot(self.operator, dense, 1), measured)
        return dense + np.tensordot(self.gain, without_noise(unexplained, self.misfit.noise), 1)


def slab_operator(dense: np.ndarray, acquired: np.ndarray, thickness: float) -> np.ndarray:
    """(acquired, dense) share of each dense slice in a slab of ``thickness`` around each position of ``acquired``, mm.

    A dense slice stands for all that is nearer to it than to its neighbours.
    """
    middles = (dense[1:] + dense[:-1]) / 2
    edges = np.concatenate([[2 * dense[0] - middles[0]], middles, [2 * dense[-1] - middles[-1]]])
    start, end = (acquired - thickness / 2)[:, None], (acquired + thickness / 2)[:, None]
    share = np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], start), 0, None)
    return share / share.sum(axis=1, keepdims=True)


def _beyond(positions: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """The dense grid continued by ``margin`` mm at both ends, as far as the first and the last slab reach.

    :returns: its positions, and what is there: (positions, dense) copies of the first and the last slice.
    """
    first, last = positions[1] - positions[0], positions[-1] - positions[-2]
    before, after = (int(np.ceil(margin / step)) for step in (first, last))
    below = positions[0] - first * np.arange(before, 0, -1)
    above = positions[-1] + last * np.arange(1, after + 1)
    return np.concatenate([below, positions, above]), np.pad(np.eye(len(positions)), ((before, after), (0, 0)), "edge")


def _linear(acquired: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """(dense, acquired) weights of linear interpolation."""
    return np.stack([np.interp(dense, acquired, unit) for unit in np.eye(len(acquired))], axis=1)
