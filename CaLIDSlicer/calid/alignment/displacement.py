"""Displacements between neighbouring slices: of each pixel by demons, and of the whole picture by a translation.

The two are the two opinions of :mod:`calid.alignment.shifts`. Displacements are in pixels, (row, column), of what is
seen: +1 row means that the second slice shows the same thing one row further down.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from calid.model.demons import refine, sample, smooth

SHRINK = (4, 2, 1)
INVERSIONS = 4
BLURS = (3.0, 1.5, 0.8)
"""Pixels, standard deviation; a translation is found on blurred pictures first."""

STEPS = 12
ALIKE, BETTER = 0.5, 0.1
"""Correlation of neighbours that are far off: at least, and more than without a displacement."""

FLOOR = 0.05
"""Of the residual's scale, in the range -1..1 of the pictures: nothing fits better than noise."""


def flows(slices: Tensor) -> tuple[Tensor, Tensor]:
    """Of each inner slice the displacements to the one below and to the one above, at its own pixels.

    :param slices: (k, rows, columns) about -1..1.
    :returns: two of (k - 2, 2, rows, columns), rows first.
    """
    middle = _between(torch.stack([slices[:-1], slices[1:]], dim=1))
    total = middle[:, 2:] - middle[:, :2]
    to_above = _seen_from(total[1:], middle[1:, :2])
    to_below = -_seen_from(total[:-1], middle[:-1, 2:])
    return to_below.flip(1), to_above.flip(1)


def _between(pairs: Tensor) -> Tensor:
    """(n, 4, rows, columns) x and y from half-way into both slices of each pair (n, 2, rows, columns)."""
    field: Tensor | None = None
    for shrink in SHRINK:
        small = F.avg_pool2d(pairs, shrink)
        size = small.shape[-2:]
        if field is None:
            field = torch.zeros(len(pairs), 4, *size)
        else:
            factor = size[0] / field.shape[-2]
            field = F.interpolate(field, size=size, mode="bilinear", align_corners=False) * factor
        field = refine(small, field)
    assert field is not None
    return field


def _seen_from(values: Tensor, path: Tensor) -> Tensor:
    """Values (n, 2, rows, columns) half-way, at the pixels of the slice to which ``path`` leads from there."""
    back = torch.zeros_like(path)
    for _ in range(INVERSIONS):
        back = -sample(path, back)
    return sample(values, back)


def translations(slices: Tensor, window: Tensor) -> np.ndarray:
    """(k - 1, 2) robust translation from each slice to the next, by Gauss-Newton from coarse to fine.

    :param slices: (k, rows, columns) about -1..1.
    :param window: (rows, columns) how much each pixel counts.
    """
    moved = torch.zeros(len(slices) - 1, 2)
    for blur in BLURS:
        blurred = smooth(slices[:, None], blur)[:, 0]
        first, second = blurred[:-1], blurred[1:]
        for _ in range(STEPS):
            seen = shifted(second, -moved)
            down, across = torch.gradient((first + seen) / 2, dim=(1, 2))
            error = first - seen
            scale = 1.48 * error.abs().flatten(1).median(dim=1).values + FLOOR
            weight = window / (1 + (error / scale[:, None, None]).square())
            moved = moved + _least_squares(down, across, weight, error).clamp(-1, 1)
    return moved.numpy()


def _least_squares(down: Tensor, across: Tensor, weight: Tensor, error: Tensor) -> Tensor:
    def total(product: Tensor) -> Tensor:
        return (weight * product).sum(dim=(1, 2))

    normal = torch.stack(
        [total(down * down), total(down * across), total(down * across), total(across * across)], dim=1
    )
    right = torch.stack([total(down * error), total(across * error)], dim=1)
    return torch.linalg.solve(normal.view(-1, 2, 2) + 1e-6 * torch.eye(2), right)


def shifted(slices: Tensor, pixels: Tensor) -> Tensor:
    """What (k, rows, columns) show, moved by (k, 2) pixels down and to the right."""
    field = -pixels.flip(1)[:, :, None, None].expand(-1, -1, *slices.shape[1:])
    return sample(slices[:, None], field, mode="bicubic")[:, 0]


def jumps(slices: Tensor, reach: int) -> np.ndarray:
    """(k - 1, 2) whole pixels from each slice to the next where they correlate clearly better than in place, else 0.

    :param reach: largest displacement that is tried along each axis, pixels; one that large is taken for none.
    """
    size = 2 * reach + 1
    inner = slices[:-1, reach:-reach, reach:-reach]
    patches = slices[1:].unfold(1, inner.shape[1], 1).unfold(2, inner.shape[2], 1).flatten(3).flatten(1, 2)
    template = inner.flatten(1)
    template = template - template.mean(dim=1, keepdim=True)
    patches = patches - patches.mean(dim=2, keepdim=True)
    power = (patches.square().sum(dim=2) * template.square().sum(dim=1, keepdim=True)).sqrt()
    correlation = (patches @ template[..., None])[..., 0] / (power + 1e-6)
    value, best = correlation.max(dim=1)
    found = torch.stack([best // size, best % size], dim=1) - reach
    clear = (value > ALIKE) & (value - correlation[:, size * size // 2] > BETTER) & (found.abs() < reach).all(dim=1)
    return (found * clear[:, None]).numpy().astype(float)
