"""What a file says before its first voxel: shape, type, where and when. Enough to write a cine phase by phase."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from calid.errors import UnusableInput
from calid.stacks.stack import SliceStack, uniform_step

_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "µs": 1e-6}
_LONGEST_STEP = 5.0
"""Phases of a heart beat are never this many seconds apart: a larger step without a unit is in ms."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The description of the voxels in a file.

    :param shape: (phases, slices, rows, columns).
    :param dtype: of a voxel.
    :param affine: 4 x 4, IJK to LPS mm.
    :param times: seconds of each phase, or ``None``.
    """

    shape: tuple[int, int, int, int]
    dtype: np.dtype
    affine: np.ndarray
    times: tuple[float, ...] | None = None

    @classmethod
    def of(cls, stack: SliceStack, positions: np.ndarray | None = None, dtype: type | None = None) -> Layout:
        """The layout of a stack, or of one like it with slices at other ``positions`` (mm) or voxels of another type.

        :raises UnusableInput: if the slices are not equally far apart, for a file has one spacing.
        """
        positions = stack.positions if positions is None else positions
        affine = stack.frame.copy()
        affine[:3, 2] *= uniform_step(positions)
        phases, _, rows, columns = stack.voxels.shape
        shape = (phases, len(positions), rows, columns)
        return cls(shape, np.dtype(dtype or stack.voxels.dtype), affine, stack.times)

    @property
    def spacing(self) -> np.ndarray:
        """(3,) mm along i, j, k."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def directions(self) -> np.ndarray:
        """3 x 3 direction cosines, a column for each of i, j, k."""
        return self.affine[:3, :3] / self.spacing

    @property
    def origin(self) -> np.ndarray:
        """(3,) LPS mm of the first voxel."""
        return self.affine[:3, 3]

    @property
    def voxel_bytes(self) -> int:
        """Bytes of all voxels, uncompressed."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def time_axis(self) -> tuple[float, float] | None:
        """Start and mean step of the phases in seconds: all that most formats have room for."""
        if self.times is None or len(self.times) < 2 or self.times[-1] <= self.times[0]:
            return None
        return self.times[0], (self.times[-1] - self.times[0]) / (len(self.times) - 1)


def seconds(values: Iterable[float], unit: str) -> tuple[float, ...] | None:
    """Times as a file gives them, in seconds; ``None`` if they are no increasing times.

    Without a unit, a step of 1 is a mere counter, and one of 5 or more must be milliseconds.
    """
    times = tuple(values)
    steps = np.diff(times)
    if not np.isfinite(times).all() or (steps <= 0).any():
        return None
    if not unit:
        if len(times) < 2 or np.allclose(steps, 1):
            return None
        unit = "s" if steps.mean() < _LONGEST_STEP else "ms"
    scale = _SECONDS.get(unit.lower())
    return None if scale is None else tuple(time * scale for time in times)


def check_dtype(dtype: np.dtype) -> None:
    """Raise ``UnusableInput`` for a type of voxels that no image file holds."""
    if dtype.kind not in "iuf" or dtype.name in ("float16", "float128", "longdouble"):
        raise UnusableInput(f"no file format holds {dtype} voxels", "convert them to int16 or float32")
