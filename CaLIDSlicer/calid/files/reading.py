"""Stacks from files: .nii, .nii.gz, .nrrd, .seq.nrrd and .mha, one volume (3D) or a cine (4D).

World coordinates are LPS, as SimpleITK gives them. A folder of single-slice files is a stack too, with whatever gaps
the files have. NIfTI keeps its geometry in float32 numbers and has no room for metadata.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from calid.errors import UnusableInput
from calid.files.headers import check_file
from calid.files.nrrd import NrrdHeader, with_list_axis
from calid.files.writing import SUFFIXES, suffix_of
from calid.naming import naming
from calid.stacks.layout import seconds
from calid.stacks.stack import SliceStack

_NIFTI_TIME_UNITS = (8, 16, 24)
"""s, ms and us in ``xyzt_units``; SimpleITK scales them to seconds, and takes no unit as seconds."""


def read_stack(path: str | Path) -> SliceStack:
    """Read a file, or a folder with one file per slice, as a stack in LPS.

    :raises UnusableInput: naming the file, if it cannot be read or is no stack of parallel grey-scale slices.
    """
    path = Path(path)
    with naming(path):
        if path.is_dir():
            return _read_folder(path)
        voxels, affine, times = _read_image(path)
        return SliceStack.from_affine(voxels, affine, times)


def _read_folder(folder: Path) -> SliceStack:
    files = sorted(file for file in folder.iterdir() if file.name.lower().endswith(SUFFIXES) and file.name[0] != ".")
    slices = []
    for file in files:
        with naming(file):
            voxels, affine, _ = _read_image(file)
            if voxels.ndim != 3 or voxels.shape[0] != 1:
                raise UnusableInput(
                    f"it has shape {voxels.shape[::-1]}, but in a folder every file holds one slice",
                    "pass a volume as a file, not as a folder, and a cine as one 4D file",
                )
            slices.append((voxels[0], affine))
    return SliceStack.from_slices(slices, [file.name for file in files])


def _read_image(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[float, ...] | None]:
    """Voxels ``(slices, rows, columns)`` or ``(phases, slices, rows, columns)``, affine IJK to LPS mm, phase times."""
    suffix = suffix_of(path)
    if not path.is_file():
        raise UnusableInput("there is no such file", "check the path")
    try:
        check_file(path)
        with _itk_warnings_off():
            header = NrrdHeader.read(path) if suffix.endswith(".nrrd") else None
            return _read_nrrd(path, header) if header else _read_plain(path)
    except (RuntimeError, OSError, ValueError) as error:
        raise UnusableInput(f"it cannot be read: {_reason(error)}", "check that it is a complete image file") from error


def _read_plain(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[float, ...] | None]:
    with _away_from_twin(path) as alone:
        image = _execute(alone)
    return sitk.GetArrayFromImage(image), _affine(image), _times(image, _unit(image))


def _read_nrrd(path: Path, header: NrrdHeader) -> tuple[np.ndarray, np.ndarray, tuple[float, ...] | None]:
    """SimpleITK reads a list axis, wherever it is in the file, as the components of a vector image."""
    with with_list_axis(path, header) if header.needs_list else contextlib.nullcontext(path) as readable:
        image = _execute(readable, is_sequence=header.phase_axis is not None)
    voxels, affine = sitk.GetArrayFromImage(image), _affine(image)
    affine[:3] *= header.lps_signs[:, np.newaxis] if image.GetDimension() == 4 else 1
    if header.phase_axis is None:
        return voxels, affine, _times(image, header.time_unit)
    phases = voxels[np.newaxis] if voxels.ndim == 3 else np.moveaxis(voxels, -1, 0)
    return np.ascontiguousarray(phases), affine, header.times


def _execute(path: Path, is_sequence: bool = False) -> sitk.Image:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    phases = (reader.GetNumberOfComponents(),) if is_sequence else ()
    _check_size((*reader.GetSize(), *phases), 1 if is_sequence else reader.GetNumberOfComponents())
    return reader.Execute()


def _check_size(size: tuple[int, ...], components: int) -> None:
    shape = " x ".join(str(length) for length in size)
    if components > 1:
        raise UnusableInput(
            f"it has {components} values per voxel: a colour image or a vector field",
            "pass a grey-scale volume, or a cine as a 4D file",
        )
    if len(size) not in (3, 4):
        raise UnusableInput(f"it has {len(size)} dimensions ({shape})", "pass a 3D stack or a 4D cine")
    if len(size) == 4 and size[2] == 1 and size[3] > 1:
        raise UnusableInput(
            f"its size {shape} is one slice with {size[3]} phases",
            "if this is a stack stored as 4D, save it as a 3D file; of a cine, pass all slices",
        )


def _affine(image: sitk.Image) -> np.ndarray:
    dimension = image.GetDimension()
    directions = np.reshape(image.GetDirection(), (dimension, dimension))
    affine = np.eye(4)
    affine[:3, :3] = directions[:3, :3] * image.GetSpacing()[:3]
    affine[:3, 3] = image.GetOrigin()[:3]
    return affine


def _times(image: sitk.Image, unit: str) -> tuple[float, ...] | None:
    """Seconds of each phase of a 4D image, ``None`` if it does not say."""
    if image.GetDimension() < 4:
        return None
    return seconds((image.GetOrigin()[3] + image.GetSpacing()[3] * phase for phase in range(image.GetSize()[3])), unit)


def _unit(image: sitk.Image) -> str:
    code = int(image.GetMetaData("xyzt_units")) if image.HasMetaDataKey("xyzt_units") else 0
    return "s" if code & 0x38 in _NIFTI_TIME_UNITS else ""


def _reason(error: Exception) -> str:
    """The last line of an ITK error that says something; the ones before it are source locations."""
    lines = [line.split("ERROR:")[-1].strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), type(error).__name__)


@contextlib.contextmanager
def _away_from_twin(path: Path) -> Iterator[Path]:
    """Asked for ``a.nii.gz``, niftilib reads the voxels of ``a.nii`` if there is one beside it (ITK issue 2243)."""
    if not path.name.lower().endswith(".nii.gz") or not path.with_suffix("").exists():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="calid-") as folder:
        yield Path(shutil.copy(path, folder))


@contextlib.contextmanager
def _itk_warnings_off() -> Iterator[None]:
    """Much clinical NIfTI has an odd sform ("unexpected scales"): ITK warns about each file and reads it rightly."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)
