"""The wall of the left ventricle as a set of voxels, each with six ways out: to wall, to the inside, to the outside.

Where a border lies between two voxels is read from their probabilities: thickness is not a whole number of voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM

INSIDE, OUTSIDE, CUT = -1, -2, -3
"""Beyond a border of a wall voxel: the cavity, what is around the heart, or where the wall was cut off, at the base."""

_NEAREST = 0.1  # of a step: a border nearer than that would make equations stiff


@dataclass(frozen=True, eq=False)
class Wall:
    """Voxels of a wall, numbered, and what is around each.

    :param index: (n, 3) of each voxel in the grid.
    :param beside: (n, 3 axes, 2 sides) number of the wall voxel there, or what else is there.
    :param steps: (n, 3, 2) mm to the middle of that voxel, or to the border.
    :param spacing: (3,) mm between voxels.
    """

    index: np.ndarray
    beside: np.ndarray
    steps: np.ndarray
    spacing: np.ndarray

    @classmethod
    def of(cls, probabilities: np.ndarray, spacing: tuple[float, float, float], slices: slice) -> Wall:
        """From probabilities (k, classes, h, w) of one phase, within ``slices``, at whose ends the wall is cut.

        A voxel is wall where that is likelier than cavity and than all else together.
        """
        cavity = np.pad(probabilities[slices, LEFT_VENTRICLE], 1)
        wall = np.pad(probabilities[slices, MYOCARDIUM], 1)
        is_wall = (wall > cavity) & (wall + cavity > 0.5)
        is_cavity = (cavity >= wall) & (wall + cavity > 0.5)
        places = np.argwhere(is_wall)
        number = np.full(wall.shape, OUTSIDE)
        number[is_cavity] = INSIDE
        number[[0, -1]] = CUT
        number[is_wall] = np.arange(len(places))
        beside = np.empty((len(places), 3, 2), int)
        steps = np.empty((len(places), 3, 2))
        levels = {INSIDE: wall - cavity, OUTSIDE: wall + cavity - 0.5}
        for axis in range(3):
            for side, sign in enumerate((-1, 1)):
                there = places + sign * np.eye(3, dtype=int)[axis]
                beside[:, axis, side] = number[tuple(there.T)]
                steps[:, axis, side] = spacing[axis] * _parts(levels, places, there, beside[:, axis, side])
        return cls(places - 1, beside, steps, np.asarray(spacing))


def _parts(levels: dict[int, np.ndarray], places: np.ndarray, there: np.ndarray, what: np.ndarray) -> np.ndarray:
    """Of a step, up to the border where a level passes through 0, or all of it where there is no border."""
    parts = np.ones(len(places))
    for kind, level in levels.items():
        crosses = what == kind
        here, beyond = level[tuple(places[crosses].T)], level[tuple(there[crosses].T)]
        parts[crosses] = np.clip(here / np.maximum(here - beyond, 1e-6), _NEAREST, 1)
    return parts
