"""What lies above and below a slice: a basal slice is told from an atrium by the slices beside it.

The network sees three slices: the one to label, and one on either side, a fixed distance in mm away, so that a sparse
and a dense stack look alike to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NOTHING = -1.0
"""Network units of air: what is shown where the stack has no slice, at its ends."""


def beside(positions: Sequence[float] | np.ndarray, reach: float) -> list[tuple[int | None, int | None]]:
    """For every slice at ``positions`` (mm, increasing) the indices of the slices ``reach`` mm below and above it.

    Of what there is on a side it is the nearest to that distance, and none if even that is off by more than half.
    """
    places = np.asarray(positions, dtype=np.float64)
    return [(_nearest(places, k, -reach), _nearest(places, k, reach)) for k in range(len(places))]


def _nearest(places: np.ndarray, k: int, away: float) -> int | None:
    side = np.flatnonzero((places - places[k]) * np.sign(away) > 0)
    if not len(side):
        return None
    off = np.abs(places[side] - places[k] - away)
    return int(side[off.argmin()]) if off.min() <= abs(away) / 2 else None


def with_context(slices: np.ndarray, positions: Sequence[float] | np.ndarray, reach: float) -> np.ndarray:
    """Slices (..., k, rows, columns) in network units as (..., k, 3, rows, columns): each, and those beside it.

    :param reach: mm to the slices beside it; 0 for a network that sees one slice only: (..., k, 1, rows, columns).
    """
    if not reach:
        return slices[..., None, :, :]
    nothing = np.full_like(slices[..., :1, :, :], NOTHING)
    padded = np.concatenate([slices, nothing], axis=-3)
    last = slices.shape[-3]
    rows = [[k, *(last if n is None else n for n in pair)] for k, pair in enumerate(beside(positions, reach))]
    return padded[..., np.array(rows), :, :]
