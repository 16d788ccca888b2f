"""What the motion network found, refined on the patient's own slices.

The network knows how hearts move from slice to slice, but never saw this one. So a few iterations of the demons
algorithm (Thirion, Medical Image Analysis 2(3), 1998) pull both slices further together, in the symmetric form that
moves each of them half of the way (Vercauteren et al., NeuroImage 45(1), 2009). Smoothing what is added, not the
whole displacement, keeps the network's answer where pictures say nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ITERATIONS = 30
SMOOTHING = 2.0  # pixels of the given grid, standard deviation of the Gaussian after each iteration
SURE = 1e-6  # squared gradient in network units below which a pixel pulls at nothing


def refine(bounding: Tensor, field: Tensor) -> Tensor:
    """The displacements (n, 4, rows, columns) of two slices (n, 2, rows, columns) from the middle, pulled together.

    Reversing the stack reverses the result.
    """
    with torch.autocast(bounding.device.type, enabled=False):  # small steps of single pixels
        bounding, field, added = bounding.float(), field.float(), torch.zeros_like(field, dtype=torch.float32)
        for _ in range(ITERATIONS):
            added = smooth(added + _pull(warp(bounding, field + added)), SMOOTHING)
        return field + added


def _pull(seen: Tensor) -> Tensor:
    """(n, 4, rows, columns) what moves each of two warped slices towards the other, by a quarter of a pixel at most."""
    difference = seen[:, :1] - seen[:, 1:]
    across, down = _slopes(seen.mean(dim=1, keepdim=True))
    strength = -difference / (across.square() + down.square() + difference.square() + SURE)
    step = torch.cat([strength * across, strength * down], dim=1) / 2
    return torch.cat([step, -step], dim=1)


def _slopes(images: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of (n, 1, rows, columns) along the columns and along the rows."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    inner, ahead, behind = slice(1, -1), slice(2, None), slice(None, -2)
    across = padded[..., inner, ahead] - padded[..., inner, behind]
    return across / 2, (padded[..., ahead, inner] - padded[..., behind, inner]) / 2


def smooth(images: Tensor, sigma: float) -> Tensor:
    """(n, c, rows, columns) under a Gaussian of ``sigma`` pixels; beyond the border it is as at the border."""
    radius = round(3 * sigma)
    offset = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    bell = torch.exp(-offset.square() / (2 * sigma**2))
    bell = bell / bell.sum()
    flat = F.pad(images.flatten(0, 1)[:, None], (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(flat, bell[None, None, None]), bell[None, None, :, None])[:, 0].unflatten(
        0, images.shape[:2]
    )


def warp(bounding: Tensor, field: Tensor, mode: str = "bilinear") -> Tensor:
    """Both slices (n, 2, rows, columns) seen through a displacement field (n, 4, rows, columns) in pixels.

    Of the field the first two channels are (x, y) into the first slice, the others into the second.
    """
    n, _, rows, columns = bounding.shape
    seen = sample(bounding.reshape(n * 2, 1, rows, columns), field.reshape(n * 2, 2, rows, columns), mode)
    return seen.reshape(n, 2, rows, columns)


def sample(images: Tensor, field: Tensor, mode: str = "bilinear") -> Tensor:
    """Images (n, c, rows, columns) at each pixel's place plus its displacement (n, 2, rows, columns) in pixels."""
    rows, columns = images.shape[-2:]
    y = torch.arange(rows, device=field.device, dtype=field.dtype)[:, None].expand(rows, columns)
    x = torch.arange(columns, device=field.device, dtype=field.dtype)[None].expand(rows, columns)
    at = torch.stack([x, y], dim=-1) + field.permute(0, 2, 3, 1)
    grid = at * at.new_tensor([2 / columns, 2 / rows]) + at.new_tensor([1 / columns - 1, 1 / rows - 1])
    return F.grid_sample(images.to(field.dtype), grid, mode=mode, padding_mode="border", align_corners=False)
