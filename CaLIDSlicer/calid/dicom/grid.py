"""One pixel grid for all slices of a stack: that of most of them.

Slices that were planned again have another origin, matrix or rotation. They keep their place in the patient: they are
moved by whole pixels where that is exact, else interpolated (cubic B-splines).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calid.dicom.pictures import Plane
from calid.stacks.stack import GRID_TOLERANCE_MM

_WHOLE = 0.02
"""Of a pixel that a shift by whole ones may be off."""


@dataclass(frozen=True)
class Grid:
    """The grid that slices share.

    :param plane: of the slice that lends its grid.
    """

    plane: Plane

    @classmethod
    def of(cls, planes: Sequence[Plane]) -> Grid:
        """The grid that most slices have; where several are equally common, the finest."""
        alike = [sum(_is_same(one, other) for other in planes) for one in planes]
        most = max(alike)
        return cls(min((p for p, n in zip(planes, alike, strict=True) if n == most), key=lambda plane: plane.spacing))

    def positions(self, planes: Sequence[Plane]) -> np.ndarray:
        """mm along the normal from the lending slice, where the line through its middle meets each plane."""
        normal, anchor = self.plane.normal, self.plane.centre
        return np.array([(np.array(p.position) - anchor) @ p.normal / (normal @ p.normal) for p in planes])

    def mapping(self, plane: Plane, position: float) -> np.ndarray:
        """3 x 3, (column, row, 1) of the grid to those of a slice's own pixels."""
        corner = np.array(self.plane.position) + position * self.plane.normal - np.array(plane.position)
        own = np.stack([np.array(plane.row) / plane.spacing[1], np.array(plane.column) / plane.spacing[0]])
        along = np.array(self.plane.row) * self.plane.spacing[1]
        down = np.array(self.plane.column) * self.plane.spacing[0]
        matrix = np.eye(3)
        matrix[:2] = own @ np.stack([along, down, corner], axis=1)
        return matrix

    def away(self, plane: Plane, position: float) -> float:
        """mm that a slice's own pixels are off this grid at most; infinite for another matrix."""
        if plane.shape != self.plane.shape:
            return float("inf")
        rows, columns = plane.shape
        corners = np.array([[0, 0, 1], [columns - 1, 0, 1], [0, rows - 1, 1], [columns - 1, rows - 1, 1]]).T
        off = (self.mapping(plane, position) @ corners - corners)[:2] * np.array(plane.spacing[::-1])[:, np.newaxis]
        return float(np.linalg.norm(off, axis=0).max())

    def fits(self, plane: Plane, position: float) -> bool:
        """Whether a slice may stay as it is."""
        return self.away(plane, position) <= GRID_TOLERANCE_MM

    def resampled(self, frames: np.ndarray, plane: Plane, position: float) -> np.ndarray:
        """Frames (phases, rows, columns) of a slice on this grid; 0 where the slice has nothing."""
        matrix = self.mapping(plane, position)
        shift = np.round(matrix[:2, 2])
        if np.allclose(matrix[:2, :2], np.eye(2), atol=1e-4) and np.allclose(matrix[:2, 2], shift, atol=_WHOLE):
            return _shifted(frames, self.plane.shape, int(shift[1]), int(shift[0]))
        return _interpolated(frames, self.plane.shape, matrix)


def difference(grid: Grid, plane: Plane) -> str:
    """In words, what is different about the grid of a slice."""
    reference, parts = grid.plane, []
    if plane.shape != reference.shape:
        parts.append(f"{_times(plane.shape)} pixels, not {_times(reference.shape)}")
    if not np.allclose(plane.spacing, reference.spacing, rtol=1e-3):
        parts.append(f"pixels of {plane.spacing[1]:.4g} mm, not {reference.spacing[1]:.4g}")
    angle = float(np.degrees(np.arccos(min(1.0, abs(np.dot(plane.row, reference.row))))))
    if angle > 0.5:
        parts.append(f"rotated by {angle:.1f} degrees in its plane")
    offset = plane.centre - reference.centre
    aside = float(np.linalg.norm(offset - (offset @ reference.normal) * reference.normal))
    if aside > GRID_TOLERANCE_MM:
        parts.append(f"its middle is {aside:.1f} mm aside")
    return "; ".join(parts) or "another origin"


def _times(shape: tuple[int, int]) -> str:
    return f"{shape[1]} x {shape[0]}"


def _is_same(one: Plane, other: Plane) -> bool:
    grid = Grid(one)
    return grid.fits(other, float(grid.positions([other])[0]))


def _shifted(frames: np.ndarray, shape: tuple[int, int], rows: int, columns: int) -> np.ndarray:
    """Frames whose pixel (0, 0) becomes what was at (rows, columns)."""
    moved = np.zeros((len(frames), *shape), frames.dtype)
    target, source = [], []
    for shift, size, own in zip((rows, columns), shape, frames.shape[1:], strict=True):
        start = max(0, -shift)
        stop = max(start, min(size, own - shift))
        target.append(slice(start, stop))
        source.append(slice(start + shift, stop + shift))
    moved[:, target[0], target[1]] = frames[:, source[0], source[1]]
    return moved


def _interpolated(frames: np.ndarray, shape: tuple[int, int], matrix: np.ndarray) -> np.ndarray:
    import SimpleITK as sitk

    transform = sitk.AffineTransform(2)
    transform.SetMatrix(matrix[:2, :2].ravel().tolist())
    transform.SetTranslation(matrix[:2, 2].tolist())
    reference = sitk.Image(shape[1], shape[0], sitk.sitkFloat32)
    moved = np.empty((len(frames), *shape), np.float32)
    for frame, target in zip(frames, moved, strict=True):
        image = sitk.GetImageFromArray(frame.astype(np.float32))
        target[:] = sitk.GetArrayViewFromImage(sitk.Resample(image, reference, transform, sitk.sitkBSpline, 0.0))
    return np.clip(moved, frames.min(), frames.max(), out=moved)
