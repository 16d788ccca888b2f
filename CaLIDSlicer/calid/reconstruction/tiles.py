"""Overlapping tiles that cover a large field of view, and the weights that blend them without a seam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TILE_PIXELS = (768, 384, 192)
"""Side of a tile on the model grid. The first is larger than any usual field of view: one tile. The others are tried
in turn when memory runs out."""

OVERLAP = 1 / 4
"""Part of a tile's side that it shares with the next one."""

Window = tuple[slice, slice]


def tile_windows(shape: Sequence[int], tile: int) -> list[Window]:
    """Windows (rows, columns) of at most ``tile`` pixels that cover a grid of ``shape``.

    Sides of grid and tile are multiples of what the networks need, and so are all windows.
    """
    return [(rows, columns) for rows in _spans(shape[0], tile) for columns in _spans(shape[1], tile)]


def tile_weights(windows: Sequence[Window], shape: Sequence[int]) -> list[np.ndarray]:
    """For each window its blending weight (rows, columns) float32; at every pixel of the grid they add up to 1."""
    ramps = [np.outer(*(_ramp(span, length) for span, length in zip(w, shape, strict=True))) for w in windows]
    total = np.zeros(tuple(shape), np.float32)
    for window, ramp in zip(windows, ramps, strict=True):
        total[window] += ramp
    return [ramp / total[window] for window, ramp in zip(windows, ramps, strict=True)]


def _spans(length: int, tile: int) -> list[slice]:
    if length <= tile:
        return [slice(0, length)]
    stride = tile - int(tile * OVERLAP)
    starts = [min(start, length - tile) for start in range(0, length - tile + stride, stride)]
    return [slice(start, start + tile) for start in starts]


def _ramp(span: slice, length: int) -> np.ndarray:
    """1 in the middle, falling towards a neighbouring tile but not towards the border of the field of view."""
    inside = np.arange(span.start, span.stop, dtype=np.float32)
    width = (span.stop - span.start) * OVERLAP
    up = (inside - span.start + 1) / width if span.start > 0 else np.ones_like(inside)
    down = (span.stop - inside) / width if span.stop < length else np.ones_like(inside)
    return np.minimum(np.minimum(up, down), 1)
