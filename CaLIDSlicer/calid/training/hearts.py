"""Dense hearts as training material: each time another one, bent, scaled and with other grey levels.

A dozen fat-suppressed hearts in diastole are to teach where things are between two slices, not what they look like.
So the body is turned and mirrored, anatomy is bent along all axes, cavities are widened and narrowed, and grey levels
go through a random monotone curve and a random receive field.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from torch import Tensor

from calid.errors import UnusableInput

LAYER_MM = 1.25
"""Voxels of the dense hearts, mm along each axis; also the pixel of the network."""

OFF_CENTRE = 24  # pixels that the middle of a crop may be away from the middle of the field of view


def load_hearts(folder: Path, names: Sequence[str]) -> list[Tensor]:
    """Dense hearts ``heartNAME_sax.nii.gz`` (layers, rows, columns), float32, 1 at the 99.5th percentile.

    Raises :class:`UnusableInput`, naming the file, if one lacks or has other voxels than 1.25 mm.
    """
    hearts = []
    for name in names:
        file = folder / f"heart{name}_sax.nii.gz"
        if not file.is_file():
            raise UnusableInput(f"{file} does not exist", "put the short-axis reslices there, see docs/TRAINING.md")
        image = sitk.ReadImage(str(file))
        if not np.allclose(image.GetSpacing(), LAYER_MM, atol=0.01):
            raise UnusableInput(f"{file} has voxels of {image.GetSpacing()} mm", f"resample it to {LAYER_MM} mm")
        voxels = sitk.GetArrayFromImage(image).astype(np.float32)
        hearts.append(torch.from_numpy(voxels / np.float32(np.percentile(voxels, 99.5))))
    return hearts


def knee(unit: Tensor) -> Tensor:
    """0..1 to network units, as :class:`calid.reconstruction.intensity.IntensityScale` does."""
    return 2 * torch.where(unit > 1, 1 + torch.log(unit.clamp_min(1)), unit) - 1


def bent(volume: Tensor, size: int, rng: np.random.Generator) -> Tensor:
    """(layers, size, size): a crop of a heart (layers, rows, columns) in 0..1, turned, bent, with other grey levels.

    Made where the heart is; the few random numbers that say how come from the processor.
    """
    count, rows, columns = volume.shape
    angle, scale = rng.uniform(-math.pi, math.pi), rng.uniform(0.85, 1.2)
    if rng.random() < 0.3:
        angle = rng.choice([0, 0.5, 1, 1.5]) * math.pi + rng.normal(0, 0.1)
    along = torch.arange(size, dtype=torch.float32, device=volume.device) - (size - 1) / 2
    y, x = torch.meshgrid(along, along, indexing="ij")
    offset = along.new_zeros(1, size, size, 2)
    if rng.random() < 0.7:
        offset = _elastic(count, size, rng, volume.device)
    if rng.random() < 0.4:
        offset = offset + _squeeze(count, x, y, rng)
    py, px = y + offset[..., 1], x + offset[..., 0]
    mirror = float(rng.choice([-1, 1]))
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    cy, cx = (n / 2 + rng.uniform(-OFF_CENTRE, OFF_CENTRE) for n in (rows, columns))
    across, down = mirror * (cos * px - sin * py) + cx, sin * px + cos * py + cy
    grid = torch.stack([2 * across / (columns - 1) - 1, 2 * down / (rows - 1) - 1], dim=-1)
    grid = grid.expand(count, -1, -1, -1)
    voxels = F.grid_sample(volume[:, None], grid, mode="bicubic", padding_mode="border", align_corners=True)[:, 0]
    if rng.random() < 0.5:
        voxels = voxels.flip(0)
    return _grey(voxels.clamp_min(0), rng)


def _few(numbers: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(numbers.astype(np.float32)).to(device)


def _elastic(count: int, size: int, rng: np.random.Generator, device: torch.device) -> Tensor:
    """(count, size, size, 2) smooth random displacement in pixels."""
    coarse = _few(rng.normal(0, rng.uniform(0.5, 2.5), (1, 2, 5, 5, 5)), device)
    smooth = F.interpolate(coarse, (count, size, size), mode="trilinear", align_corners=True)
    return smooth[0].permute(1, 2, 3, 0)


def _squeeze(count: int, x: Tensor, y: Tensor, rng: np.random.Generator) -> Tensor:
    """(count, size, size, 2) displacement that widens or narrows what is round, and thickens its wall."""
    cx, cy = rng.normal(0, 8, 2)
    dx, dy = x - float(cx), y - float(cy)
    radius = torch.hypot(dx, dy).clamp_min(1)
    fall = torch.exp(-((radius / rng.uniform(14, 28)) ** 2))
    along = F.interpolate(_few(rng.normal(0, 0.25, (1, 1, 4)), x.device), count, mode="linear")[0, 0]
    amount = (along + float(rng.normal(0, 0.2))).clamp(-0.45, 0.45)[:, None, None] * fall
    return torch.stack([amount * dx, amount * dy], dim=-1)


def _grey(voxels: Tensor, rng: np.random.Generator) -> Tensor:
    """Another contrast: a monotone curve, another scale, a slowly varying receive field."""
    if rng.random() < 0.8:
        voxels = voxels.clamp(0, 1.5) ** float(np.exp(rng.normal(0, 0.3)))
    if rng.random() < 0.4:
        knots = np.concatenate([[0], np.cumsum(rng.uniform(0.2, 1, 4))])
        table, place = _few(knots / knots[-1], voxels.device), (voxels.clamp(0, 1) * 4).clamp(max=3.999)
        low = place.floor()
        curved = torch.lerp(table[low.long()], table[low.long() + 1], place - low)
        voxels = curved + (voxels - 1).clamp_min(0)
    if rng.random() < 0.5:
        coarse = _few(rng.normal(0, 0.15, (1, 1, 3, 3)), voxels.device)
        voxels = voxels * torch.exp(F.interpolate(coarse, voxels.shape[1:], mode="bicubic", align_corners=True)[0])
    return voxels * float(rng.uniform(0.8, 1.15))
