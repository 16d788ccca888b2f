"""Values that fill what the scanner did not see: -9999, ±32768, 65535, any constant outside of a round field of view.

Such a value says nothing of tissue. It would spoil an intensity scale and make every network see an edge, so whoever
computes with voxels leaves it out. Only what is clearly no tissue counts: a value at the end of the range, and far from
all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TISSUE_PERCENT = (0.5, 99.5)

_FEWEST = 4
"""Voxels of one value. A single hot one is an artefact of flow, and has no effect on percentiles."""

_NEAR_SHARE = 0.02
"""Of the whole range: an extreme value that is nearer to the next one belongs to the others. Spares looking closer."""

_STANDING_SHARE = 0.1
"""Of the range of tissue: so far from it is a value that fills the same voxels in all slices and phases, no tissue."""

_MOST = 4
"""Padding values of one stack."""


@dataclass(frozen=True)
class Padding:
    """The padding values of a stack, in the type of its voxels; mostly there are none."""

    values: tuple[np.generic, ...] = ()

    @classmethod
    def of(cls, voxels: np.ndarray) -> Padding:
        """Find them in voxels (..., rows, columns)."""
        values: list[np.generic] = []
        rest = voxels.ravel()
        while len(values) < _MOST and (value := _padding_value(rest, voxels)) is not None:
            values.append(value)
            rest = rest[rest != value]
        return cls(tuple(values))

    def mask(self, voxels: np.ndarray) -> np.ndarray:
        """True where there is padding; same shape."""
        mask = np.zeros(voxels.shape, bool)
        for value in self.values:
            mask |= voxels == value
        return mask

    def without(self, voxels: np.ndarray) -> np.ndarray:
        """The other voxels, flat."""
        return voxels[~self.mask(voxels)] if self.values else voxels.ravel()

    def filled(self, voxels: np.ndarray) -> np.ndarray:
        """The voxels with the lowest value of tissue in place of padding."""
        if not self.values:
            return voxels
        low = np.percentile(self.without(voxels), _TISSUE_PERCENT[0], method="nearest")
        return np.where(self.mask(voxels), low, voxels)


NO_PADDING = Padding()


def _padding_value(rest: np.ndarray, voxels: np.ndarray) -> np.generic | None:
    """One of the two ends of the values in ``rest``, if it is padding of ``voxels``."""
    if rest.size == 0:
        return None
    ends = rest.min(), rest.max()
    span = float(ends[1]) - float(ends[0])
    for value, nearest in ((ends[0], np.min), (ends[1], np.max)):
        others = rest[rest != value]
        if not others.size:
            return None
        gap = abs(float(value) - float(nearest(others)))
        if gap <= _NEAR_SHARE * span or rest.size - others.size < _FEWEST:
            continue
        low, high = np.percentile(others, _TISSUE_PERCENT, method="nearest")
        tissue = float(high) - float(low)
        if tissue > 0 and (gap > tissue or (gap > _STANDING_SHARE * tissue and _stands(voxels == value))):
            return value
    return None


def _stands(mask: np.ndarray) -> bool:
    """Whether a mask (..., rows, columns) is the same in all slices and phases, and reaches a corner."""
    flat = mask.reshape(-1, *mask.shape[-2:])
    corners = flat[0][[0, 0, -1, -1], [0, -1, 0, -1]]
    return len(flat) > 1 and bool((flat == flat[0]).all()) and bool(corners.any())
