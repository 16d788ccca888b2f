"""Displacements of whole pictures: by a robust translation, and by where they correlate best.

Displacements are in pixels, (row, column), of what is seen: +1 row means that the second picture shows the same thing
one row further down.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from calid.model.demons import sample, smooth

BLURS = (3.0, 1.5, 0.8)
"""Pixels, standard deviation; a translation is found on blurred pictures first."""

STEPS, ENOUGH = 12, 0.01
"""At most, and pixels that are no step worth going on for."""

ALIKE, BETTER = 0.5, 0.1
"""Correlation of neighbours that are far off: at least, and more than without a displacement."""

FLOOR = 0.05
"""Of the residual's scale, in the range -1..1 of the pictures: nothing fits better than noise."""


def translations(first: Tensor, second: Tensor, window: Tensor) -> np.ndarray:
    """(n, 2) robust translation from each picture to the one that it is compared with, by Gauss-Newton.

    :param first: and ``second`` (n, rows, columns) about -1..1.
    :param window: (rows, columns) how much each pixel counts.
    """
    moved = torch.zeros(len(first), 2)
    for blur in BLURS:
        before, after = (smooth(pictures[:, None], blur)[:, 0] for pictures in (first, second))
        for _ in range(STEPS):
            seen = shifted(after, -moved)
            down, across = torch.gradient((before + seen) / 2, dim=(1, 2))
            error = before - seen
            scale = 1.48 * error.abs().flatten(1).median(dim=1).values + FLOOR
            weight = window / (1 + (error / scale[:, None, None]).square())
            step = _least_squares(down, across, weight, error).clamp(-1, 1)
            moved = moved + step
            if step.abs().max() < ENOUGH:
                break
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
