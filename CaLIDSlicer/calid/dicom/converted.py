"""What dcm2niix makes of a study: one 2D+t file for each slice, 3D files ``_t<ms>`` for each phase, or a 4D file.

Only the affine is believed. pixdim[3] of a single slice is its thickness, not the distance to the next one, and
pixdim[4] of a cine is the repetition time, wrong by a factor of ten and more; so phases have no times but those that
the names of files say.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calid.dicom import values
from calid.dicom.kinds import kind_of
from calid.dicom.pictures import Picture, Plane, vector
from calid.dicom.remarks import Remark, Topic, suspicious
from calid.dicom.sources import LeftOut, Source
from calid.errors import CalidError, UnusableInput
from calid.files.image import Image
from calid.stacks.axes import perpendicular
from calid.stacks.check import LONGEST_MM
from calid.stacks.stack import PERPENDICULAR_TOLERANCE

NIFTI = "NIfTI"
"""In place of a transfer syntax."""

SUFFIXES = (".nii", ".nii.gz")

_TRIGGER = re.compile(r"^(?P<series>.*?)_t(?P<ms>\d+(?:\.\d+)?)[a-z]?$")
_NUMBER = re.compile(r"(\d+)[a-z]?$")
_LARGEST_SIDECAR = 1 << 20
_SAME_SPACING = 0.05


def is_converted(source: Source) -> bool:
    """Whether a file is a NIfTI image."""
    return not source.member and source.name.lower().endswith(SUFFIXES)


def is_converted_name(path: Path) -> bool:
    """Whether a file has a sidecar, or the trigger time in its name, as dcm2niix leaves them."""
    stem = _stem(path.name)
    return path.with_name(f"{stem}.json").is_file() or _TRIGGER.match(stem) is not None


def read_converted(sources: Sequence[Source], left_out: list[LeftOut]) -> tuple[list[Picture], list[Remark]]:
    """The pictures in NIfTI files, and what looks wrong about them.

    Files of one ``_t`` set that hold more slices than others cannot be placed: dcm2niix spaces them evenly, whichever
    slices happened to share a trigger time.
    """
    pictures: dict[str, list[list[Picture]]] = defaultdict(list)
    remarks = []
    for source in sources:
        try:
            found, told = _pictures(source)
        except (CalidError, OSError, ValueError) as error:
            left_out.append(LeftOut(source.name, f"unreadable NIfTI ({str(error).rsplit(': ', 1)[-1][:80]})"))
            continue
        remarks += told
        if isinstance(found, str):
            left_out.append(LeftOut(source.name, found))
        elif found:
            pictures[found[0].series].append(found)
    taken = [file for series in pictures.values() for file in _placeable(series, left_out)]
    return [picture for file in taken for picture in file], remarks


def voxels_of(source: Source) -> np.ndarray:
    """(phases, slices, rows, columns) of a NIfTI file."""
    voxels = _image(source).voxels
    return voxels if voxels.ndim == 4 else voxels[np.newaxis]


def picture_in(voxels: np.ndarray, frame: int) -> np.ndarray:
    """(rows, columns) of a frame, which counts slices first."""
    phase, k = divmod(frame, voxels.shape[1])
    return voxels[phase, k]


def _image(source: Source) -> Image:
    """A NIfTI file; raises ``UnusableInput`` where its reader is not installed, as in 3D Slicer, which has pydicom."""
    try:
        from calid.files.nifti import read_nifti
    except ModuleNotFoundError as error:
        raise UnusableInput(f"NIfTI is read by the Python package {error.name}, which is not installed") from error
    return read_nifti(source.path)


def _pictures(source: Source) -> tuple[list[Picture] | str, list[Remark]]:
    image = _image(source)
    shape = image.voxels.shape if image.voxels.ndim == 4 else (1, *image.voxels.shape)
    phases, slices, rows, columns = shape
    affine = perpendicular(np.asarray(image.affine, float), PERPENDICULAR_TOLERANCE)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if slices > 1 and slices * spacing[2] > LONGEST_MM:
        reason = (
            f"{slices} slices over {slices * spacing[2]:.0f} mm: dcm2niix stacks phases like this when some are missing"
        )
        return reason, []
    sidecar = _sidecar(source.path)
    common = _common(source, _stem(source.name), sidecar)
    axes = affine[:3, :2] / spacing[:2]
    found = []
    for frame in range(phases * slices):
        phase, k = divmod(frame, slices)
        position = affine[:3, 3] + k * affine[:3, 2]
        plane = Plane(
            vector(position), vector(axes[:, 0]), vector(axes[:, 1]), (spacing[1], spacing[0]), (rows, columns)
        )
        found.append(Picture(frame=frame, plane=plane, instance_number=phase + 1, **common))
    return found, _odd_spacing(source, sidecar, slices, float(spacing[2]))


def _common(source: Source, stem: str, sidecar: dict[str, Any]) -> dict[str, Any]:
    named = _TRIGGER.match(stem)
    series = named["series"] if named else stem
    number = _number(sidecar.get("SeriesNumber"))
    digits = _NUMBER.search(series)
    if number is None and digits is not None and len(digits[1]) < 10:
        number = float(digits[1])
    image_type = sidecar.get("ImageType")
    parts = tuple(str(part).upper() for part in image_type) if isinstance(image_type, list) else ()
    echo = _number(sidecar.get("EchoTime"))
    return {
        "source": source,
        "kind": kind_of(parts, {"modality": str(sidecar.get("Modality", "MR"))}),
        "series": series,
        "description": values.text(str(sidecar.get("SeriesDescription", "")).encode("utf-8"), b"ISO_IR 192"),
        "series_number": None if number is None else int(number),
        "trigger": float(named["ms"]) if named else None,
        "thickness": _number(sidecar.get("SliceThickness")),
        "echo": None if echo is None else 1000 * echo,
        "syntax": NIFTI,
    }


def _placeable(files: list[list[Picture]], left_out: list[LeftOut]) -> list[list[Picture]]:
    counts = {len(file) for file in files}
    if len(files) == 1 or len(counts) == 1 or max(counts) < 3:
        return files
    for file in files:
        if len(file) > 2:
            reason = f"{len(file)} slices that share a trigger time, spaced evenly wherever they were"
            left_out.append(LeftOut(file[0].source.name, reason, len(file)))
    return [file for file in files if len(file) <= 2]


def _odd_spacing(source: Source, sidecar: dict[str, Any], slices: int, distance: float) -> list[Remark]:
    stated = _number(sidecar.get("SpacingBetweenSlices"))
    if stated is None or slices < 2 or abs(stated - distance) <= _SAME_SPACING * stated:
        return []
    text = (
        f"{source.name} has slices {distance:.4g} mm apart, and the scanner says {stated:.4g} mm: dcm2niix spreads "
        "slices evenly where one is missing; convert from DICOM."
    )
    return [suspicious(Topic.CONVERTED, text)]


def _sidecar(path: Path) -> dict[str, Any]:
    beside = path.with_name(f"{_stem(path.name)}.json")
    try:
        if not beside.is_file() or beside.stat().st_size > _LARGEST_SIDECAR:
            return {}
        read = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _stem(name: str) -> str:
    return name[: -len(".nii.gz")] if name.lower().endswith(".gz") else name[: -len(".nii")]


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and values.is_sane(float(value)) else None
