"""Thin slices between acquired ones: one call of the network for each gap, whatever the number of slices in it.

What the network adds to linear interpolation is what travels between the scanner's pixels and the model's; the
acquired slices themselves are interpolated on their own pixels, so resampling costs them nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from calid.model.gap import NEIGHBOURS, GapNeighbours, GapNet
from calid.model.knots import thin_weights
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.reconstruction.parallel import Tick, run_all
from calid.reconstruction.slab import Slabs
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import choose_thickness

PIXEL_MM = 1.25
"""Of the dense hearts that the network has learned from."""


@dataclass(frozen=True)
class GapFill:
    """The network of a gap as a method to fill stacks.

    :param thickness: mm that an acquired slice averages over; ``None`` takes what :func:`choose_thickness` does.
    :param symmetric: also read the reversed stack, and take the mean: then reversing a stack reverses the result.
    :param consistent: let the result explain the acquired slices, see :class:`~calid.reconstruction.slab.Slabs`.
    :param keep: the acquired slices as they are; otherwise thin ones in their place.
    """

    net: GapNet
    thickness: float | None = None
    symmetric: bool = True
    consistent: bool = False
    keep: bool = True

    def __call__(self, stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, None]:
        """Dense voxels, float32 (phases, dense slices, rows, columns), in the input's units."""
        scale, thickness = IntensityScale.of(stack.voxels), choose_thickness(stack, self.thickness).mm
        grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, PIXEL_MM, self.net.multiple)
        slabs = Slabs.of(stack, plan, thickness) if self.consistent else None
        lines = _linear_weights(stack.positions, plan.positions)
        dense = np.empty((len(stack.voxels), len(plan.positions), *stack.voxels.shape[2:]), np.float32)
        for phase, voxels in enumerate(stack.voxels):
            slices = scale.normalise(voxels)
            added = self.beyond_linear(grid.to_model(slices), stack.positions, plan, thickness)
            made = scale.restore(np.tensordot(lines, slices, 1) + grid.from_model(added))
            dense[phase] = made if slabs is None else slabs.consistent(made, voxels)
            if self.keep:
                dense[phase, plan.known] = voxels
        return dense, None

    def beyond_linear(
        self, slices: np.ndarray, positions: np.ndarray, plan: DensePlan, thickness: float, on_gap: Tick = lambda: None
    ) -> np.ndarray:
        """(dense slices, rows, columns) what is added to linear interpolation, network units, model grid.

        At an acquired position the two gaps that meet there are asked, and the mean is taken.

        :param slices: (k, rows, columns) acquired ones, network units, model grid.
        :param on_gap: called after each gap.
        """
        device = next(self.net.parameters()).device
        known = plan.known

        def fill(below: int, tick: Tick) -> np.ndarray:
            near = surroundings(slices, positions, below, thickness).to(device)
            added = self.net.beyond_linear(near).float()
            if self.symmetric:
                added = (added + self.net.beyond_linear(near.reversed()).float().flip(1)) / 2
            tick()
            here = plan.positions[known[below] : known[below + 1] + 1]
            weights = torch.from_numpy(thin_weights((here - here[0]) / (here[-1] - here[0])))
            return torch.tensordot(weights.to(device), added[0], 1).cpu().numpy()

        whole = np.zeros((len(plan.positions), *slices.shape[1:]), np.float32)
        for below, made in enumerate(run_all(fill, range(len(slices) - 1), device, on_gap)):
            whole[known[below] : known[below + 1] + 1] += made
        whole[known[1:-1]] /= 2
        return whole


def surroundings(slices: np.ndarray, positions: np.ndarray, below: int, thickness: float) -> GapNeighbours:
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
    rows = (pictures[None], present[None], offset[None], np.array([gap]), np.array([thickness]))
    return GapNeighbours(*(torch.from_numpy(row.astype(np.float32)) for row in rows))


def _linear_weights(acquired: np.ndarray, dense: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(dense, acquired, unit) for unit in np.eye(len(acquired))], axis=1).astype(np.float32)
