"""Does a synthesised slice move as the real one does?

Images are (phases, rows, columns) of one slice over one heart beat, 0..1, in the region that counts. The beat is
circular: after the last phase comes the first.
"""

from __future__ import annotations

import numpy as np

from calid.selfcheck.similarity import psnr

SMOOTH_HARMONICS = 5
"""The motion of a heart is in the first harmonics of its cycle; what is above them is seen as flicker."""

_EVERYWHERE = (slice(None), slice(None))


def circular_differences(images: np.ndarray) -> np.ndarray:
    """What changes from each phase to the next; the shape of ``images``."""
    return np.roll(images, -1, axis=0) - images


def difference_psnr(truth: np.ndarray, made: np.ndarray) -> float:
    """Error of the :func:`circular_differences` over all phases, as a peak signal-to-noise ratio in dB, at most 100.

    6 dB more is half the error.
    """
    real, found = (circular_differences(images).reshape(-1, images.shape[-1]) for images in (truth, made))
    return float(psnr(real, found, _EVERYWHERE))


def harmonic_energy(images: np.ndarray) -> np.ndarray:
    """(phases // 2 + 1,) energy of each harmonic of the heart cycle, from 0, the mean over the beat; sum over pixels.

    They sum to the mean over the phases of the sum of squares (Parseval).
    """
    phases = len(images)
    power = np.square(np.abs(np.fft.rfft(images.astype(np.float64), axis=0) / phases)).sum(axis=(1, 2))
    paired = slice(1, (phases + 1) // 2)  # those whose negative frequency the real transform leaves out
    power[paired] *= 2
    return power


def flicker(truth: np.ndarray, made: np.ndarray) -> float:
    """Energy above the 5th harmonic relative to the real slice's: 1 is as lively, above 1 flickers, below is smoothed.

    NaN where the real slice has none: less than 12 phases, or nothing that changes.
    """
    real, found = (float(harmonic_energy(images)[SMOOTH_HARMONICS + 1 :].sum()) for images in (truth, made))
    return max(found / real, 1e-6) if real > 0 else float("nan")
