"""Image quality of one synthesised slice against the real one.

All images are (rows, columns) in 0..1. A *region* is a pair of slices (rows, columns): the part that counts.
Metrics that look at neighbourhoods (SSIM, HaarPSI) are computed on the whole slice and averaged over the region, so
no window ever meets an artificial border.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from calid.selfcheck.similarity import Region

# Wavelengths of 4 to 12 mm: walls, papillary muscles and trabeculae. The shortest is still resolved by 1.95 mm pixels.
MID_BAND = (1 / 12, 1 / 4)  # cycles per mm

_HAARPSI_C, _HAARPSI_ALPHA = 30.0, 4.2  # the paper's optimum, for intensities in 0..255


def ssim(truth: np.ndarray, estimate: np.ndarray, region: Region) -> float:
    """Structural similarity, Gaussian window with sigma 1.5 pixels (Wang et al., IEEE TIP 13(4), 2004)."""
    _, similarity = structural_similarity(
        truth, estimate, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    return float(np.mean(similarity[region]))


def haarpsi(truth: np.ndarray, estimate: np.ndarray, region: Region | None = None) -> float:
    """Haar wavelet-based perceptual similarity index, 0..1; symmetric, 1 for identical images.

    R. Reisenhofer, S. Bosse, G. Kutyniok, T. Wiegand, Signal Processing: Image Communication 61:33-43, 2018, for grey
    images: wavelets of two fine scales measure similarity, those of a third, coarser one say where it matters.
    """
    first, second = (_halved(255.0 * image.astype(np.float64)) for image in (truth, estimate))
    inside = _halved_region(region)
    similarities, weights = [], []
    for axis in (0, 1):
        fine, middle, coarse = (
            (np.abs(_haar(first, scale, axis)), np.abs(_haar(second, scale, axis))) for scale in (1, 2, 3)
        )
        similarities.append((_similarity(*fine)[inside] + _similarity(*middle)[inside]) / 2)
        weights.append(np.maximum(*coarse)[inside])
    if not np.any(weights):
        return 1.0  # neither image has any structure
    mean = np.average(1 / (1 + np.exp(-_HAARPSI_ALPHA * np.array(similarities))), weights=np.array(weights))
    return float((np.log(mean / (1 - mean)) / _HAARPSI_ALPHA) ** 2)


def _similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (2 * a * b + _HAARPSI_C) / (a**2 + b**2 + _HAARPSI_C)


def _halved(image: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels: the paper's stand-in for the viewing distance. An odd edge is padded with zeros."""
    rows, columns = image.shape
    padded = np.pad(image, ((0, rows % 2), (0, columns % 2)))
    return padded.reshape((rows + 1) // 2, 2, (columns + 1) // 2, 2).mean(axis=(1, 3))


def _halved_region(region: Region | None) -> Region:
    if region is None:
        return slice(None), slice(None)
    rows, columns = (slice(s.start // 2, (s.stop + 1) // 2) for s in region)
    return rows, columns


def _haar(image: np.ndarray, scale: int, axis: int) -> np.ndarray:
    """Undecimated Haar wavelet response of ``2**scale`` pixels width along ``axis``; zeros beyond the border."""
    step = np.repeat([-1.0, 1.0], 2 ** (scale - 1)) * 2.0**-scale
    across = correlate1d(image, step, axis=axis, mode="constant", origin=-1)
    return correlate1d(across, np.ones(2**scale), axis=1 - axis, mode="constant", origin=-1)


def sharpness(truth: np.ndarray, estimate: np.ndarray, region: Region, pixel_spacing: tuple[float, float]) -> float:
    """Power of the estimate relative to the real slice's at middle frequencies: 1 is as sharp, below 1 is blurred.

    The geometric mean over the rings of :data:`MID_BAND` of the ratio of the radially averaged power spectra,
    so that every frequency counts alike although power falls steeply. ``pixel_spacing`` is (row, column) mm.
    """
    radius, real = radial_power(truth[region], pixel_spacing)
    _, made = radial_power(estimate[region], pixel_spacing)
    rings = (radius >= MID_BAND[0]) & (radius <= MID_BAND[1])
    floor = max(1e-6 * real[rings].max(), 1e-12)
    ratio = np.maximum(made[rings], floor) / np.maximum(real[rings], floor)
    return float(np.exp(np.mean(np.log(ratio))))


def radial_power(image: np.ndarray, pixel_spacing: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """(frequencies in cycles per mm, mean power) on rings as wide as the coarser frequency resolution."""
    rows, columns = image.shape
    window = np.outer(np.hanning(rows), np.hanning(columns))
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
    frequency = np.hypot(
        np.fft.fftfreq(rows, pixel_spacing[0])[:, None], np.fft.fftfreq(columns, pixel_spacing[1])[None, :]
    )
    width = 1 / min(rows * pixel_spacing[0], columns * pixel_spacing[1])
    ring = np.rint(frequency / width).astype(int).ravel()
    mean_power = np.bincount(ring, power.ravel()) / np.maximum(np.bincount(ring), 1)
    return np.arange(mean_power.size) * width, mean_power


def rank_correlation(uncertainty: np.ndarray, error: np.ndarray) -> float:
    """Spearman's correlation of two arrays of one shape; 0 where one of them is constant and so ranks nothing."""
    if np.ptp(uncertainty) == 0 or np.ptp(error) == 0:
        return 0.0
    return float(spearmanr(uncertainty, error, axis=None).statistic)


def top_error_share(uncertainty: np.ndarray, error: np.ndarray, fraction: float = 0.05) -> float:
    """Share of the summed ``error`` in the ``fraction`` most uncertain voxels; about ``fraction`` for a blind guess."""
    total = float(error.sum())
    most = max(1, round(fraction * error.size))
    top = np.argsort(uncertainty, axis=None)[-most:]
    return float(error.ravel()[top].sum()) / total if total > 0 else fraction
