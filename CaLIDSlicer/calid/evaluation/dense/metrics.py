"""How near a dense volume is to the truth, between the acquired slices and along the axis.

Volumes are (layers, rows, columns) in 0..1. The box is a pair of slices (rows, columns).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage.metrics import structural_similarity

from calid.evaluation.dense.acquisition import acquire
from calid.selfcheck.similarity import Region
from calid.stacks import agreement

_SMALLEST_ERROR = 1e-12


def decibels(squared_error: np.ndarray) -> np.ndarray:
    """PSNR of mean squared errors, for a range of 1."""
    return -10 * np.log10(squared_error + _SMALLEST_ERROR)


def squared_errors(dense: np.ndarray, truth: np.ndarray, layers: Sequence[int], box: Region) -> np.ndarray:
    """(layers,) mean squared error in the box."""
    return np.array([np.square((dense[k] - truth[k])[box]).mean() for k in layers])


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of two images, Gaussian window with sigma 1.5 pixels (Wang et al., IEEE TIP 13(4), 2004)."""
    found = structural_similarity(a, b, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    return float(found)


def long_axes(volume: np.ndarray, box: Region) -> list[np.ndarray]:
    """The two cuts (layers, pixels) along the axis through the middle of the field of view."""
    row, column = volume.shape[1] // 2, volume.shape[2] // 2
    return [volume[:, row, box[1]], volume[:, box[0], column]]


def long_axis_similarity(dense: np.ndarray, truth: np.ndarray, box: Region) -> float:
    """SSIM of the long-axis cuts, acquired slices and all."""
    return float(
        np.mean([similarity(*cuts) for cuts in zip(*(long_axes(v, box) for v in (dense, truth)), strict=True)])
    )


def gradient_correlation(dense: np.ndarray, truth: np.ndarray, box: Region) -> float:
    """Correlation of the gradient's magnitude in the long-axis cuts: 1 if every edge is where it is."""
    pairs = zip(*(long_axes(volume, box) for volume in (dense, truth)), strict=True)
    return float(np.mean([agreement.gradient_correlation(*cuts) for cuts in pairs]))


def slab_consistency(dense: np.ndarray, truth: np.ndarray, kept: Sequence[int], thickness: float, box: Region) -> float:
    """PSNR, dB, of the inner slices that a scanner would get from the dense volume, against those of the truth.

    Acquired layers are filled from their neighbours first, so that copying slices earns nothing.
    """
    inner, hollow = list(kept[1:-1]), dense.copy()
    for k in inner:
        hollow[k] = (dense[k - 1] + dense[k + 1]) / 2
    again, slices = (acquire(volume, inner, thickness) for volume in (hollow, truth))
    return float(decibels(np.square((again - slices)[(slice(None), *box)]).mean()))


def seam(dense: np.ndarray, truth: np.ndarray, kept: Sequence[int], box: Region) -> float:
    """How visible the acquired slices are in long-axis cuts: 1 is the heart's own, more are lines or steps."""
    return _bend(dense, kept[1:-1], box) / _bend(truth, kept[1:-1], box)


def _bend(volume: np.ndarray, layers: Sequence[int], box: Region) -> float:
    """Mean absolute second difference along the axis."""
    return float(np.mean([np.abs(volume[k - 1] + volume[k + 1] - 2 * volume[k])[box].mean() for k in layers]))
