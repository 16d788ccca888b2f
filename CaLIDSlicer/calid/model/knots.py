"""Positions in a gap: from knots to any fraction and any thickness, by a cubic spline. Fixed linear maps, in numpy.

What a network says at the knots of a gap is taken for samples of a smooth function of the position. The value at any
fraction, and the mean over a slab around it, are weighted sums of the knots, computed once for a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np

KNOTS = 9
"""Equally spaced positions of a gap from 0 to 1, both bounding slices included."""

_PLACES = np.linspace(0, 1, KNOTS)


def _splines(at: np.ndarray) -> np.ndarray:
    """(at, 9) a basis of the cubic splines that are "not-a-knot": no bend at the first and the last inner knot."""
    return np.hstack([at[:, None] ** np.arange(4), np.clip(at[:, None] - _PLACES[2:-2], 0, None) ** 3])


def _integrals(to: np.ndarray) -> np.ndarray:
    """(to, 9) of that basis, from 0."""
    powers = np.arange(1, 5)
    return np.hstack([to[:, None] ** powers / powers, np.clip(to[:, None] - _PLACES[2:-2], 0, None) ** 4 / 4])


@cache
def _through_knots() -> np.ndarray:
    """(9, 9) from values at the knots to the splines of the basis."""
    return np.linalg.inv(_splines(_PLACES))


def thin_weights(fractions: Sequence[float] | np.ndarray) -> np.ndarray:
    """(len(fractions), 9) float32: the spline through the knots at each fraction of the gap, 0..1."""
    return (_splines(np.asarray(fractions, dtype=float)) @ _through_knots()).astype(np.float32)


def slab_weights(fractions: Sequence[float] | np.ndarray, width: float) -> np.ndarray:
    """(len(fractions), 9) float32: the spline's mean over a slab of ``width`` (in units of the gap) at each fraction.

    A slab that reaches beyond the gap is cut there: what lies beyond is another gap's to say.
    """
    if width <= 0:
        return thin_weights(fractions)
    centres = np.asarray(fractions, dtype=float)
    low, high = (np.clip(centres + side * width / 2, 0, 1) for side in (-1, 1))
    means = (_integrals(high) - _integrals(low)) / (high - low)[:, None]
    return (means @ _through_knots()).astype(np.float32)


def between_weights(fractions: Sequence[float] | np.ndarray) -> np.ndarray:
    """(len(fractions), 9) float32: the straight line between the two nearest knots, which never leaves their range."""
    at = np.asarray(fractions, dtype=float)
    return np.stack([np.interp(at, _PLACES, unit) for unit in np.eye(KNOTS)], axis=1).astype(np.float32)


SMOOTH_MM = 4.0  # how far along the axis what is missing in a slab is smoothly made up for
NOISE = 0.01  # variance of a slice's noise beside that of what a slab hides
FINE = 24  # points of a gap at which integrals along the axis are taken


@lru_cache(maxsize=4096)
def consistent_weights(
    offsets: tuple[float, ...], present: tuple[bool, ...], gap: float, thickness: float
) -> np.ndarray:
    """(9, slices) float32: from slices to the knots of a gap, so that slabs of the result are the slices again.

    Linear interpolation ``L``, and what it lacks, made up for as smoothly as a Gaussian ``S`` says:
    ``L + S A' (A S A' + noise)^-1 (1 - A L)``, where ``A`` averages over the slabs. No image is looked at.

    :param offsets: positions of the slices in units of the gap: 0 below it, 1 above it.
    :param present: whether each slice exists; one that does not gets no weight.
    :param gap: mm; :param thickness: mm that a slice averages over.
    """
    shown = np.array(present)
    centres = np.array(offsets)[shown]
    half = max(thickness / gap, 1 / FINE) / 2
    at = np.arange(np.floor((centres.min() - half) * FINE), np.ceil((centres.max() + half) * FINE) + 1) / FINE
    cell = 0.5 / FINE
    covered = np.minimum(at + cell, centres[:, None] + half) - np.maximum(at - cell, centres[:, None] - half)
    slabs = np.clip(covered, 0, None)
    slabs /= slabs.sum(axis=1, keepdims=True)
    lines = np.stack([np.interp(at, centres, unit) for unit in np.eye(len(centres))], axis=1)
    smooth = np.exp(-0.5 * ((at[:, None] - at) * gap / SMOOTH_MM) ** 2)
    spread = smooth @ slabs.T
    lacking = np.eye(len(centres)) - slabs @ lines
    dense = lines + spread @ np.linalg.solve(slabs @ spread + NOISE * np.eye(len(centres)), lacking)
    places = np.round((_PLACES - at[0]) * FINE).astype(int)
    weights = np.zeros((KNOTS, len(shown)), np.float32)
    weights[:, shown] = dense[places]
    return weights
