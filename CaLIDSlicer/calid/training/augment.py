"""Augmentation: random crops, turned, zoomed, flipped and bent, and random contrast; one draw for a whole stack."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes.

    :param jitter: moves the crop off the heart's centre, as a fraction of its size.
    :param bend: pixels by which anatomy is displaced here and there, standard deviation; smooth, so nothing folds.
    """

    crop: int
    jitter: float = 0.4
    rotation: float = math.pi
    scale: float = 0.25
    bend: float = 3.0
    gamma: float = 0.35
    gain: float = 0.15
    untouched: float = 0.25


def _uniform(rng: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=rng))


def crop_stack(slices: Tensor, centre: tuple[float, float], how: Augmentation, rng: Generator) -> tuple[Tensor, float]:
    """One random view of all slices (k, rows, columns) of a stack: (k, crop, crop) in the same pose, and the zoom.

    A zoom above 1 shows more of the field of view, that is, a smaller heart.
    """
    angle, zoom = _uniform(rng, -how.rotation, how.rotation), math.exp(_uniform(rng, -how.scale, how.scale))
    bend = how.bend
    if _uniform(rng, 0, 1) < how.untouched:  # resampling smooths noise away: keep some views as they are
        angle, zoom, bend = round(angle / (math.pi / 2)) * math.pi / 2, 1.0, 0.0
    flip = 1.0 if _uniform(rng, 0, 1) < 0.5 else -1.0
    row = round(centre[0] + _uniform(rng, -how.jitter, how.jitter) * how.crop)
    column = round(centre[1] + _uniform(rng, -how.jitter, how.jitter) * how.crop)
    rows, columns = slices.shape[-2:]
    cos, sin = math.cos(angle) * zoom, math.sin(angle) * zoom
    offset = torch.arange(how.crop, dtype=torch.float32) - how.crop / 2
    dy, dx = torch.stack(torch.meshgrid(offset, offset, indexing="ij")) + bend * _waves(how.crop, rng)
    y, x = row + cos * dy + sin * flip * dx, column - sin * dy + cos * flip * dx
    grid = torch.stack([x * 2 / (columns - 1) - 1, y * 2 / (rows - 1) - 1], dim=-1)
    view = F.grid_sample(slices[None].float(), grid[None], mode="bicubic", padding_mode="border", align_corners=True)
    return view[0], zoom


def _waves(size: int, rng: Generator) -> Tensor:
    """(2, size, size) smooth random displacements of about unit size, a few waves to the side."""
    coarse = torch.randn(1, 2, 5, 5, generator=rng)
    return F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)[0]


def change_contrast(slices: Tensor, how: Augmentation, rng: Generator) -> Tensor:
    """Random gamma and gain in network units (-1..1), the same for all slices."""
    unit = (slices + 1) / 2
    gamma, gain = math.exp(_uniform(rng, -how.gamma, how.gamma)), 1 + _uniform(rng, -how.gain, how.gain)
    return 2 * gain * unit.clamp(min=0) ** gamma - 1


def degrade(slices: Tensor, rng: Generator) -> Tensor:
    """Slices (k, rows, columns) as another scanner might have made them: shaded by its coils, a bit soft, noisy.

    For networks that look at slices; a network that makes slices must not learn to make these.
    """
    ramp = torch.linspace(-1, 1, slices.shape[-1])
    slope = torch.empty(2).uniform_(-0.25, 0.25, generator=rng)
    shaded = (slices + 1) * (1 + slope[0] * ramp[:, None] + slope[1] * ramp) - 1
    if _uniform(rng, 0, 1) < 0.3:
        side = _uniform(rng, 0, 0.25)  # a kernel of (side, 1 - 2 side, side) along both axes
        kernel = torch.tensor([side, 1 - 2 * side, side])
        soft = F.pad(shaded[:, None], (1, 1, 1, 1), mode="replicate")
        shaded = F.conv2d(soft, torch.outer(kernel, kernel)[None, None])[:, 0]
    return shaded + _uniform(rng, 0, 0.12) ** 1.5 * torch.randn(shaded.shape, generator=rng)
