"""How well two ways to measure agree, as ACDC reports it: correlation, bias, spread, limits of agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """Of differences, measured minus reference, over patients.

    :param correlation: Pearson's; NaN for fewer than three patients or if either does not vary.
    :param sd: standard deviation of the differences, and ``mae`` the mean of their size.
    :param low: limits of agreement, bias ± 1.96 sd (J. Bland and D. Altman, Lancet 327:307, 1986), and ``high``.
    :param held: share of the references within the interval of the measured value; ``None`` without intervals.
    """

    patients: int
    correlation: float
    bias: float
    sd: float
    mae: float
    low: float
    high: float
    held: float | None = None


def agreement(
    found: Sequence[float] | np.ndarray,
    reference: Sequence[float] | np.ndarray,
    intervals: Sequence[tuple[float, float] | None] | None = None,
) -> Agreement:
    """Of values that were found with their references, one for each patient; pairs that are not finite are left out."""
    a, b = np.asarray(found, float), np.asarray(reference, float)
    usable = np.isfinite(a) & np.isfinite(b)
    off = (a - b)[usable]
    if not len(off):
        raise ValueError("nothing to compare")
    sd = float(off.std(ddof=1)) if len(off) > 1 else float("nan")
    bias = float(off.mean())
    held = None
    if intervals is not None:
        pairs = [(i, r) for i, r, use in zip(intervals, b, usable, strict=True) if use and i is not None]
        held = float(np.mean([low <= r <= high for (low, high), r in pairs])) if pairs else None
    limits = bias - 1.96 * sd, bias + 1.96 * sd
    return Agreement(len(off), _correlation(a[usable], b[usable]), bias, sd, float(np.abs(off).mean()), *limits, held)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 3 or not a.std() or not b.std():
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


@dataclass(frozen=True)
class Nearer:
    """Of two ways to measure, which comes nearer to a reference: mean error of each, and how often the first wins."""

    pairs: int
    first_mae: float
    second_mae: float
    first_wins: float


def nearer(first: Sequence[float], second: Sequence[float], reference: Sequence[float]) -> Nearer:
    """Mean sizes of the errors, and the share of the pairs in which the first is smaller."""
    a, b = (np.abs(np.asarray(each, float) - np.asarray(reference, float)) for each in (first, second))
    return Nearer(len(a), float(a.mean()), float(b.mean()), float(np.mean(a < b)))
