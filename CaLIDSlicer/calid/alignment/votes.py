"""One displacement from many pixels: where edges are, what they say across themselves, and how sure they are of it."""

from __future__ import annotations

import numpy as np

TILES = 4
"""Along each side. The uncertainty is that of leaving out one of the tiles: pixels of a tile say the same."""

ROUNDS = 8
FLOOR = 0.15
"""Pixels, of the scale of what disagrees with the others."""


def vote(slopes: np.ndarray, window: np.ndarray, displacement: np.ndarray) -> tuple[np.ndarray, float]:
    """The displacement that the edges of a slice agree on, and its standard deviation, both in pixels.

    An edge only knows how far it moved across itself, so edges in all directions are solved for together, with less
    weight for those that disagree.

    :param slopes: (2, rows, columns) derivatives of the picture along rows and columns.
    :param window: (rows, columns) how much each pixel counts.
    :param displacement: (2, rows, columns) of each pixel.
    """
    strength = np.hypot(*slopes) + 1e-3
    tile = _tiles(window.shape)
    weight, agreed = window, np.zeros(2)
    for _ in range(ROUNDS):
        sums = _normal_equations(slopes, weight, displacement, tile)
        agreed = _solve(sums.sum(axis=1))
        error = (slopes * (displacement - agreed[:, None, None])).sum(axis=0) / strength
        scale = max(FLOOR, 1.48 * _weighted_median(np.abs(error), window * strength**2))
        weight = window / (1 + (error / scale) ** 2)
    left_out = np.array([_solve(sums.sum(axis=1) - one) for one in sums.T])
    variance = (1 - 1 / TILES**2) * ((left_out - agreed) ** 2).sum()
    return agreed, float(np.sqrt(variance))


def _tiles(shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = (np.arange(n) * TILES // n for n in shape)
    return (rows[:, None] * TILES + columns).ravel()


def _normal_equations(slopes: np.ndarray, weight: np.ndarray, displacement: np.ndarray, tile: np.ndarray) -> np.ndarray:
    """(5, tiles): the matrix (three of its four entries) and the right-hand side of each tile."""
    down, across = slopes
    along = (slopes * displacement).sum(axis=0)
    terms = (down * down, down * across, across * across, down * along, across * along)
    return np.stack([np.bincount(tile, (weight * term).ravel(), TILES**2) for term in terms])


def _solve(sums: np.ndarray) -> np.ndarray:
    a, b, c, *right = sums
    return np.linalg.solve(np.array([[a, b], [b, c]]) + 1e-6 * np.eye(2), right)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values, axis=None)
    sums = np.cumsum(weights.ravel()[order])
    return float(values.ravel()[order][np.searchsorted(sums, sums[-1] / 2)])
