"""A stack of parallel slices with exact geometry: what every step of the method takes and returns.

Slices may be any distance apart, oblique, left-handed, and stored in either order: all of it is in ``frame`` and
``positions``, so no other file needs to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calid.errors import UnusableInput
from calid.stacks.axes import LAST, perpendicular, reordered, slices_last
from calid.stacks.phases import PhaseIndex

PERPENDICULAR_TOLERANCE = 1e-3
"""Largest cosine between two axes that count as perpendicular: 0.1 mm over a stack of 100 mm."""

POSITION_TOLERANCE_MM = 0.02
"""Positions and gaps that agree to this count as equal. Scanners write coordinates with two to six decimals, and three
coordinates with two of them move a gap by up to 0.017 mm. This is the one tolerance for rounded positions."""

GRID_TOLERANCE_MM = 0.1
"""Single slices may be shifted in their plane by this and still share one pixel grid."""


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Voxels and where they are.

    :param voxels: ``(phases, slices, rows, columns)`` in the data type of the file; axes t, k, j, i.
    :param frame: 4 x 4, from (i, j, mm along the slice axis, 1) to world mm; its third column has unit length. The
        world is LPS for stacks read from a file and RAS for stacks from 3D Slicer.
    :param positions: of each slice in mm along the slice axis, strictly increasing from 0.
    :param times: of each phase in seconds, increasing; ``None`` where the source does not say.
    :param order: where its axes i, j and k were in the source: 0, 1, 2, unless the slices were not along the last one.
    :param index: what the source calls the phases; ``None`` where it does not say.
    :param thickness: mm that each slice averages over; ``None`` where the source does not say.
    :raises UnusableInput: for fewer than two slices, voxels that are not finite real numbers or all equal, a spacing
        that is not positive, and axes that are not perpendicular.
    """

    voxels: np.ndarray
    frame: np.ndarray
    positions: np.ndarray
    times: tuple[float, ...] | None = None
    order: tuple[int, int, int] = LAST
    index: PhaseIndex | None = None
    thickness: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "voxels", np.asarray(self.voxels))
        object.__setattr__(self, "frame", np.asarray(self.frame, dtype=np.float64))
        object.__setattr__(self, "positions", np.asarray(self.positions, dtype=np.float64))
        _check_shape(self)
        _check_geometry(self.frame, self.positions)
        _check_voxels(self.voxels)

    @classmethod
    def from_affine(
        cls,
        voxels: np.ndarray,
        affine: np.ndarray,
        times: Sequence[float] | None = None,
        index: PhaseIndex | None = None,
    ) -> SliceStack:
        """A stack with equal gaps from 3D or 4D voxels, axes (t,) k, j, i, and the affine IJK to world mm.

        The slices may lie along any axis (:func:`calid.stacks.axes.slices_last`); :attr:`order` remembers which.
        """
        voxels = np.asarray(voxels)
        voxels = voxels[np.newaxis] if voxels.ndim == 3 else voxels
        frame = perpendicular(np.array(affine, dtype=np.float64), PERPENDICULAR_TOLERANCE)
        order = slices_last(voxels.shape[:0:-1], frame) if voxels.ndim == 4 else LAST
        if order != LAST:
            voxels, frame = reordered(voxels, frame, order)
        spacing = _length("slice spacing", frame[:3, 2])
        frame[:3, 2] /= spacing
        slices = voxels.shape[1] if voxels.ndim == 4 else 0
        return cls(voxels, frame, np.arange(slices) * spacing, None if times is None else tuple(times), order, index)

    @classmethod
    def from_slices(
        cls, slices: Sequence[tuple[np.ndarray, np.ndarray]], names: Sequence[str] | None = None
    ) -> SliceStack:
        """A stack from single slices in any order, each ``(rows, columns)`` or ``(phases, rows, columns)``.

        They are sorted along the normal of the first one; its sense is that of the third affine column. Gaps that are
        equal but for rounding become equal.

        :param slices: each with its affine IJK to world mm.
        :param names: of the slices, for messages.
        :raises UnusableInput: if the slices are not parallel, do not share one pixel grid, coincide, or have not the
            same number of phases.
        """
        names = names or [f"slice {number + 1}" for number in range(len(slices))]
        if len(slices) < 2:
            raise _too_few(len(slices))
        images = [np.asarray(voxels) for voxels, _ in slices]
        images = [image[np.newaxis] if image.ndim == 2 else image for image in images]
        affines = np.stack([perpendicular(np.asarray(affine, float), PERPENDICULAR_TOLERANCE) for _, affine in slices])
        _check_same_grid(images, affines, names)
        normal = _normal(affines[0])
        order, positions = _sorted_along(normal, affines[:, :3, 3], names)
        if is_uniform(positions):
            positions = np.linspace(0, positions[-1], len(positions))
        frame = affines[order[0]].copy()
        frame[:3, 2] = normal
        return cls(np.stack([images[n] for n in order], axis=1), frame, positions)

    @property
    def gaps(self) -> np.ndarray:
        """``(slices - 1,)`` distances in mm between neighbouring slices."""
        return np.diff(self.positions)

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """Distance in mm between rows (along j) and between columns (along i)."""
        return float(np.linalg.norm(self.frame[:3, 1])), float(np.linalg.norm(self.frame[:3, 0]))

    @property
    def affine(self) -> np.ndarray:
        """4 x 4, IJK to world mm.

        :raises UnusableInput: if the gaps are not equal, for then no affine exists.
        """
        affine = self.frame.copy()
        affine[:3, 2] *= uniform_step(self.positions)
        return affine

    def reversed(self) -> SliceStack:
        """The same slices at the same places, stored in the opposite order."""
        frame = self.frame.copy()
        frame[:3, 3] += frame[:3, 2] * self.positions[-1]
        frame[:3, 2] *= -1
        positions = self.positions[-1] - self.positions[::-1]
        return replace(self, voxels=self.voxels[:, ::-1], frame=frame, positions=positions)

    def phase(self, t: int) -> SliceStack:
        """The stack of one phase."""
        times, index = self.times and (self.times[t],), self.index and self.index.of(t)
        return replace(self, voxels=self.voxels[t : t + 1], times=times, index=index)


def is_uniform(positions: np.ndarray) -> bool:
    """Whether all neighbours of ``positions`` (mm, increasing from 0) are equally far apart."""
    even = np.linspace(0, positions[-1], len(positions))
    return bool(np.abs(positions - even).max() <= POSITION_TOLERANCE_MM)


def uniform_step(positions: np.ndarray) -> float:
    """The one distance in mm between all neighbours of ``positions``; raises ``UnusableInput`` if there is none."""
    if is_uniform(positions):
        return float(positions[-1] / (len(positions) - 1))
    gaps = np.diff(positions)
    common = common_step(positions)
    raise UnusableInput(
        f"the slices are {gaps.min():.4g} to {gaps.max():.4g} mm apart, and a volume file has one spacing",
        f"ask for a spacing of {common:.6g} mm, which divides every gap" if common else "choose slices with equal gaps",
    )


def common_step(positions: np.ndarray, largest: float = np.inf, smallest: float = 0.25) -> float | None:
    """The largest spacing in mm, within the limits, that splits every gap of ``positions`` into the same steps.

    ``None`` if there is none. Gaps count as split equally if no slice is off the grid by ``POSITION_TOLERANCE_MM``, or
    by a twentieth of a step.
    """
    gaps = np.diff(positions)
    for parts in range(1, int(gaps.min() / smallest) + 1):
        step = gaps.min() / parts
        errors = np.abs(positions - step * np.round(positions / step))
        if step <= largest * (1 + 1e-6) and errors.max() <= min(POSITION_TOLERANCE_MM, step / 20):
            return float((gaps / np.round(gaps / step)).max())
    return None


def _check_shape(stack: SliceStack) -> None:
    if stack.voxels.ndim != 4:
        raise UnusableInput(
            f"the voxels have shape {stack.voxels.shape}, not (phases, slices, rows, columns)",
            "pass one grey-scale volume (3D) or a cine of them (4D)",
        )
    if stack.voxels.shape[1] < 2:
        raise _too_few(stack.voxels.shape[1])
    if stack.positions.shape != stack.voxels.shape[1:2]:
        raise UnusableInput(f"{stack.voxels.shape[1]} slices have {stack.positions.size} positions")
    for known in (stack.times, None if stack.index is None else stack.index.values):
        if known is not None and len(known) != len(stack.voxels):
            raise UnusableInput(f"{len(stack.voxels)} phases have {len(known)} times", "give each phase its time")


def _check_geometry(frame: np.ndarray, positions: np.ndarray) -> None:
    if frame.shape != (4, 4) or not np.isfinite(frame).all() or not np.isfinite(positions).all():
        raise UnusableInput("the geometry is not a 4 x 4 matrix of finite numbers", "repair the header of the file")
    names = ("distance between columns", "distance between rows", "slice axis")
    axes = np.stack([frame[:3, n] / _length(name, frame[:3, n]) for n, name in enumerate(names)])
    if abs(np.linalg.norm(frame[:3, 2]) - 1) > 1e-6:
        raise UnusableInput(f"the slice axis has length {np.linalg.norm(frame[:3, 2]):.6g}, not 1")
    if positions[0] != 0 or np.diff(positions).min() <= 0:
        raise UnusableInput("the slice positions do not increase from 0", "correct the slice spacing in the header")
    cosine = np.abs(axes @ axes.T - np.eye(3)).max()
    if cosine > PERPENDICULAR_TOLERANCE:
        degrees = np.degrees(np.arccos(min(cosine, 1.0)))
        raise UnusableInput(
            f"the axes are sheared: two of them are {degrees:.2f} degrees apart, not 90",
            "resample the volume onto a rectangular grid",
        )


def _check_voxels(voxels: np.ndarray) -> None:
    if voxels.dtype.kind not in "iuf":
        raise UnusableInput(f"the voxels are {voxels.dtype}, not real numbers", "use a grey-scale magnitude image")
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        counts = (~np.isfinite(voxels)).sum(axis=(1, 2, 3))
        raise not_finite(int(counts.sum()), int(np.flatnonzero(counts)[0]), len(counts))
    if len(voxels) == 0:  # a stack of no phases is geometry alone
        return
    if voxels.size == 0 or voxels.min() == voxels.max():
        value = voxels.flat[0] if voxels.size else "missing"
        raise UnusableInput(f"the image is empty: every voxel is {value}", "check that the right file was exported")


def not_finite(count: int, phase: int, phases: int) -> UnusableInput:
    """The error for ``count`` voxels that are not finite, ``phase`` (from 0) being the first that has some."""
    where = f", in phase {phase + 1} to begin with" if phases > 1 else ""
    voxels = "1 voxel is" if count == 1 else f"{count} voxels are"
    return UnusableInput(f"{voxels} not finite (NaN or infinite){where}", "replace them, for example by 0")


def _too_few(count: int) -> UnusableInput:
    return UnusableInput(
        f"there is {count} slice, and filling a gap needs at least 2" if count == 1 else "there are no slices",
        "{whole_stack}",
    )


def _length(name: str, vector: np.ndarray) -> float:
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length <= 0:
        raise UnusableInput(f"the {name} is {length:g} mm", "correct the spacing in the header of the file")
    return length


def _normal(affine: np.ndarray) -> np.ndarray:
    """Unit normal of a slice, on the side that the third column of its affine points to."""
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    normal = normal / _length("area of a pixel", normal)
    return normal if normal @ affine[:3, 2] >= 0 else -normal


def _check_same_grid(voxels: Sequence[np.ndarray], affines: np.ndarray, names: Sequence[str]) -> None:
    first = voxels[0]
    for image, affine, name in zip(voxels, affines, names, strict=True):
        if len(image) != len(first):
            raise UnusableInput(
                f"{name} has {len(image)} phases, but {names[0]} has {len(first)}",
                "leave out the slices that have another number of phases, or export them again",
            )
        image = image[0]
        if image.shape != first.shape[1:] or image.dtype != first.dtype:
            raise UnusableInput(
                f"{name} is {image.shape} {image.dtype}, but {names[0]} is {first.shape[1:]} {first.dtype}",
                "all slices of a stack need the same size and data type",
            )
        angle = _angle(_normal(affines[0]), _normal(affine))
        if min(angle, 180 - angle) > np.degrees(PERPENDICULAR_TOLERANCE):
            raise UnusableInput(
                f"{name} is tilted by {min(angle, 180 - angle):.2f} degrees against {names[0]}: not parallel",
                "keep only the parallel slices of one short-axis stack",
            )
        corner = (affine[:3, :2] - affines[0, :3, :2]) @ np.array(image.shape[::-1])
        if np.linalg.norm(corner) > GRID_TOLERANCE_MM:
            raise UnusableInput(f"{name} has another pixel spacing or rotation than {names[0]}")


def _sorted_along(normal: np.ndarray, origins: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Order of the slices along ``normal`` and their positions in mm from the first of them."""
    offsets = origins - origins[0]
    along = offsets @ normal
    shifts = np.linalg.norm(offsets - along[:, None] * normal, axis=1)
    if shifts.max() > GRID_TOLERANCE_MM:
        name, shift = names[int(shifts.argmax())], shifts.max()
        raise UnusableInput(f"{name} is shifted by {shift:.2f} mm in its plane against {names[0]}")
    order = np.argsort(along, kind="stable")
    positions = along[order] - along[order[0]]
    closest = int(np.diff(positions).argmin())
    if np.diff(positions)[closest] <= POSITION_TOLERANCE_MM:
        pair = f"{names[order[closest]]} and {names[order[closest + 1]]}"
        raise UnusableInput(f"{pair} are at the same position", "remove the duplicate, or pass one phase at a time")
    return order, positions


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    """Angle in degrees between two unit vectors."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))
