"""Thin slices between acquired ones: one call of the network for each gap, whatever the number of slices in it.

What the network adds to linear interpolation is what travels between the scanner's pixels and the model's; the
acquired slices themselves are interpolated on their own pixels, so resampling costs them nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from calid.model.gap import NEIGHBOURS, GapNeighbours, GapNet
from calid.model.knots import thin_weights
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.reconstruction.parallel import Tick, run_all
from calid.stacks.plan import DensePlan, Target
from calid.stacks.stack import SliceStack

PIXEL_MM = 1.25
"""Of the dense hearts that the network has learned from."""

LARGEST_THICKNESS_MM = 8.0
"""What is assumed where a file does not say how thick its slices are, and the gap is not smaller still."""


@dataclass(frozen=True)
class GapFill:
    """The network of a gap as a method to fill stacks.

    :param thickness: mm that an acquired slice averages over; ``None`` assumes the gap, at most 8 mm.
    :param symmetric: also read the reversed stack, and take the mean: then reversing a stack reverses the result.
    """

    net: GapNet
    thickness: float | None = None
    symmetric: bool = True

    def __call__(self, stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, None]:
        """Dense voxels, float32 (phases, dense slices, rows, columns), in the input's units; acquired ones as given."""
        scale = IntensityScale.of(stack.voxels)
        grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, PIXEL_MM, self.net.multiple)
        acquired = [index for index, source in enumerate(plan.acquired) if source is not None]
        missing = [target.index for target in plan.targets]
        dense = np.empty((len(stack.voxels), len(plan.positions), *stack.voxels.shape[2:]), np.float32)
        for phase, voxels in enumerate(stack.voxels):
            slices = scale.normalise(voxels)
            added = self._beyond_linear(grid.to_model(slices), stack.positions, plan, lambda: None)
            dense[phase, acquired] = voxels
            dense[phase, missing] = scale.restore(_linear(slices, plan.targets) + grid.from_model(added))
        return dense, None

    def _beyond_linear(self, slices: np.ndarray, positions: np.ndarray, plan: DensePlan, on_step: Tick) -> np.ndarray:
        """(targets, rows, columns) what is added to linear interpolation, on the model grid."""
        device = next(self.net.parameters()).device
        by_gap = [[t for t in plan.targets if t.below == below] for below in range(len(slices) - 1)]
        by_gap = [targets for targets in by_gap if targets]

        def fill(targets: list[Target], tick: Tick) -> Tensor:
            near = surroundings(slices, positions, targets[0].below, self.thickness).to(device)
            added = self.net.beyond_linear(near).float()
            if self.symmetric:
                added = (added + self.net.beyond_linear(near.reversed()).float().flip(1)) / 2
            tick()
            weights = torch.from_numpy(thin_weights([t.fraction for t in targets])).to(device)
            return torch.einsum("fk,khw->fhw", weights, added[0]).cpu()

        return torch.cat(run_all(fill, by_gap, device, on_step)).numpy()


def surroundings(slices: np.ndarray, positions: np.ndarray, below: int, thickness: float | None) -> GapNeighbours:
    """What the network is told of the gap above slice ``below``; n = 1.

    :param slices: (k, rows, columns) network units, on the model grid.
    :param positions: (k,) mm.
    """
    wanted = np.arange(below - NEIGHBOURS // 2 + 1, below + NEIGHBOURS // 2 + 1)
    present = (wanted >= 0) & (wanted < len(slices))
    nearest = wanted.clip(0, len(slices) - 1)
    gap = float(positions[below + 1] - positions[below])
    offset = np.where(present, (positions[nearest] - positions[below]) / gap, wanted - below)
    pictures = slices[nearest] * present[:, None, None]
    thick = min(gap, LARGEST_THICKNESS_MM) if thickness is None else thickness
    rows = (pictures[None], present[None], offset[None], np.array([gap]), np.array([thick]))
    return GapNeighbours(*(torch.from_numpy(row.astype(np.float32)) for row in rows))


def _linear(slices: np.ndarray, targets: list[Target]) -> np.ndarray:
    share = np.array([t.fraction for t in targets], np.float32)[:, None, None]
    return (1 - share) * slices[[t.below for t in targets]] + share * slices[[t.above for t in targets]]
