"""The mean of what lies between acquired slices: one call of the network for each gap, whatever the number of slices.

A dense slice is the mean of the heart over one step of the dense grid, as an acquired one is over its thickness. What
the network adds to linear interpolation is what travels between the scanner's pixels and the model's; the acquired
slices themselves are interpolated on their own pixels, so resampling costs them nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from calid.model.gap import GapNeighbours, GapNet
from calid.model.knots import between_weights, slab_weights
from calid.reconstruction.parallel import Tick, run_all
from calid.stacks.plan import DensePlan


class Mean(NamedTuple):
    """Of all dense slices of a phase, on the model grid, network units.

    :param added: (dense slices, rows, columns) what the network adds to linear interpolation.
    :param deviation: (dense slices, rows, columns) standard deviation of the real slice around the mean, or ``None``.
    """

    added: np.ndarray
    deviation: np.ndarray | None


class GapMeans:
    """All gaps of one stack: what the network is told of them, and how dense slices follow from what it says.

    :param positions: (k,) mm of the acquired slices.
    :param thickness: mm that an acquired slice averages over.
    """

    def __init__(self, net: GapNet, positions: np.ndarray, plan: DensePlan, thickness: float) -> None:
        self.net, self.positions, self.plan, self.thickness = net, positions, plan, thickness
        self.lines = linear_weights(positions, plan.positions)
        self.blends = [self._blend(below) for below in range(len(positions) - 1)]

    def find(self, slices: np.ndarray, deviation: bool = False, on_gap: Tick = lambda: None) -> Mean:
        """At an acquired position the two gaps that meet there are asked, and the mean is taken.

        Each gap is read in both directions, so that reversing a stack reverses the result.

        :param slices: (k, rows, columns) acquired ones, network units, model grid.
        :param on_gap: called after each gap.
        """
        device = next(self.net.parameters()).device
        given = torch.from_numpy(slices).to(device)

        def fill(below: int, tick: Tick) -> Mean:
            near = GapNeighbours.around(given, self.positions, range(below - 2, below + 4), self.thickness)
            added, doubt = self._read(near, deviation)
            tick()
            means, between = self.blends[below]
            spread = None if doubt is None else _blended(between, doubt)
            return Mean(_blended(means, added), spread)

        gaps = run_all(fill, range(len(slices) - 1), device, on_gap)
        added = self._joined([gap.added for gap in gaps])
        if not deviation:
            return Mean(added, None)
        # The logarithm is what is blended; that of a Laplace distribution is sqrt(2) times its expected absolute error.
        return Mean(added, math.sqrt(2) * np.exp(self._joined([gap.deviation for gap in gaps])))  # type: ignore[misc]

    def _read(self, near: GapNeighbours, deviation: bool) -> tuple[Tensor, Tensor | None]:
        """(9, rows, columns) at the knots of a gap: what is added, and the logarithm of the expected error."""
        views = (near, near.reversed())
        if not deviation:
            first, second = (self.net.beyond_linear(view).float()[0] for view in views)
            return (first + second.flip(0)) / 2, None
        (first, doubt), (second, other) = ([a.float()[0] for a in self.net.with_deviation(view)] for view in views)
        return (first + second.flip(0)) / 2, (doubt + other.flip(0)) / 2

    def _blend(self, below: int) -> tuple[Tensor, Tensor]:
        """(slices, 9) from the knots to a gap's dense slices, bounding ones included: means, and values between."""
        known = self.plan.known
        here = self.plan.positions[known[below] : known[below + 1] + 1]
        gap = here[-1] - here[0]
        fractions = (here - here[0]) / gap
        width = min(float(np.diff(here).max()), self.thickness) / gap
        return torch.from_numpy(slab_weights(fractions, width)), torch.from_numpy(between_weights(fractions))

    def _joined(self, gaps: list[np.ndarray]) -> np.ndarray:
        known = self.plan.known
        whole = np.zeros((len(self.plan.positions), *gaps[0].shape[1:]), np.float32)
        for below, made in enumerate(gaps):
            whole[known[below] : known[below + 1] + 1] += made
        whole[known[1:-1]] /= 2
        return whole


def _blended(weights: Tensor, knots: Tensor) -> np.ndarray:
    with torch.autocast(knots.device.type, enabled=False):  # large weights of both signs cancel each other
        return torch.tensordot(weights.to(knots), knots, 1).cpu().numpy()


def linear_weights(acquired: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """(dense, acquired) weights of linear interpolation, float32; positions in mm."""
    return np.stack([np.interp(dense, acquired, unit) for unit in np.eye(len(acquired))], axis=1).astype(np.float32)
