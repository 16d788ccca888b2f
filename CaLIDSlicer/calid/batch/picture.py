"""A long-axis cut through a case, before and after, small enough for a report of thousands."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calid.stacks.stack import SliceStack

SIZE = 150, 120
"""Pixels of each half, width and height, at most."""
_QUALITY = 75
_BRIGHT_PERCENT = 99.5
_BAR = 2
_MIDDLE = 0.6
"""Of the columns, in which the heart is: short-axis stacks are planned so."""


def write_before_after(path: Path, sparse: SliceStack, dense: np.ndarray, positions: np.ndarray) -> None:
    """The first phase, cut along the middle of its middle row: acquired slices, and what was made of them.

    :param sparse: what was acquired.
    :param dense: (slices, rows, columns) of the first phase at ``positions``, mm.
    """
    from PIL import Image

    count = sparse.voxels.shape[3]
    beside = round(count * (1 - _MIDDLE) / 2)
    width = (count - 2 * beside) * sparse.pixel_spacing[1]
    height = float(sparse.positions[-1] - sparse.positions[0])
    scale = min(SIZE[0] / width, SIZE[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    high = float(np.percentile(sparse.voxels[0], _BRIGHT_PERCENT))
    low = float(sparse.voxels[0].min())
    at = np.linspace(0, height, size[1])[::-1]  # the base, which comes last in most stacks, is above
    halves = []
    for voxels, places in ((sparse.voxels[0], sparse.positions), (dense, positions)):
        cut = voxels[:, voxels.shape[1] // 2, beside : count - beside].astype(np.float32)
        rows = cut[np.abs(at[:, None] - places).argmin(axis=1)]
        grey = np.clip((rows - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
        halves.append(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))
    picture = Image.new("L", (2 * size[0] + _BAR, size[1]), 255)
    picture.paste(halves[0], (0, 0))
    picture.paste(halves[1], (size[0] + _BAR, 0))
    picture.save(path, quality=_QUALITY)
