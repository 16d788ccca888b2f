"""Pictures of dense hearts as a scanner would have made them, many at once, on the device that holds the hearts."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from calid.model.gap import NEIGHBOURS
from calid.training.hearts import knee

MARGIN = 12  # pixels around a crop from which shifted slices take what enters it


def acquire(pool: Tensor, drawn: Any, noise: Generator) -> tuple[Tensor, Tensor]:
    """Thick slices (n, 6, crop, crop), and the thin ones (n, 9, crop, crop) to be found, network units.

    :param pool: (slots, layers, size, size) hearts in 0..1, half precision, :data:`MARGIN` pixels wider than a crop on
        every side.
    :param drawn: :class:`~calid.training.slabs.SlabDraw` of ``n`` examples, on the device of the pool.
    """
    mixed = _mixed(pool, drawn.slot, drawn.layers)
    slices = _blurred(shifted(mixed[:, :NEIGHBOURS], drawn.shift), drawn.blur)
    slices = slices + drawn.noise[:, None, None, None] * torch.randn(
        slices.shape, generator=noise, device=slices.device
    )
    thin = mixed[:, NEIGHBOURS:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return knee(slices.clamp_min(0)), knee(thin.clamp_min(0))


def _mixed(pool: Tensor, slot: Tensor, layers: Tensor) -> Tensor:
    """(n, k, size, size) sums of layers, with weights (n, k, layers)."""
    # Only graphics cards multiply in half precision, with sums in single precision.
    kind = pool.dtype if pool.is_cuda else torch.float32
    sums = torch.bmm(layers.to(kind), pool[slot].to(kind).flatten(2))
    return sums.float().unflatten(2, pool.shape[2:])


def shifted(slices: Tensor, by: Tensor) -> Tensor:
    """Slices (n, k, size, size), each shifted by its (n, k, 2) pixels (row, column), without their margin."""
    size, crop = slices.shape[-1], slices.shape[-1] - 2 * MARGIN
    base = torch.arange(crop, dtype=torch.float32, device=slices.device) + MARGIN
    y, x = (base - by[:, :, axis, None].flatten(0, 1) for axis in (0, 1))  # (n k, crop)
    grid = torch.stack([x[:, None].expand(-1, crop, -1), y[:, :, None].expand(-1, -1, crop)], dim=-1)
    grid = 2 * grid / (size - 1) - 1
    moved = F.grid_sample(
        slices.flatten(0, 1)[:, None], grid, mode="bicubic", padding_mode="border", align_corners=True
    )
    return moved[:, 0].unflatten(0, slices.shape[:2])


def _blurred(slices: Tensor, taps: Tensor) -> Tensor:
    """Slices (n, k, rows, columns) convolved along the rows with (n, taps)."""
    count, rows = taps.shape[1], slices.shape[2]
    padded = F.pad(slices, (0, 0, count // 2, count // 2), mode="replicate")
    parts = (taps[:, j, None, None, None] * padded[:, :, j : j + rows] for j in range(count))
    return sum(parts, start=torch.zeros_like(slices))
