"""What the volume curve of one beat says: end-diastole, end-systole, stroke volume, ejection fraction, rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEWEST_PHASES_FOR_RATES = 12
"""Fewer do not sample the steepest part of a beat, and bias volumes too."""

_HARMONICS = 5
"""Of the heart rate, that a curve is smoothed to: the noise of a phase must not be the peak of a derivative."""


def end_phases(lv_ml: np.ndarray) -> tuple[int, int]:
    """Numbers (from 0) of end-diastole and end-systole: where the left cavity is largest, and smallest."""
    return int(np.argmax(lv_ml)), int(np.argmin(lv_ml))


@dataclass(frozen=True)
class Function:
    """Of one ventricle; what takes two phases is ``None`` if there is one only."""

    edv_ml: float
    esv_ml: float | None
    sv_ml: float | None
    ef_percent: float | None

    @classmethod
    def of(cls, ml: np.ndarray, ed: int, es: int) -> Function:
        """From the volumes of all phases and the numbers of two of them."""
        edv, esv = float(ml[ed]), float(ml[es])
        if len(ml) == 1:
            return cls(edv, None, None, None)
        return cls(edv, esv, edv - esv, 100 * (edv - esv) / edv if edv > 0 else None)


def output_l_min(sv_ml: float | None, rate: float | None) -> float | None:
    """Cardiac output, from the stroke volume and beats per minute."""
    return None if sv_ml is None or rate is None else sv_ml * rate / 1000


def peak_rates(ml: np.ndarray, rr_ms: float) -> tuple[float, float]:
    """Peak ejection and peak filling rate, ml/s, both positive, of a beat of evenly spaced phases.

    The derivative of the curve's first harmonics, sampled ten times as finely as the phases.
    """
    order = np.arange(min(_HARMONICS, (len(ml) - 1) // 2) + 1)
    waves = np.fft.rfft(ml)[: len(order)] / len(ml)
    when = np.linspace(0, 1, 10 * len(ml), endpoint=False)
    slopes = 2 * np.real(np.exp(2j * np.pi * np.outer(when, order)) @ (2j * np.pi * order * waves))
    per_second = slopes / (rr_ms / 1000)
    return float(-per_second.min()), float(per_second.max())
