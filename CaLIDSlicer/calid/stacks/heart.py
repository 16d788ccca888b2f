"""Where the heart is in a stack: around what moves most over the cycle."""

from __future__ import annotations

import numpy as np

from calid.stacks.stack import SliceStack

HEART_MM = 110.0
"""Side of a square that has a heart in it."""

_CORE_MM = 80.0
_MOST_MOTION_PERCENT = 95


def around_heart(stack: SliceStack, side: float) -> tuple[slice, slice]:
    """Rows and columns of a square around the heart, or all where nothing moves.

    :param side: of the square, mm.
    """
    motion = _motion(stack.voxels)
    if not motion.any():
        return slice(None), slice(None)
    rows, columns = motion.shape
    summed = np.pad(motion.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    sizes = [round(_CORE_MM / step) for step in stack.pixel_spacing]
    down, along = (min(max(1, size), count) for size, count in zip(sizes, motion.shape, strict=True))
    within = summed[down:, along:] - summed[:-down, along:] - summed[down:, :-along] + summed[:-down, :-along]
    top, left = np.unravel_index(int(within.argmax()), within.shape)
    sides = [max(1, round(side / step)) for step in stack.pixel_spacing]
    return _span(int(top) + down // 2, sides[0], rows), _span(int(left) + along // 2, sides[1], columns)


def _motion(voxels: np.ndarray) -> np.ndarray:
    """(rows, columns) how much changes over the cycle; what flickers brightly in few pixels, as fat does, is capped."""
    spread = voxels.astype(np.float32).std(axis=0)
    most = np.percentile(spread, _MOST_MOTION_PERCENT, axis=(1, 2), keepdims=True)
    return np.minimum(spread, most).sum(axis=0)


def _span(middle: int, length: int, size: int) -> slice:
    start = min(max(0, middle - length // 2), max(0, size - length))
    return slice(start, min(size, start + length))
