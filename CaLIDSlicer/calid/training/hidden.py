"""Hidden slices of real stacks as examples: thick targets, where no heart is known between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from calid.model.gap import NEIGHBOURS
from calid.model.knots import slab_weights
from calid.training.data import TrainingStack
from calid.training.surroundings import Surroundings

LARGEST_SLAB_MM = 8.0  # assumed where a file does not say how thick its slices are
FINE_MM = 6.0  # stacks below this distance are the rarest, and nearest to the use that is made of the network
WINDOW = 208  # pixels around the heart that are kept of a slice; a crop of 96 at any angle hardly ever leaves them


@dataclass(frozen=True)
class Shelf:
    """Where the slices of real stacks are in one tensor of all slices; a row of each array is a stack.

    :param first: number of its first slice; :param count: of its slices; :param gap: mm between them.
    :param centre: (stacks, 2) row and column of the heart in the window.
    :param chance: of being drawn, sum 1.
    """

    first: np.ndarray
    count: np.ndarray
    gap: np.ndarray
    centre: np.ndarray
    chance: np.ndarray


def shelve(stacks: Sequence[TrainingStack], fine_weight: float) -> tuple[Tensor, Shelf]:
    """All slices, (slices, WINDOW, WINDOW) network units in half precision, and where each stack is among them.

    :param fine_weight: how many times as often stacks with fine slices are drawn as the others.
    """
    corner = np.array([np.round(stack.centre) for stack in stacks]).astype(int) - WINDOW // 2
    planes = np.concatenate([_window(stack.slices, *at) for stack, at in zip(stacks, corner, strict=True)])
    count, gap = np.array([len(stack.slices) for stack in stacks]), np.array([stack.gap for stack in stacks])
    chance = np.where(gap < FINE_MM, fine_weight, 1.0)
    centre = np.array([stack.centre for stack in stacks]) - corner
    return torch.from_numpy(planes), Shelf(np.cumsum(count) - count, count, gap, centre, chance / chance.sum())


def _window(slices: np.ndarray, top: int, left: int) -> np.ndarray:
    """(k, WINDOW, WINDOW) of slices (k, rows, columns), repeated beyond their border."""
    rows = np.arange(top, top + WINDOW).clip(0, slices.shape[1] - 1)
    columns = np.arange(left, left + WINDOW).clip(0, slices.shape[2] - 1)
    return slices[:, rows[:, None], columns].astype(np.float16)


class HiddenDraw(NamedTuple):
    """A hidden slice, or ``n`` of them as tensors with a first axis.

    :param planes: (7,) numbers of its six neighbours, any where there is none, and of itself.
    :param pose: (2, 3) from a pixel (x, y, 1) of the crop, counted from its middle, to x and y in the window.
    :param slab: (1, 9) weights of the knots.
    """

    planes: np.ndarray
    pose: np.ndarray
    gamma: float
    gain: float
    slab: np.ndarray
    around: Surroundings


def draw_hidden(shelf: Shelf, rng: np.random.Generator) -> HiddenDraw:
    """A slice of a stack, neither the first nor the last, with every second one around it."""
    stack = rng.choice(len(shelf.chance), p=shelf.chance)
    count, gap = int(shelf.count[stack]), float(shelf.gap[stack])
    k = int(rng.integers(1, count - 1))
    order = np.arange(k - 5, k + 6, 2)
    if rng.random() < 0.5:
        order = order[::-1]
    present = (order >= 0) & (order < count)
    planes = shelf.first[stack] + np.append(np.where(present, order, k), k)
    thickness = min(gap, LARGEST_SLAB_MM)
    around = Surroundings.of(present, np.arange(-2.0, 4.0), 2 * gap, thickness)
    slab = slab_weights([0.5], thickness / (2 * gap))
    pose = _pose(shelf.centre[stack], rng)
    gamma, gain = math.exp(rng.normal(0, 0.15)), rng.uniform(0.85, 1.1)
    return HiddenDraw(planes, pose, gamma, gain, slab, around)


def _pose(centre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Around the heart, turned and mirrored at random; whole quarter turns half of the time."""
    cy, cx = centre + rng.normal(0, 8, 2)
    quarter, angle, scale = rng.integers(4) * math.pi / 2, 0.0, 1.0
    if rng.random() < 0.5:
        cy, cx = round(cy) + 0.5, round(cx) + 0.5  # on the pixel grid: nothing is interpolated
    else:
        angle, scale = rng.uniform(-0.4, 0.4), rng.uniform(0.85, 1.15)
    cos, sin, mirror = math.cos(quarter + angle) / scale, math.sin(quarter + angle) / scale, rng.choice([-1, 1])
    return np.array([[mirror * cos, -mirror * sin, cx], [sin, cos, cy]], dtype=np.float32)


def look(planes: Tensor, drawn: Any, crop: int) -> tuple[Tensor, Tensor]:
    """Neighbours (n, 6, crop, crop) and hidden slices (n, 1, crop, crop), network units.

    :param planes: of :func:`shelve`.
    :param drawn: :class:`HiddenDraw` of ``n`` slices, on the device of the planes.
    """
    along = torch.arange(crop, dtype=torch.float32, device=planes.device) - (crop - 1) / 2
    y, x = torch.meshgrid(along, along, indexing="ij")
    # Not as a matrix product: that may be computed in less than single precision, and these are coordinates.
    across, down, centre = (part[:, :, None, None] for part in drawn.pose.unbind(dim=2))  # (n, 2, 1, 1)
    at = (across * x + down * y + centre).movedim(1, 3)
    seen = F.grid_sample(
        planes[drawn.planes].float(),
        2 * at / (WINDOW - 1) - 1,
        mode="bicubic",
        padding_mode="border",
        align_corners=True,
    )
    unit = ((seen.clamp(-1, 2) + 1) / 2).clamp_min(0)
    grey = unit ** drawn.gamma[:, None, None, None] * drawn.gain[:, None, None, None]
    return (2 * grey - 1).split([NEIGHBOURS, 1], dim=1)
