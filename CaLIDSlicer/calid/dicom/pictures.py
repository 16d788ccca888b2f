"""One picture: what its file says about where, when and what it is. Pixels are read later."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from calid.dicom.kinds import Kind, kind_of
from calid.dicom.sources import Source

Vector = tuple[float, float, float]

_UNIT, _PERPENDICULAR = 0.02, 0.01
"""By what lengths and cosines of directions may be off."""


@dataclass(frozen=True)
class Plane:
    """Where a picture is, in LPS mm (PS3.3, C.7.6.2).

    :param position: centre of the first pixel.
    :param row: direction in which the columns count, unit length.
    :param column: direction in which the rows count, unit length.
    :param spacing: mm between rows and between columns.
    :param shape: rows and columns.
    """

    position: Vector
    row: Vector
    column: Vector
    spacing: tuple[float, float]
    shape: tuple[int, int]

    @property
    def normal(self) -> np.ndarray:
        """Unit vector, right-handed with row and column."""
        normal = np.cross(self.row, self.column)
        return normal / np.linalg.norm(normal)

    @property
    def centre(self) -> np.ndarray:
        """The middle of the picture."""
        rows, columns = self.shape
        along = np.array(self.row) * self.spacing[1] * (columns - 1) / 2
        down = np.array(self.column) * self.spacing[0] * (rows - 1) / 2
        return np.array(self.position) + along + down

    @property
    def extent(self) -> float:
        """mm of its longer side."""
        return max(self.spacing[0] * self.shape[0], self.spacing[1] * self.shape[1])

    @property
    def affine(self) -> np.ndarray:
        """4 x 4, (column, row, mm along the normal) to LPS mm."""
        affine = np.eye(4)
        affine[:3, 0] = np.array(self.row) * self.spacing[1]
        affine[:3, 1] = np.array(self.column) * self.spacing[0]
        affine[:3, 2] = self.normal
        affine[:3, 3] = self.position
        return affine


@dataclass(frozen=True)
class Picture:
    """A frame of a file.

    :param frame: of the file, from 0.
    :param patient: a key that tells patients apart and nothing else.
    :param instance: SOP instance UID, "" where there is none.
    :param acquired: seconds at which it was acquired; only differences mean anything.
    :param written: seconds of ContentTime, when the scanner made the picture.
    :param trigger: ms after the R wave.
    :param temporal: temporal position, a count.
    :param rr: ms from R wave to R wave, as the file says.
    :param rr_spread: ms, standard deviation of it.
    :param phases: that the file says its slice has.
    :param slope: and ``intercept``: stored values to the scanner's (PS3.3, C.11.1).
    :param syntax: transfer syntax UID, or :data:`calid.dicom.converted.NIFTI`.
    """

    source: Source
    frame: int
    plane: Plane
    kind: Kind
    patient: str = ""
    study: str = ""
    series: str = ""
    instance: str = ""
    description: str = ""
    series_number: int | None = None
    acquisition_number: int | None = None
    instance_number: int | None = None
    acquired: float | None = None
    written: float | None = None
    trigger: float | None = None
    temporal: int | None = None
    rr: float | None = None
    rr_spread: float | None = None
    phases: int | None = None
    echo: float | None = None
    thickness: float | None = None
    slope: float = 1.0
    intercept: float = 0.0
    syntax: str = ""
    frame_of_reference: str = ""


def picture_of(common: dict[str, Any], plane: Plane | str, frame: int = 0) -> Picture | str:
    """A picture of what is known of it, or why there is none."""
    kind = kind_of(common.pop("image_type"), common)
    for name in ("modality", "sop_class", "samples", "shape", "spacing", "component"):
        common.pop(name, None)
    if isinstance(plane, str):
        return plane if kind.is_usable else kind.value
    return Picture(frame=frame, plane=plane, kind=kind, **common)


@lru_cache(maxsize=4096)  # the phases of a slice share theirs
def plane_of(
    position: tuple[float, ...], orientation: tuple[float, ...], spacing: tuple[float, ...], shape: tuple[int, int]
) -> Plane | str:
    """The plane of a picture, or what is wrong with it.

    Direction cosines become exactly perpendicular where they are so but for rounding.
    """
    if len(position) != 3 or len(orientation) != 6:
        return "without a position and an orientation"
    if len(spacing) != 2 or not all(0.01 < step < 100 for step in spacing):
        return "without a usable pixel spacing"
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > _UNIT or abs(row @ column) > _PERPENDICULAR:
        return "with an orientation that is none"
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return Plane(vector(position), vector(row), vector(column), (spacing[0], spacing[1]), shape)


def vector(numbers: Any) -> Vector:
    """Three numbers as they are compared and hashed."""
    x, y, z = (float(number) for number in numbers)
    return x, y, z
