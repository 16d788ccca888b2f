"""One intensity scale for all slices: scanners and archives scale some series anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LARGEST_RATIO = 2.0
"""Of the brightness of a slice and that of most: from base to apex it changes by less."""

_BRIGHT_PERCENT = 95


def factors(slices: Sequence[np.ndarray]) -> list[float]:
    """By what each slice (phases, rows, columns) is to be multiplied: 1 unless it has another scale than most."""
    bright = np.array([_brightness(frames) for frames in slices])
    usual = float(np.sort(bright)[len(bright) // 2])
    ratios = bright / usual if usual > 0 else np.ones(len(bright))
    is_other = (ratios > LARGEST_RATIO) | (ratios < 1 / LARGEST_RATIO)
    return [
        _near(bright, is_other, n) / bright[n] if is_other[n] and bright[n] > 0 else 1.0 for n in range(len(ratios))
    ]


def _near(bright: np.ndarray, is_other: np.ndarray, n: int) -> float:
    """Brightness of the nearest slice that has the usual scale."""
    usual = np.flatnonzero(~is_other)
    return float(bright[usual[np.abs(usual - n).argmin()]])


def _brightness(frames: np.ndarray) -> float:
    tissue = frames[len(frames) // 2].astype(np.float64)
    return float(np.percentile(tissue, _BRIGHT_PERCENT))
