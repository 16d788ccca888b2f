"""A left ventricle of known shape, as the probabilities that a network would give it, and a right one beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE


@dataclass(frozen=True)
class Ventricle:
    """Half an ellipsoid of revolution, base up at ``base_mm``, in a wall as thick as its own distance says.

    :param radius: mm of the cavity at the base, and ``length`` from base to apex.
    :param wall: mm.
    """

    radius: float = 24.0
    length: float = 80.0
    wall: float = 10.0
    base_mm: float = 12.0
    pixel: float = 1.5
    size: int = 80

    def probabilities(self, positions: np.ndarray, septum: tuple[int, int] = (0, -1)) -> np.ndarray:
        """(k, 4, size, size), base first, with the right ventricle towards ``septum`` (row, column)."""
        side = (np.arange(self.size) - (self.size - 1) / 2) * self.pixel
        z, y, x = np.meshgrid(positions - self.base_mm, side, side, indexing="ij")
        below = np.clip(z + 0.5, 0, 1)  # the base is cut within a millimetre
        cavity = below * self._inside(x, y, z, 0.0)
        outer = below * self._inside(x, y, z, self.wall)
        away = self.radius + self.wall + 4
        right = self._inside(x - septum[1] * away, y - septum[0] * away, 1.3 * z, 0.0)
        found = np.zeros((len(positions), 4, self.size, self.size), np.float32)
        found[:, LEFT_VENTRICLE], found[:, MYOCARDIUM] = cavity, outer - cavity
        found[:, RIGHT_VENTRICLE] = below * right * (1 - outer)
        found[:, 0] = 1 - found[:, 1:].sum(axis=1)
        return found

    def _inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray, more: float) -> np.ndarray:
        """Share of a pixel inside the ellipsoid whose semi-axes are longer by ``more``."""
        a, c = self.radius + more, self.length + more
        level = np.sqrt((x**2 + y**2) / a**2 + z**2 / c**2)
        slope = np.sqrt((x**2 + y**2) / a**4 + z**2 / c**4) / np.maximum(level, 1e-6)
        return np.clip(0.5 - (level - 1) / np.maximum(slope, 1e-6) / self.pixel, 0, 1)

    @property
    def cavity_ml(self) -> float:
        return 2 / 3 * np.pi * self.radius**2 * self.length / 1000

    @property
    def wall_ml(self) -> float:
        outer = 2 / 3 * np.pi * (self.radius + self.wall) ** 2 * (self.length + self.wall) / 1000
        return outer - self.cavity_ml


class Capsule(Ventricle):
    """A cylinder with half a ball at its end, whose wall is of one thickness everywhere."""

    def _inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray, more: float) -> np.ndarray:
        beyond = np.maximum(z - (self.length - self.radius), 0)
        return np.clip(0.5 - (np.sqrt(x**2 + y**2 + beyond**2) - self.radius - more) / self.pixel, 0, 1)


@pytest.fixture
def capsule() -> Capsule:
    return Capsule()


@pytest.fixture
def ventricle() -> Ventricle:
    return Ventricle()
