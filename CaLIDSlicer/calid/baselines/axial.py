"""Two baselines that know how slices are acquired, and nothing of hearts.

The least-squares filter along the axis weighs the four slices nearest to a position, whatever is in them, so that thick
slices give the thin one between them with the least error to be expected (ordinary kriging: Matheron, 1963). What to
expect is one function, how unlike two points of a heart are that lie d mm apart along the axis.

``consistent=1`` makes the result of any interpolator explain the acquired slices; see
:mod:`calid.reconstruction.slab`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from calid.reconstruction.slab import Slabs, slab_operator
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import choose_thickness

LENGTH, SMOOTH = 28.8, 0.86
"""mm, of :func:`unlikeness`. Fitted to lags of up to 20 mm of the eight whole training hearts of MSD Task02 (005 007
010 011 017 020 022 029), largest deviation 0.4 % of the variance; 003 and 024 not among them."""

TAPS = 4
_FINE = 0.5
"""mm: step of the grid that slabs are averaged on."""

Method = Callable[[SliceStack, DensePlan], tuple[np.ndarray, "np.ndarray | None"]]


def unlikeness(distance: np.ndarray) -> np.ndarray:
    """Variogram: half the mean squared difference of two points that far apart along the axis, mm; a model of it."""
    return 1 - np.exp(-(np.hypot(distance, SMOOTH) - SMOOTH) / LENGTH)


def filter_weights(knots: np.ndarray, at: np.ndarray, thickness: float) -> np.ndarray:
    """(at, knots) weights of slices of ``thickness`` mm for thin ones, at most :data:`TAPS` of them not 0."""
    margin = thickness / 2
    grid = np.arange(knots[0] - margin, knots[-1] + margin + _FINE, _FINE)
    slabs = slab_operator(grid, knots, thickness)
    between = slabs @ unlikeness(grid[:, None] - grid) @ slabs.T
    towards = slabs @ unlikeness(grid[:, None] - at)
    weights = np.zeros((len(at), len(knots)))
    for n, position in enumerate(at):
        near = np.sort(np.argsort(np.abs(knots - position), kind="stable")[:TAPS])
        weights[n, near] = _kriging(between[np.ix_(near, near)], towards[near, n])
    return weights


def _kriging(between: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Weights with a sum of 1 and the least expected error, from variograms among the slices and to the position."""
    count = len(towards)
    system = np.ones((count + 1, count + 1))
    system[:count, :count], system[count, count] = between, 0
    return np.linalg.solve(system, np.append(towards, 1))[:count]


def filter_along_axis(stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, None]:
    """Dense voxels, float32 (phases, dense slices, rows, columns); acquired slices as they are."""
    weights = filter_weights(stack.positions, plan.positions, choose_thickness(stack).mm)
    weights[plan.known] = np.eye(len(stack.positions))
    voxels = stack.voxels.astype(np.float32)
    return np.einsum("dk,tkji->tdji", weights.astype(np.float32), voxels, optimize=True), None


def made_consistent(method: Method) -> Method:
    """The method, and after it one solve along the axis; acquired slices as they are."""

    def consistent(stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, np.ndarray | None]:
        dense, uncertainty = method(stack, plan)
        slabs = Slabs.of(stack, plan, choose_thickness(stack).mm)
        made = np.stack([slabs.consistent(*phase) for phase in zip(dense, stack.voxels, strict=True)])
        made[:, plan.known] = stack.voxels
        return made, uncertainty

    return consistent
