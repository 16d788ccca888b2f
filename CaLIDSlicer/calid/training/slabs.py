"""Dense hearts, acquired as a scanner would: examples of six thick slices and the thin ones between.

A heart that is known at every position is bent, scaled and given other grey levels. Then slices are taken from it:
each the mean over its thickness, shifted as breath-holds shift it, noisy. What is to be found are the thin slices at
the knots of the gap, in the heart's own frame, without noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from calid.model.gap import NEIGHBOURS, GapNeighbours
from calid.model.knots import KNOTS
from calid.training.hearts import LAYER_MM, Layers, knee

MARGIN = 12  # pixels around a crop from which shifted slices take what enters it
EXACT = ((10.0, 8.0), (10.0, 8.0), (7.5, 6.0), (5.0, 5.0))
"""Distance and thickness in mm of usual protocols; the others are drawn."""


def boxcar(count: int, centre: float, width: float) -> np.ndarray:
    """(count,) weight of each layer in a slab of ``width`` layers around ``centre``, fractional ends, sum 1."""
    layers, half = np.arange(count), max(width, 1.0) / 2
    weights = np.minimum(layers + 0.5, centre + half) - np.maximum(layers - 0.5, centre - half)
    weights = np.clip(weights, 0, None)
    return weights / weights.sum()


def at(count: int, position: float) -> np.ndarray:
    """(count,) weights that interpolate between layers (cubic convolution; R. Keys, IEEE TASSP 29(6), 1981)."""
    weights = np.zeros(count)
    low = math.floor(position)
    for tap in range(low - 1, low + 3):
        x = abs(position - tap)
        value = 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
        weights[min(max(tap, 0), count - 1)] += value
    return weights


def _protocol(step: float, count: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """Distance, thickness (mm) and the layer at which the gap begins."""
    draw = rng.random()
    if draw < 0.45:
        distance, thickness = EXACT[rng.integers(len(EXACT))]
        distance, thickness = distance * step / LAYER_MM, thickness * step / LAYER_MM
        return distance, thickness, float(rng.integers(0, max(1, int(count - 1 - distance / step))))
    if draw < 0.55:
        distance, thickness = rng.uniform(13, 20), rng.uniform(6, 10)
    elif draw < 0.7:
        distance = rng.uniform(4.5, 7)
        thickness = distance * rng.uniform(0.8, 1.0)
    else:
        distance = rng.uniform(6.5, 12)
        thickness = min(10.0, distance * rng.uniform(0.6, 1.0))
    return distance, thickness, float(rng.uniform(0, count - 1 - distance / step))


@dataclass(frozen=True)
class Disturbance:
    """What breath-holds and coils do to a stack.

    :param shift: mm, scale of Student's t with three degrees of freedom, along each axis, a slice on its own.
    :param noise: standard deviation, in units of the stack's intensity range.
    """

    shift: float
    noise: float


def disturbance(rng: np.random.Generator) -> Disturbance:
    """None for a third of the stacks; as published for real stacks for the larger part; anything for the rest."""
    draw = rng.random()
    if draw < 0.35:
        return Disturbance(0.0, 0.0)
    if draw < 0.75:
        return Disturbance(0.8, 0.02)
    return Disturbance(0.8 * float(rng.choice([0.0, 0.35, 0.7, 1.4])), float(rng.choice([0.0, rng.uniform(0, 0.04)])))


def shifts(count: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) mm."""
    return np.clip(rng.standard_t(3, (count, 2)) * scale, -12, 12)


def acquire(layers: Layers, crop: int, rng: np.random.Generator) -> tuple[GapNeighbours, Tensor]:
    """One example: the neighbours (n = 1) of a gap and the (9, crop, crop) thin slices in it, network units."""
    voxels, count = layers.voxels, len(layers.voxels)
    distance, thickness, start = _protocol(layers.step, count, rng)
    gaps = np.ones(NEIGHBOURS - 1)
    if rng.random() < 0.1:
        gaps[[0, 1, 3, 4]] = rng.uniform(0.7, 1.4, 4)
    offset = np.concatenate([[0], np.cumsum(gaps)])
    offset -= offset[2]
    positions = start + offset * distance / layers.step
    present = (positions > -0.5) & (positions < count - 0.5)
    if rng.random() < 0.15:
        cut = rng.integers(0, 3)
        present[:cut] = False
    width = thickness / layers.step
    rows = [boxcar(count, p, width) if ok else np.zeros(count) for p, ok in zip(positions, present, strict=True)]
    rows += [at(count, start + f * distance / layers.step) for f in np.linspace(0, 1, KNOTS)]
    mixed = torch.tensordot(torch.tensor(np.array(rows), dtype=torch.float32), voxels, 1)
    how = disturbance(rng)
    slices = _moved(mixed[:NEIGHBOURS], shifts(NEIGHBOURS, how.shift, rng) / LAYER_MM, crop)
    slices = knee(_noisy(slices, how.noise, rng))
    truth = knee(mixed[NEIGHBOURS:, MARGIN : MARGIN + crop, MARGIN : MARGIN + crop].clamp_min(0))
    shown = torch.tensor(present, dtype=torch.float32)
    neighbours = GapNeighbours(
        (slices * shown[:, None, None])[None],
        shown[None],
        torch.tensor(offset, dtype=torch.float32)[None],
        torch.tensor([distance], dtype=torch.float32),
        torch.tensor([thickness], dtype=torch.float32),
    )
    return neighbours, truth


def _moved(slices: Tensor, by: np.ndarray, crop: int) -> Tensor:
    """(n, crop, crop): slices (n, size, size) shifted by (n, 2) pixels (row, column), without their margin."""
    if not by.any():
        return slices[:, MARGIN : MARGIN + crop, MARGIN : MARGIN + crop]
    size = slices.shape[-1]
    base = torch.arange(crop, dtype=torch.float32) + MARGIN
    y = base[None, :, None] - torch.tensor(by[:, 0], dtype=torch.float32)[:, None, None]
    x = base[None, None, :] - torch.tensor(by[:, 1], dtype=torch.float32)[:, None, None]
    grid = 2 * torch.stack(torch.broadcast_tensors(x, y), dim=-1) / (size - 1) - 1
    return F.grid_sample(slices[:, None], grid, mode="bicubic", padding_mode="border", align_corners=True)[:, 0]


def _noisy(slices: Tensor, noise: float, rng: np.random.Generator) -> Tensor:
    """With noise and, now and then, the blur of a partly acquired k-space."""
    if noise and rng.random() < 0.15:
        width = float(rng.uniform(0.4, 0.8))
        taps = torch.exp(-0.5 * (torch.arange(-2, 3) / width) ** 2)
        taps = (taps / taps.sum())[None, None, :, None]
        slices = F.conv2d(F.pad(slices[:, None], (0, 0, 2, 2), mode="replicate"), taps)[:, 0]
    if noise:
        slices = slices + noise * torch.tensor(rng.standard_normal(tuple(slices.shape)), dtype=torch.float32)
    return slices.clamp_min(0)
