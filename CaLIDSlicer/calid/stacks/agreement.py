"""How well two pictures of one thing agree, whatever the brightness and contrast of each. NumPy alone.

A value that is not known is not a number, in either picture; it counts nowhere, and neither do slopes next to it.
"""

from __future__ import annotations

import numpy as np


def correlation(one: np.ndarray, other: np.ndarray, where: np.ndarray | None = None) -> float:
    """Normalised cross-correlation of two arrays of one shape, -1..1; not a number where one of them is constant.

    :param where: bool, of their shape: what counts of them; ``None`` is all.
    """
    known = np.isfinite(one) & np.isfinite(other)
    if where is not None:
        known &= where
    a, b = (image[known].astype(np.float64) for image in (one, other))
    if not a.size or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def gradient_correlation(one: np.ndarray, other: np.ndarray, where: np.ndarray | None = None) -> float:
    """The same of the gradient's magnitude in two images (rows, columns): 1 if every edge is where it is."""
    return correlation(_slopes(one), _slopes(other), where)


def _slopes(image: np.ndarray) -> np.ndarray:
    """Per pixel; a central difference would not see that its own pixel is unknown."""
    return np.where(np.isfinite(image), np.hypot(*np.gradient(image)), np.nan)
