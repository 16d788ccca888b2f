"""Stacks from and to files: .nii, .nii.gz, .nrrd and .mha, one volume (3D) or a cine (4D, phases last).

World coordinates are LPS, as SimpleITK gives them. A folder of single-slice files is a stack too, with whatever gaps
the files have. NIfTI keeps its geometry in float32 numbers and has no room for metadata.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from calid.atomic import write_atomically
from calid.errors import UnusableInput
from calid.headers import check_file
from calid.stack import SliceStack

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def read_stack(path: str | Path) -> SliceStack:
    """Read a file, or a folder with one file per slice, as a stack in LPS.

    :raises UnusableInput: naming the file, if it cannot be read or is no stack of parallel grey-scale slices.
    """
    path = Path(path)
    with _naming(path):
        if path.is_dir():
            return _read_folder(path)
        voxels, affine, times = _read_image(path)
        return SliceStack.from_affine(voxels, affine, times)


def write_stack(stack: SliceStack, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a stack in LPS as a 3D file, or as 4D if it has several phases. The file appears complete or not at all.

    :param metadata: goes into the header of .nrrd and .mha files.
    :raises UnusableInput: naming the file, if the format cannot hold the stack or the file cannot be written.
    """
    path = Path(path)
    check_writable(path)
    with _naming(path):
        image = _to_image(stack)
        for key, value in (metadata or {}).items():
            image.SetMetaData(key, value)
    write_atomically(path, lambda partial: _write_image(image, partial))


def check_writable(path: str | Path) -> None:
    """Raise ``UnusableInput`` unless a file of a known format can be created at ``path``. Leaves nothing behind."""
    path = Path(path)
    with _naming(path):
        _suffix(path)
        if path.is_dir():
            raise UnusableInput("this is a folder", "name a file in it")
        if not path.parent.is_dir():
            raise UnusableInput("its folder does not exist", f"create {path.parent} first")
    write_atomically(path, lambda partial: None, keep=False)


def _read_folder(folder: Path) -> SliceStack:
    files = sorted(file for file in folder.iterdir() if file.name.lower().endswith(SUFFIXES) and file.name[0] != ".")
    slices = []
    for file in files:
        with _naming(file):
            voxels, affine, _ = _read_image(file)
            if voxels.ndim != 3 or voxels.shape[0] != 1:
                raise UnusableInput(
                    f"it has shape {voxels.shape[::-1]}, but in a folder every file holds one slice",
                    "pass a single volume as a file, not as a folder",
                )
            slices.append((voxels[0], affine))
    return SliceStack.from_slices(slices, [file.name for file in files])


def _read_image(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[float, ...] | None]:
    """Voxels ``(slices, rows, columns)`` or ``(phases, slices, rows, columns)``, affine IJK to LPS mm, phase times."""
    _suffix(path)
    if not path.is_file():
        raise UnusableInput("there is no such file", "check the path")
    try:
        check_file(path)
        with _away_from_twin(path) as alone, _itk_warnings_off():
            image = _execute(alone)
    except (RuntimeError, OSError, ValueError) as error:
        raise UnusableInput(f"it cannot be read: {_reason(error)}", "check that it is a complete image file") from error
    times = None
    if image.GetDimension() == 4:
        times = tuple(image.GetOrigin()[3] + image.GetSpacing()[3] * t for t in range(image.GetSize()[3]))
    return sitk.GetArrayFromImage(image), _affine(image), times


def _execute(path: Path) -> sitk.Image:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    _check_kind(reader)
    return reader.Execute()


def _check_kind(reader: sitk.ImageFileReader) -> None:
    size, components = reader.GetSize(), reader.GetNumberOfComponents()
    shape = " x ".join(str(length) for length in size)
    if components > 1:
        raise UnusableInput(
            f"it has {components} values per voxel: a colour image, a vector field or a sequence",
            "pass a grey-scale volume, or a cine as a 4D file with the phases last",
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


def _to_image(stack: SliceStack) -> sitk.Image:
    affine, phases = stack.affine, len(stack.voxels)
    dimension = 3 if phases == 1 else 4
    try:
        image = sitk.GetImageFromArray(stack.voxels[0] if dimension == 3 else stack.voxels, isVector=False)
    except TypeError as error:
        raise UnusableInput(f"no file format holds {stack.voxels.dtype} voxels") from error
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    directions = np.eye(dimension)
    directions[:3, :3] = affine[:3, :3] / spacing
    start, step = _time_axis(stack.times)
    image.SetSpacing([*spacing.tolist(), step][:dimension])
    image.SetOrigin([*affine[:3, 3].tolist(), start][:dimension])
    image.SetDirection(directions.ravel().tolist())
    return image


def _time_axis(times: tuple[float, ...] | None) -> tuple[float, float]:
    """Start and mean step of the phases; a file has room for no more."""
    if times is None or len(times) < 2 or times[-1] <= times[0]:
        return 0.0, 1.0
    return times[0], (times[-1] - times[0]) / (len(times) - 1)


def _write_image(image: sitk.Image, path: Path) -> None:
    """On a full disk ITK raises for some formats, and writes a truncated NIfTI file without a word."""
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
        check_file(path)
    except (RuntimeError, UnusableInput) as error:
        raise OSError(errno.EIO, _reason(error)) from error


def _suffix(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise UnusableInput(f"'{path.suffix}' is not a known image format", f"use one of {' '.join(SUFFIXES)}")


def _reason(error: Exception) -> str:
    """The last line of an ITK error that says something; the ones before it are source locations."""
    lines = [line.split("ERROR:")[-1].strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), type(error).__name__)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the path in front of the message of an ``UnusableInput``."""
    try:
        yield
    except UnusableInput as error:
        raise UnusableInput(f"{path}: {error}", error.remedy) from error


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
