"""Invertible intensity normalisation: scanner units to the range the networks were trained on, and back.

MR has no absolute intensity scale, so a stack is scaled by its own percentiles, once for all its phases (a cine must
not flicker). Padding (:mod:`calid.stacks.padding`) has no part in that, and is air to the networks. Nothing else is
clipped: above the 99.5th percentile a logarithm tames fat and flow artefacts, and the inverse restores them exactly up
to floating-point rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calid.stacks.padding import NO_PADDING, Padding

LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.5

_LEVELS = 4096
"""That float32 must have between dark and bright, or else values are restored in float64."""


@dataclass(frozen=True)
class IntensityScale:
    """Maps ``low``..``high`` (input units) to -1..1; continues logarithmically above ``high``. Padding becomes -1."""

    low: float
    high: float
    padding: Padding = NO_PADDING

    @classmethod
    def of(cls, voxels: np.ndarray) -> IntensityScale:
        """Scale of a stack of any shape, from its percentiles (its extremes where those coincide)."""
        padding = Padding.of(np.asarray(voxels))
        tissue = padding.without(np.asarray(voxels))
        low, high = (float(p) for p in np.percentile(tissue, (LOW_PERCENTILE, HIGH_PERCENTILE)))
        if high <= low:
            low, high = float(np.min(tissue)), float(np.max(tissue))
        return cls(low, high, padding)

    def normalise(self, voxels: np.ndarray) -> np.ndarray:
        """Input units to network units, float32, same shape."""
        unit = ((np.asarray(voxels, dtype=np.float64) - self.low) / (self.high - self.low)).astype(np.float32)
        knee = np.where(unit > 1, 1 + np.log(np.maximum(unit, 1)), unit)
        if self.padding.values:
            knee[self.padding.mask(np.asarray(voxels))] = 0
        return 2 * knee - 1

    def restore(self, normalised: np.ndarray) -> np.ndarray:
        """Network units to input units, same shape; the inverse of :meth:`normalise`.

        :returns: float32, or float64 where small differences of large values need it.
        """
        knee = (np.asarray(normalised, dtype=np.float32) + 1) / 2
        # A network may overshoot; exp must not turn that into infinity.
        unit = np.where(knee > 1, np.exp(np.minimum(knee, 12) - 1), knee)
        return unit * self._kind(self.high - self.low) + self._kind(self.low)

    @property
    def _kind(self) -> type[np.floating]:
        largest = np.float32(max(abs(self.low), abs(self.high)))
        return np.float32 if np.spacing(largest) * _LEVELS <= self.high - self.low else np.float64

    def restore_deviation(self, normalised: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        """A ``deviation`` around ``normalised`` from network units to input units, float32, same shape."""
        knee = (np.asarray(normalised, dtype=np.float32) + 1) / 2
        slope = np.where(knee > 1, np.exp(np.minimum(knee, 12) - 1), 1)  # of restore()
        return slope * np.asarray(deviation, dtype=np.float32) * np.float32((self.high - self.low) / 2)
