"""Hidden slices of real stacks as examples: thick targets, where no heart is known between them."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from calid.model.gap import NEIGHBOURS, GapNeighbours
from calid.model.knots import slab_weights
from calid.training.data import TrainingStack

LARGEST_SLAB_MM = 8.0  # assumed where a file does not say how thick its slices are


def hidden(stack: TrainingStack, crop: int, rng: np.random.Generator) -> tuple[GapNeighbours, Tensor, Tensor]:
    """Neighbours (n = 1) of a hidden slice, weights (1, 9) of the knots, and the slice (1, crop, crop)."""
    count = len(stack.slices)
    k = int(rng.integers(1, count - 1))
    order = range(k - 5, k + 6, 2)
    present = np.array([0 <= i < count for i in order])
    chosen = [i if ok else k for i, ok in zip(order, present, strict=True)]
    pictures = torch.tensor(np.asarray(stack.slices[[*chosen, k]], dtype=np.float32))
    if rng.random() < 0.5:
        pictures = torch.cat([pictures[:NEIGHBOURS].flip(0), pictures[NEIGHBOURS:]])
        present = present[::-1].copy()
    pictures = _grey(_turned(pictures, stack.centre, crop, rng), rng)
    distance = 2 * stack.gap
    thickness = min(stack.gap, LARGEST_SLAB_MM)
    shown = torch.tensor(present, dtype=torch.float32)
    neighbours = GapNeighbours(
        (pictures[:NEIGHBOURS] * shown[:, None, None])[None],
        shown[None],
        torch.arange(-2.0, 4.0)[None],
        torch.tensor([distance]),
        torch.tensor([thickness]),
    )
    return neighbours, torch.from_numpy(slab_weights([0.5], thickness / distance)), pictures[NEIGHBOURS:]


def _turned(pictures: Tensor, centre: tuple[float, float], crop: int, rng: np.random.Generator) -> Tensor:
    """(n, crop, crop) around the heart, turned and mirrored at random; whole quarter turns half of the time."""
    jitter = rng.normal(0, 8, 2)
    cy, cx = centre[0] + jitter[0], centre[1] + jitter[1]
    quarter, angle, scale = rng.integers(4) * math.pi / 2, 0.0, 1.0
    if rng.random() < 0.5:
        cy, cx = round(cy) + 0.5, round(cx) + 0.5  # on the pixel grid: nothing is interpolated
    else:
        angle, scale = rng.uniform(-0.4, 0.4), rng.uniform(0.85, 1.15)
    y, x = torch.meshgrid(*(torch.arange(crop, dtype=torch.float32) - (crop - 1) / 2,) * 2, indexing="ij")
    cos, sin = math.cos(quarter + angle) / scale, math.sin(quarter + angle) / scale
    grid = torch.stack([rng.choice([-1, 1]) * (cos * x - sin * y) + cx, sin * x + cos * y + cy], dim=-1)
    rows, columns = pictures.shape[1:]
    grid = (2 * grid / torch.tensor([columns - 1, rows - 1]) - 1).float()[None]
    return F.grid_sample(pictures[None], grid, mode="bicubic", padding_mode="border", align_corners=True)[0]


def _grey(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    unit = (pictures.clamp(-1, 2) + 1) / 2
    return 2 * unit.clamp_min(0) ** float(np.exp(rng.normal(0, 0.15))) * float(rng.uniform(0.85, 1.1)) - 1
