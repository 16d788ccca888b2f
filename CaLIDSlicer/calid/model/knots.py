"""Positions in a gap: from knots to any fraction and any thickness, by a cubic spline. Fixed linear maps, in numpy.

What a network says at the knots of a gap is taken for samples of a smooth function of the position. The value at any
fraction, and the mean over a slab around it, are weighted sums of the knots, computed once for a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.interpolate import CubicSpline

KNOTS = 9
"""Equally spaced positions of a gap from 0 to 1, both bounding slices included."""


@cache
def _spline() -> CubicSpline:
    return CubicSpline(np.linspace(0, 1, KNOTS), np.eye(KNOTS), bc_type="not-a-knot")


def thin_weights(fractions: Sequence[float] | np.ndarray) -> np.ndarray:
    """(len(fractions), 9) float32: the spline through the knots at each fraction of the gap, 0..1."""
    return _spline()(np.asarray(fractions, dtype=float)).astype(np.float32)


def slab_weights(fractions: Sequence[float] | np.ndarray, width: float) -> np.ndarray:
    """(len(fractions), 9) float32: the spline's mean over a slab of ``width`` (in units of the gap) at each fraction.

    A slab that reaches beyond the gap is cut there: what lies beyond is another gap's to say.
    """
    if width <= 0:
        return thin_weights(fractions)
    integral = _spline().antiderivative()
    rows = []
    for fraction in np.asarray(fractions, dtype=float):
        low, high = max(0.0, fraction - width / 2), min(1.0, fraction + width / 2)
        rows.append((integral(high) - integral(low)) / (high - low))
    return np.asarray(rows, dtype=np.float32)
