"""What a file says before its first voxel: shape, type, where and when. Enough to write a cine phase by phase."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calid.errors import UnusableInput
from calid.stacks.axes import LAST, inverse, transposed
from calid.stacks.phases import PhaseIndex, are_even, even_steps
from calid.stacks.stack import SliceStack, uniform_step


@dataclass(frozen=True, eq=False)
class Layout:
    """The description of the voxels in a file, whose axes may come in another order than those of the stack.

    :param shape: (phases, slices, rows, columns) of the stack.
    :param dtype: of a voxel.
    :param affine: 4 x 4, IJK of the stack to LPS mm.
    :param times: seconds of each phase, or ``None``.
    :param order: which axis of the file i, j and k of the stack are.
    :param index: what the source calls the phases, or ``None``.
    :param thickness: mm that each slice averages over, or ``None``.
    """

    shape: tuple[int, int, int, int]
    dtype: np.dtype
    affine: np.ndarray
    times: tuple[float, ...] | None = None
    order: tuple[int, int, int] = LAST
    index: PhaseIndex | None = None
    thickness: float | None = None

    @classmethod
    def of(cls, stack: SliceStack, positions: np.ndarray | None = None, dtype: type | None = None) -> Layout:
        """The layout of a stack, or of one like it with slices at other ``positions`` (mm) or voxels of another type.

        How thick slices at other positions are is not known: synthesised ones may be thinner than those acquired.

        :raises UnusableInput: if the slices are not equally far apart, for a file has one spacing.
        """
        thickness = stack.thickness if positions is None else None
        positions = stack.positions if positions is None else positions
        affine = stack.frame.copy()
        affine[:3, 2] *= uniform_step(positions)
        phases, _, rows, columns = stack.voxels.shape
        shape = (phases, len(positions), rows, columns)
        kind = np.dtype(dtype or stack.voxels.dtype)
        return cls(shape, kind, affine, stack.times, stack.order, stack.index, thickness)

    @property
    def sizes(self) -> list[int]:
        """Voxels along i, j, k of the file."""
        return [self.shape[:0:-1][axis] for axis in inverse(self.order)]

    @property
    def matrix(self) -> np.ndarray:
        """4 x 4, IJK of the file to LPS mm."""
        return self.affine[:, [*inverse(self.order), 3]]

    @property
    def spacing(self) -> np.ndarray:
        """(3,) mm along i, j, k of the file."""
        return np.linalg.norm(self.matrix[:3, :3], axis=0)

    @property
    def directions(self) -> np.ndarray:
        """3 x 3 direction cosines, a column for each of i, j, k of the file."""
        return self.matrix[:3, :3] / self.spacing

    @property
    def thicknesses(self) -> list[float]:
        """mm along i, j, k of the file, not a number across the slices."""
        return [self.thickness or math.nan if axis == 2 else math.nan for axis in inverse(self.order)]

    @property
    def origin(self) -> np.ndarray:
        """(3,) LPS mm of the first voxel."""
        return self.affine[:3, 3]

    @property
    def voxel_bytes(self) -> int:
        """Bytes of all voxels, uncompressed."""
        return math.prod(self.shape) * self.dtype.itemsize

    def stored(self, voxels: np.ndarray) -> np.ndarray:
        """Voxels (slices, rows, columns) as the file has them: (k, j, i)."""
        return transposed(voxels, inverse(self.order))

    @property
    def phase_index(self) -> PhaseIndex | None:
        """What the file is to say of its phases: what the source said, or else their times in ms."""
        if self.index is not None:
            return self.index
        if self.times is None or len(set(self.times)) < len(self.times):
            return None
        return PhaseIndex(tuple(f"{1000 * time:.12g}" for time in self.times), "ms")

    @property
    def time_axis(self) -> tuple[float, float, str] | None:
        """Start, mean step and unit of the phases: all that most formats have room for."""
        index = self.phase_index
        if index is None or index.numbers is None or len(index.numbers) < 2:
            return None
        start, step = even_steps(index.numbers)
        return (start, step, index.unit) if step > 0 else None

    @property
    def has_even_times(self) -> bool:
        """Whether a start and a step say all that is known of the phases."""
        index = self.phase_index
        return index is None or len(index.values) < 2 or (index.numbers is not None and are_even(index.numbers))


def check_dtype(dtype: np.dtype) -> None:
    """Raise ``UnusableInput`` for a type of voxels that no image file holds."""
    if dtype.kind not in "iuf" or dtype.name in ("float16", "float128", "longdouble"):
        raise UnusableInput(f"no file format holds {dtype} voxels", "convert them to int16 or float32")
