"""Stacks from files, one volume (3D) or a cine (4D), and from folders with one file for each slice.

World coordinates are LPS. The files of a folder hold a slice each, of one phase or of all, with whatever gaps they
have. NIfTI keeps its geometry in float32 numbers and has no room for metadata.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from calid.errors import OutOfResources, StackWarning, UnusableInput
from calid.files.formats import NIFTI, NRRD, READABLE, SUFFIXES, is_dicom, suffix_of
from calid.files.image import Image
from calid.files.nifti import read_nifti
from calid.files.nrrd import read_nrrd
from calid.naming import naming
from calid.stacks.axes import LAST, reordered, single_slice_last
from calid.stacks.phases import PhaseIndex
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import LARGEST_OVERLAP

_CONVERT = "convert it, for example: dcm2niix -z y -o OUT FOLDER; and pass the file of the short-axis series"


def read_stack(path: str | Path) -> SliceStack:
    """Read a file, or a folder with one file per slice, as a stack in LPS.

    Warns, with :class:`~calid.errors.StackWarning`, of what was decided where a file contradicts itself.

    :raises UnusableInput: naming the file, if it cannot be read or is no stack of parallel grey-scale slices.
    :raises OutOfResources: naming the file, if it does not fit into the free memory.
    """
    stack, remarks = read_with_remarks(path)
    for remark in remarks:
        warnings.warn(f"{path}: {remark}", StackWarning, stacklevel=2)
    return stack


def read_with_remarks(path: str | Path) -> tuple[SliceStack, list[str]]:
    """What :func:`read_stack` reads, and sentences for what it warns of."""
    path = Path(path)
    with explaining(path):
        if path.is_dir():
            return _read_folder(path)
        image = _read_image(path)
        _check_slices(image)
        times = None if image.index is None else image.index.times
        stack = SliceStack.from_affine(image.voxels, image.affine, times, image.index)
        thickness = _thickness(image, stack)
        return stack if thickness is None else replace(stack, thickness=thickness), list(image.remarks)


def _read_image(path: Path) -> Image:
    if path.exists() and not path.is_file():
        raise UnusableInput("this is a device or a pipe, and no file", "save the image as a file first")
    if not path.is_file():
        raise UnusableInput("there is no such file", "check the path")
    if is_dicom(path):
        raise UnusableInput("it is a DICOM image, one of many that make a stack", _CONVERT)
    suffix = suffix_of(path, READABLE)
    if suffix in NIFTI:
        return read_nifti(path)
    if suffix in NRRD:
        return read_nrrd(path)
    from calid.files.metaimage import read_metaimage  # SimpleITK takes longer to load than a refusal should

    return read_metaimage(path)


def _thickness(image: Image, stack: SliceStack) -> float | None:
    """mm along the slice axis, as the file says; what is not possible at these gaps is not believed."""
    mm = image.thickness[stack.order[2]]
    return mm if mm <= LARGEST_OVERLAP * float(stack.gaps.min()) else None


def _check_slices(image: Image) -> None:
    shape = image.voxels.shape[::-1]
    if len(shape) == 4 and shape[2] == 1:
        raise UnusableInput(
            f"its size {' x '.join(map(str, shape))} is one slice with {shape[3]} phases",
            "if this is a stack stored as 4D, save it as a 3D file; of a cine, pass the folder with all slices",
        )


def _read_folder(folder: Path) -> tuple[SliceStack, list[str]]:
    every = sorted(file for file in folder.iterdir() if file.name[0] != "." and not file.is_dir())
    files = [file for file in every if file.name.lower().endswith(READABLE) and not file.name.lower().endswith(".img")]
    if not files:
        _refuse_others(every)
    slices, indices, remarks = [], [], []
    for file in files:
        with explaining(file):
            image = _read_image(file)
            voxels, affine = _one_slice(image)
            slices.append((voxels, affine))
            indices.append(image.index)
            remarks += [f"{file.name}: {remark}" for remark in image.remarks]
    stack = SliceStack.from_slices(slices, [file.name for file in files])
    index, more = _common_index(indices, [file.name for file in files])
    timed = SliceStack(stack.voxels, stack.frame, stack.positions, None if index is None else index.times, index=index)
    return timed, _few(remarks) + more


def _refuse_others(files: list[Path]) -> None:
    """Say what a folder without images holds."""
    if (dicom := next(filter(is_dicom, files), None)) is not None:
        raise UnusableInput(f"this is a folder of DICOM images, such as {dicom.name}", _CONVERT)
    if files:
        raise UnusableInput(
            f"none of its {len(files)} files is an image, the first being {files[0].name}",
            f"pass a folder with one file for each slice, of {' '.join(SUFFIXES)}",
        )


def _one_slice(image: Image) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (phases, rows, columns) of a file in a folder, and their affine."""
    voxels = image.voxels if image.voxels.ndim == 4 else image.voxels[np.newaxis]
    affine, order = image.affine, single_slice_last(voxels.shape[:0:-1])
    if order != LAST:
        voxels, affine = reordered(voxels, affine, order)
    if voxels.shape[1] != 1:
        raise UnusableInput(
            f"it has shape {image.voxels.shape[::-1]}, but in a folder every file holds one slice",
            "pass a volume as a file, not as a folder, and a cine as one 4D file",
        )
    return voxels[:, 0], affine


def _common_index(indices: list[PhaseIndex | None], names: list[str]) -> tuple[PhaseIndex | None, list[str]]:
    """What all slices call their phases, or what the first does and a remark."""
    first = indices[0]
    for index, name in zip(indices, names, strict=True):
        if index != first and (index is None or first is None or not _are_close(index, first)):
            told = "no times" if first is None else "those of " + names[0]
            return first, [f"{name} has other times of its phases than {names[0]}; {told} are used"]
    return first, []


def _are_close(one: PhaseIndex, other: PhaseIndex) -> bool:
    if one.numbers is None or other.numbers is None:
        return one.values == other.values
    return one.unit == other.unit and np.allclose(one.numbers, other.numbers, rtol=1e-3)


def _few(remarks: list[str]) -> list[str]:
    """The first of the remarks on the files of a folder, which mostly are all the same."""
    return [f"{remarks[0]} (and {len(remarks) - 1} more of the kind)"] if len(remarks) > 1 else remarks


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into an error that names it and has a remedy."""
    with naming(path):
        try:
            yield
        except PermissionError as error:
            raise UnusableInput(f"it may not be read ({error.strerror})", "ask for the right to read it") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise UnusableInput(f"it cannot be read: {reason}", "check that it is a complete image file") from error
        except MemoryError as error:
            raise OutOfResources("it does not fit into the free memory", "use a computer with more memory") from error
