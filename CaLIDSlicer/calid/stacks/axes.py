"""Which of the three axes of a volume the slices lie along, and how to have it last; and axes that were rounded."""

from __future__ import annotations

import numpy as np

CLEARLY_WIDER = 1.5
"""Slices are this many times as far apart as pixels, at least, where their axis is not the last one."""

WIDER, CLEARLY_FEWER = 1.1, 3
"""Or they are a little further apart, and there are so many times as few of them as rows and columns."""

LARGEST_ASPECT = 2.0
"""Pixels are square but for this factor, at most, where the slices are not along the last axis."""

LAST = (0, 1, 2)

_EXACT = 1e-6


def slices_last(shape: tuple[int, ...], affine: np.ndarray) -> tuple[int, int, int]:
    """The axes (0 for i, 1 for j, 2 for k) in an order that has the one along the slices last.

    That is k, unless another axis has both the largest distance between its voxels and the fewest of them, one of the
    two clearly, and the other two make possible pixels, as after a reorientation to anatomical axes. Where these
    disagree the usual order is the better guess.

    :param shape: voxels along i, j, k.
    :param affine: IJK to world mm.
    """
    spacing = np.linalg.norm(np.asarray(affine, dtype=np.float64)[:3, :3], axis=0)
    for axis, order in ((0, (1, 2, 0)), (1, (0, 2, 1))):
        others = list(order[:2])
        fewest = min(shape[other] for other in others)
        wider = float(spacing[axis] / spacing[others].max())
        stands_out = wider >= CLEARLY_WIDER or (wider >= WIDER and shape[axis] * CLEARLY_FEWER <= fewest)
        has_pixels = spacing[others].max() <= LARGEST_ASPECT * spacing[others].min()
        if stands_out and has_pixels and 1 < shape[axis] < fewest:
            return order
    return LAST


def single_slice_last(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The same for a volume of one slice: the axis with one voxel comes last."""
    if shape[2] == 1 or 1 not in shape:
        return LAST
    return (1, 2, 0) if shape[0] == 1 else (0, 2, 1)


def reordered(voxels: np.ndarray, affine: np.ndarray, order: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (..., k, j, i) and their affine with the axes in another order; nothing is copied."""
    return transposed(voxels, order), np.asarray(affine)[:, [*order, 3]]


def transposed(voxels: np.ndarray, order: tuple[int, int, int]) -> np.ndarray:
    """Voxels (..., k, j, i) so that ``order[n]`` becomes axis n, counted from i."""
    leading = voxels.ndim - 3
    return voxels.transpose(*range(leading), *(leading + 2 - axis for axis in reversed(order)))


def inverse(order: tuple[int, int, int]) -> tuple[int, int, int]:
    """The order that undoes another."""
    i, j, k = (order.index(axis) for axis in LAST)
    return i, j, k


def perpendicular(affine: np.ndarray, tolerance: float) -> np.ndarray:
    """The affine with axes that are exactly perpendicular, where they are off by no more than rounding.

    A file that keeps four decimals of its direction cosines turns the axes by up to 0.01 degrees. They become the
    nearest rotation (the orthogonal factor of the polar decomposition); spacing and origin stay.

    :param affine: IJK to world mm.
    :param tolerance: largest cosine between two axes that is rounding. What is off by more is returned as it is.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not (spacing > 0).all():
        return affine
    cosines = affine[:3, :3] / spacing
    off = np.abs(cosines.T @ cosines - np.eye(3)).max()
    if not _EXACT < off <= tolerance:
        return affine
    left, _, right = np.linalg.svd(cosines)
    squared = np.array(affine, dtype=np.float64)
    squared[:3, :3] = left @ right * spacing
    return squared
