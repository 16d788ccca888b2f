"""How sure a number is: intervals that are meant to hold what an expert would measure nine times in ten.

The network is wrong where it is unsure, and its errors along a border go the same way; so half an interval is a
multiple of the volume whose label is doubtful, with a share of the volume itself for what it is sure of and experts
see otherwise. Where a chamber ends at the base, a network and an expert may differ by a slice: the right ventricle in
systole, whose valve moves towards the apex, by all of it. All were fitted to the labels of ACDC's validation patients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LEVEL = 0.9

Interval = tuple[float, float]


BASAL_MM = 10.0
"""What usual slices are apart: the depth in which a slice more or less at the base is counted."""


@dataclass(frozen=True)
class Spread:
    """Half an interval of a volume, as the root of a sum of squares.

    :param doubt: times its doubtful volume.
    :param share: of the volume.
    :param base: times what it holds next to the base.
    """

    doubt: float
    share: float
    base: float = 0.0

    def half_width(self, ml: float, doubtful_ml: float, basal_ml: float = 0.0) -> float:
        """In ml."""
        return math.hypot(self.doubt * doubtful_ml, self.share * ml, self.base * basal_ml)


DIASTOLE = {"lv": Spread(1.2, 0.03), "wall": Spread(0.9, 0.03), "rv": Spread(1.0, 0.03, 0.3)}
SYSTOLE = {**DIASTOLE, "rv": Spread(1.0, 0.03, 1.0)}
"""Of parts of the heart at end-diastole and end-systole."""

TOGETHER = {"lv": 0.5, "rv": 0.0}
"""Correlation of the errors at both: whoever draws the left ventricle large does so in both; the base of the right one
is misjudged in one."""


def around(value: float, half: float, low: float = 0.0, high: float = math.inf) -> Interval:
    """An interval around a value, within what is possible."""
    return max(low, value - half), min(high, value + half)


def stroke_half_widths(edv: float, esv: float, ed_half: float, es_half: float, together: float) -> tuple[float, float]:
    """Half intervals of stroke volume (ml) and ejection fraction (%), by propagation of errors.

    :param together: correlation of the errors of both volumes.
    """
    both = 2 * together * ed_half * es_half
    stroke = math.sqrt(max(ed_half**2 + es_half**2 - both, 0.0))
    by_ed, by_es = esv / edv**2, 1 / edv  # derivatives of the ejection fraction
    fraction = (by_ed * ed_half) ** 2 + (by_es * es_half) ** 2 - by_ed * by_es * both
    return stroke, 100 * math.sqrt(max(fraction, 0.0))
