"""Wall thickness by the 17 segments of the American Heart Association (M. Cerqueira et al., Circulation 105:539, 2002).

The long axis is cut into thirds from the most basal slice whose wall is a full ring to where the cavity ends; what lies
beyond is the apex, 17. Around it, segments are counted from the septum, whose middle faces the right ventricle. Which
side of it is anterior follows from the handedness of a heart, seen from the apex: septum left, anterior wall up. That
needs directions which are those of the patient. Converters lose them, and then an image may be its mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calid.measurement.thickness import wall_thickness
from calid.measurement.wall import Wall
from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE

NAMES = (
    *("basal anterior", "basal anteroseptal", "basal inferoseptal"),
    *("basal inferior", "basal inferolateral", "basal anterolateral"),
    *("mid anterior", "mid anteroseptal", "mid inferoseptal", "mid inferior", "mid inferolateral", "mid anterolateral"),
    *("apical anterior", "apical septal", "apical inferior", "apical lateral", "apex"),
)
SMALLEST_RIGHT_ML = 10.0
"""Less of a right ventricle does not tell where the septum is."""

_OBLIQUE = np.cos(np.radians(2.0))
"""A short axis is oblique to all axes of a patient: slices along one of them come from a file that lost directions."""

_SECTORS = 36
_FULL_RING = 0.9
_MIDDLE = (0.2, 0.8)  # depth in the wall of the voxels that a segment is averaged over
_FEWEST = 10  # voxels of a segment that has a thickness
_RING_OF_SIX = np.array([3, 2, 1, 6, 5, 4])  # from the septum's middle, by 60 degrees, from -60 towards anterior
_RING_OF_FOUR = np.array([14, 13, 16, 15])  # by 90 degrees, from -45


@dataclass(frozen=True, eq=False)
class LongAxis:
    """How the left ventricle lies in the grid of its labels, the same for all phases.

    :param positions: (k,) mm of the slices, and ``base_first`` whether they begin at the base.
    :param pixel: mm.
    :param septum: (row, column) unit vector towards the right ventricle, and ``anterior`` the one across it.
    :param is_oriented: whether the directions of the stack can be those of a patient. If not, what is called anterior
        may be inferior.
    """

    positions: np.ndarray
    base_first: bool
    pixel: float
    septum: np.ndarray
    anterior: np.ndarray
    is_oriented: bool

    @classmethod
    def of(
        cls, probabilities: np.ndarray, positions: np.ndarray, pixel: float, frame: np.ndarray, base_first: bool
    ) -> LongAxis | None:
        """From end-diastole (k, classes, h, w); ``None`` without a right ventricle.

        :param frame: of the stack, 4 x 4, (i, j, mm along the slice axis, 1) to world mm, LPS or RAS.
        """
        right, left = probabilities[:, RIGHT_VENTRICLE], probabilities[:, LEFT_VENTRICLE]
        step = float(np.diff(positions).mean())
        if right.sum() * step * pixel**2 < SMALLEST_RIGHT_ML * 1000:
            return None
        both = np.minimum(right.sum(axis=(1, 2)), left.sum(axis=(1, 2)))  # slices that show both count
        used = both > 0.1 * both.max()
        ways = _centres(right[used]) - _centres(left[used])
        way = (ways * both[used, None]).sum(axis=0)
        septum = way / np.linalg.norm(way)
        down, across = (frame[:3, n] / np.linalg.norm(frame[:3, n]) for n in (1, 0))
        to_apex = frame[:3, 2] if base_first else -frame[:3, 2]
        ahead = np.cross(septum[0] * down + septum[1] * across, to_apex)
        is_oriented = bool(np.abs(to_apex).max() < _OBLIQUE and to_apex[2] < 0)  # an apex lies lower than its base
        return cls(positions, base_first, pixel, septum, np.array([ahead @ down, ahead @ across]), is_oriented)

    def segment_thickness(self, probabilities: np.ndarray, apex_mm: float) -> dict[int, float]:
        """Mean thickness in mm of each of the 17 segments that there is enough of, in one phase (k, classes, h, w).

        :param apex_mm: position where the cavity ends.
        """
        if not probabilities[:, LEFT_VENTRICLE].any():  # a person has drawn a phase without
            return {}
        rings = np.flatnonzero(self._ring_shares(probabilities) >= _FULL_RING)
        if not len(rings):
            return {}
        count = len(self.positions)
        slices = slice(int(rings[0]), count) if self.base_first else slice(0, int(rings[-1]) + 1)
        base_mm = self.positions[slices][0 if self.base_first else -1]
        spacing = (float(np.diff(self.positions).mean()), self.pixel, self.pixel)
        wall = Wall.of(probabilities, spacing, slices)
        if not len(wall.index):
            return {}
        thickness, depth = wall_thickness(wall)
        k = wall.index[:, 0] + slices.start
        middle = (depth > _MIDDLE[0]) & (depth < _MIDDLE[1])
        down = (self.positions[k] - base_mm) / (apex_mm - base_mm)
        numbers = _segment_of(down, self._angles(probabilities, k, wall.index[:, 1:]))
        means = {}
        for number in range(1, 18):
            chosen = thickness[middle & (numbers == number)]
            if len(chosen) >= _FEWEST:
                means[number] = float(chosen.mean())
        return means

    def _angles(self, probabilities: np.ndarray, k: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Degrees around the axis, 0 at the middle of the septum and 90 anterior, of (row, column) in slices ``k``."""
        centres = self._axis(probabilities)
        away = places - centres[k]
        return np.degrees(np.arctan2(away @ self.anterior, away @ self.septum))

    def _axis(self, probabilities: np.ndarray) -> np.ndarray:
        """(k, 2) middle of the cavity in each slice; beyond its ends that of the nearest slice with one."""
        left = probabilities[:, LEFT_VENTRICLE]
        areas = left.sum(axis=(1, 2))
        there = np.flatnonzero(areas > 0.05 * areas.max())
        nearest = there[np.abs(np.arange(len(left))[:, None] - there).argmin(axis=1)]
        return _centres(left[nearest])

    def _ring_shares(self, probabilities: np.ndarray) -> np.ndarray:
        """(k,) share of the directions from the middle of the cavity in which there is wall."""
        centres, shares = self._axis(probabilities), np.zeros(len(probabilities))
        for k, slice_wall in enumerate(probabilities[:, MYOCARDIUM] > 0.5):
            if probabilities[k, LEFT_VENTRICLE].max() > 0.5:
                away = np.argwhere(slice_wall) - centres[k]
                sectors = np.floor(np.arctan2(away[:, 0], away[:, 1]) / (2 * np.pi) * _SECTORS) % _SECTORS
                shares[k] = len(np.unique(sectors)) / _SECTORS
        return shares


def _centres(shares: np.ndarray) -> np.ndarray:
    """(k, 2) centre of gravity, (row, column), of each (h, w)."""
    rows, columns = np.arange(shares.shape[1]), np.arange(shares.shape[2])
    total = np.maximum(shares.sum(axis=(1, 2)), 1e-9)
    return np.stack([shares.sum(axis=2) @ rows, shares.sum(axis=1) @ columns], axis=1) / total[:, None]


def _segment_of(down: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Numbers of the segments; ``down`` is 0 at the base and 1 where the cavity ends."""
    six = _RING_OF_SIX[np.floor((degrees + 60) / 60).astype(int) % 6]
    four = _RING_OF_FOUR[np.floor((degrees + 45) / 90).astype(int) % 4]
    return np.select([down < 1 / 3, down < 2 / 3, down <= 1], [six, six + 6, four], 17)
