"""Any input as a stack: a file or a folder of slices by :mod:`calid.files.reading`, a study by this package."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calid.dicom.sources import is_archive
from calid.errors import StackWarning, UnusableInput
from calid.files.formats import READABLE, is_dicom
from calid.files.reading import explaining, read_with_remarks
from calid.stacks.stack import SliceStack

if TYPE_CHECKING:
    from calid.dicom.assemble import Assembled
    from calid.dicom.study import Study
    from calid.dicom.views import View

_LOOKED_AT = 200
"""Files of a folder with images in it, to see whether it is a study nevertheless."""

_BY_DCM2NIIX = (b"TE=", b"Time=")
"""How the description in a NIfTI header of dcm2niix begins."""


@dataclass(frozen=True)
class Opened:
    """What was opened.

    :param remarks: sentences on what was decided or corrected.
    :param study: where the stack came from, if that is a study.
    """

    stack: SliceStack
    remarks: tuple[str, ...]
    study: Study | None = None
    made: Assembled | None = None

    def require_view(self) -> View:
        """The view that the stack was made of; raises ``UnusableInput`` if it is from no study."""
        if self.made is None:
            raise UnusableInput("it is no study", "pass a folder of DICOM files")
        return self.made.view


def open_input(path: Path, number: int | None = None) -> Opened:
    """The stack of a file, a folder of slices, or a study.

    :param number: of the stack in a study, from 1; ``None`` takes the short-axis cine.
    :raises UnusableInput: naming the path, if it cannot be used.
    :raises OutOfResources: naming the path, if it does not fit into the free memory.
    """
    with explaining(path):
        study_is_meant = is_study(path)
    if not study_is_meant:
        if number is not None:
            raise UnusableInput(f"{path}: it is no study, so there is no stack {number} of it", "leave the number out")
        stack, told = read_with_remarks(path)
        return Opened(stack, tuple(told))
    from calid.dicom.study import read_study

    study = read_study(path)
    made = study.assemble(number)
    return Opened(made.stack, tuple(study.privacy.masked(str(remark)) for remark in made.told), study, made)


def read_stack(path: str | Path, number: int | None = None) -> SliceStack:
    """Read a file, a folder with one file per slice, or a study, as a stack in LPS.

    Warns, with :class:`~calid.errors.StackWarning`, of what was decided where files contradict each other.

    :param path: of an image file; or a folder of any depth, a zip archive or a multi-frame file of DICOM.
    :param number: of the stack in a study, as ``calid dicom list`` counts; ``None`` takes the short-axis cine.
    :raises UnusableInput: naming the path, if it cannot be read or holds no stack of parallel grey-scale slices.
    :raises OutOfResources: naming the path, if it does not fit into the free memory.
    """
    opened = open_input(Path(path), number)
    for remark in opened.remarks:
        warnings.warn(f"{path}: {remark}", StackWarning, stacklevel=2)
    return opened.stack


def is_study(path: Path) -> bool:
    """Whether a path is to be opened as a study: DICOM, an archive, or a folder that dcm2niix made."""
    if not path.is_dir():
        return path.is_file() and (is_dicom(path) or is_archive(path))
    try:
        inside = sorted(file for file in path.iterdir() if file.name[0] != "." and file.is_file())
    except OSError:
        return False
    images = [file for file in inside if file.name.lower().endswith(READABLE)]
    others = [file for file in inside if not file.name.lower().endswith(READABLE)]
    if not images:
        return any(file.is_dir() for file in path.iterdir()) or any(map(_is_part, others))
    return any(map(is_dicom, others[:_LOOKED_AT])) or any(map(_is_converted, images[:_LOOKED_AT]))


def _is_part(file: Path) -> bool:
    return is_dicom(file) or file.suffix.lower() == ".dcm"


def _is_converted(file: Path) -> bool:
    """Whether dcm2niix wrote a file: its sidecar, the trigger time in its name, or its header tells."""
    from calid.dicom.converted import is_converted_name

    if not file.name.lower().endswith((".nii", ".nii.gz")):
        return False
    if is_converted_name(file):
        return True
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        return bytes(nibabel.load(file).header["descrip"]).startswith(_BY_DCM2NIIX)
    except (OSError, ValueError, KeyError, TypeError, EOFError, ImageFileError):
        return False
