"""How sure a number is: intervals that are meant to hold what an expert would measure nine times in ten.

The network is wrong where it is unsure, and its errors along a border go the same way; so half an interval is a
multiple of the volume whose label is doubtful, plus a share of the volume itself for what it is sure of and experts
see otherwise. Both were fitted to the labels of ACDC's validation patients, and are as good as those are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVEL = 0.9

Interval = tuple[float, float]


@dataclass(frozen=True)
class Spread:
    """Half an interval of a volume: ``doubt`` times its doubtful volume, and ``share`` of the volume, as a root sum."""

    doubt: float
    share: float

    def half_width(self, ml: float, doubtful_ml: float) -> float:
        """In ml."""
        return float(np.hypot(self.doubt * doubtful_ml, self.share * ml))


SPREADS = {"lv": Spread(1.0, 0.05), "wall": Spread(1.0, 0.1), "rv": Spread(1.0, 0.1)}

_TOGETHER = 0.5
"""Correlation of the errors at end-diastole and end-systole: whoever draws large does so in both."""


def around(value: float, half: float, low: float = 0.0, high: float = np.inf) -> Interval:
    """An interval around a value, within what is possible."""
    return max(low, value - half), min(high, value + half)


def stroke_half_widths(edv: float, esv: float, ed_half: float, es_half: float) -> tuple[float, float]:
    """Half intervals of stroke volume (ml) and ejection fraction (%), by propagation of errors that go together."""
    both = 2 * _TOGETHER * ed_half * es_half
    stroke = np.sqrt(max(ed_half**2 + es_half**2 - both, 0.0))
    by_ed, by_es = esv / edv**2, 1 / edv  # derivatives of the ejection fraction
    fraction = (by_ed * ed_half) ** 2 + (by_es * es_half) ** 2 - by_ed * by_es * both
    return float(stroke), float(100 * np.sqrt(max(fraction, 0.0)))
