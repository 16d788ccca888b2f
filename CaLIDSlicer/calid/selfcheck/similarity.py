"""How alike two images are, with numpy alone: what the self-check needs inside 3D Slicer, where scikit-image is not.

Images are (..., rows, columns) in 0..1. A *region* is a pair of slices (rows, columns): the part that counts.
"""

from __future__ import annotations

import numpy as np

Region = tuple[slice, slice]

SIGMA, RADIUS = 1.5, 5  # pixels; the window of Wang et al., cut at 3.5 sigma
_C1, _C2 = 0.01**2, 0.03**2  # the paper's, for intensities in 0..1

_SMALLEST_ERROR = 1e-10  # keeps the PSNR of identical images finite, at 100 dB


def psnr(truth: np.ndarray, estimate: np.ndarray, region: Region) -> np.ndarray:
    """(...) peak signal-to-noise ratio of every image, in dB for a range of 1; at most 100."""
    inside = (..., *region)
    error = np.square(truth[inside] - estimate[inside], dtype=np.float64).mean(axis=(-2, -1))
    return -10 * np.log10(np.maximum(error, _SMALLEST_ERROR))


def ssim(truth: np.ndarray, estimate: np.ndarray, region: Region) -> np.ndarray:
    """(...) structural similarity of every image, Gaussian window with sigma 1.5 (Wang et al., IEEE TIP 13(4), 2004).

    Windows see the whole image; their similarity is averaged over the region.
    """
    a, b = truth.astype(np.float64), estimate.astype(np.float64)
    mean_a, mean_b = _blur(a), _blur(b)
    variances = _blur(a * a) - mean_a**2 + _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    similarity = luminance * (2 * covariance + _C2) / (variances + _C2)
    return similarity[(..., *region)].mean(axis=(-2, -1))


def _blur(images: np.ndarray) -> np.ndarray:
    """Gaussian mean around every pixel; the image is mirrored at its border."""
    window = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    for axis in (-2, -1):
        margin = [(0, 0)] * images.ndim
        margin[axis] = (RADIUS, RADIUS)
        padded = np.pad(images, margin, mode="symmetric")
        images = np.lib.stride_tricks.sliding_window_view(padded, len(window), axis=axis) @ (window / window.sum())
    return images
