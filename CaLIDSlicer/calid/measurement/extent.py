"""From where to where the left ventricle reaches along the slice axis: base and apex as planes with a position.

A slice belongs to the heart or not; a plane lies somewhere between two slices. It is found where the area of the
ventricle falls through a threshold, and it is as uncertain as the slices are apart, or as the network is unsure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calid.segmentation.labels import LEFT_VENTRICLE, RIGHT_VENTRICLE

_BASE_SHARE = 0.5  # of the area of the slices below: half of the circumference is the readers' rule
_APEX_SHARE = 0.05  # of the largest area: a cavity ends in a point
_SURE = 0.15  # the plane moves this much when the thresholds do
_PLATEAU_MM = 25.0


@dataclass(frozen=True)
class Plane:
    """``position_mm`` along the slice axis, and half the width of where it may be.

    :param slice_number: the slice (from 1) of the acquired stack nearest to it.
    :param open: the stack ends before the ventricle does.
    """

    position_mm: float
    plus_minus_mm: float
    slice_number: int
    open: bool


@dataclass(frozen=True)
class Extent:
    """Of one phase."""

    base: Plane
    apex: Plane

    @property
    def length_mm(self) -> float:
        """From base to apex."""
        return abs(self.base.position_mm - self.apex.position_mm)


def base_comes_first(probabilities: np.ndarray, positions: np.ndarray) -> bool:
    """Whether the slices begin at the base: there both cavities are wide, and they taper towards the apex.

    The mean position of the blood is nearer to the base than the middle of the left ventricle is. Not by patient
    coordinates, which many a file has lost.
    """
    areas = probabilities.sum(axis=(2, 3))
    left, blood = areas[:, LEFT_VENTRICLE], areas[:, LEFT_VENTRICLE] + areas[:, RIGHT_VENTRICLE]
    inside = positions[left > _APEX_SHARE * left.max()]
    return bool(blood @ positions / blood.sum() < (inside[0] + inside[-1]) / 2)


def find_extent(
    areas: np.ndarray, positions: np.ndarray, base_first: bool, acquired: np.ndarray, resolved_mm: float
) -> Extent:
    """Base and apex of the left cavity in one phase.

    :param areas: (k,) mm² of it in slices at ``positions`` mm.
    :param acquired: positions in mm of the acquired slices.
    :param resolved_mm: distance of the slices that were segmented; half of it is the least uncertainty.
    """
    if not base_first:
        mirrored = find_extent(areas[::-1], -positions[::-1], True, -acquired[::-1], resolved_mm)
        return Extent(_turned(mirrored.base, len(acquired)), _turned(mirrored.apex, len(acquired)))
    widest = int(np.argmax(areas))
    reference = areas[np.abs(positions - positions[widest]) <= _PLATEAU_MM / 2].mean()
    base = _crossing(areas[: widest + 1][::-1], positions[: widest + 1][::-1], reference, _BASE_SHARE)
    apex = _crossing(areas[widest:], positions[widest:], float(areas.max()), _APEX_SHARE)
    return Extent(*(_plane(place, width, is_open, acquired, resolved_mm) for place, width, is_open in (base, apex)))


def _crossing(areas: np.ndarray, positions: np.ndarray, reference: float, share: float) -> tuple[float, float, bool]:
    """Where areas, going outward, first fall below a share; half the width between a lower and a higher share."""
    where = [_first_below(areas, positions, reference * s) for s in _shares(share)]
    low, middle, high = (place for place, _ in where)
    return middle, abs(high - low) / 2, where[1][1]


def _shares(share: float) -> tuple[float, float, float]:
    return max(share - _SURE, share / 2), share, share + _SURE


def _first_below(areas: np.ndarray, positions: np.ndarray, level: float) -> tuple[float, bool]:
    below = np.flatnonzero(areas < level)
    if not len(below):
        return float(positions[-1]), True
    n = int(below[0])
    if n == 0:
        return float(positions[0]), False
    way = (areas[n - 1] - level) / (areas[n - 1] - areas[n])
    return float(positions[n - 1] + way * (positions[n] - positions[n - 1])), False


def _plane(place: float, width: float, is_open: bool, acquired: np.ndarray, resolved_mm: float) -> Plane:
    nearest = int(np.abs(acquired - place).argmin()) + 1
    return Plane(place, max(width, resolved_mm / 2), nearest, is_open)


def _turned(plane: Plane, slices: int) -> Plane:
    return Plane(-plane.position_mm, plane.plus_minus_mm, slices + 1 - plane.slice_number, plane.open)
