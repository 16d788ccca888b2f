"""Cases in a tree of image files, folders of slices, DICOM studies and zip archives, in any mix.

A study is all the folders below the input whose files have one study UID, whatever their depth; its case is the
folder that holds them all and no other study. Images inside of a study belong to it. A folder whose images hold one
slice each is one case; beside stacks, such images are long axes, and no cases. Results of this program, and what is
hidden, are none either.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from calid.dicom.opening import is_study
from calid.errors import UnusableInput
from calid.files.formats import READABLE, is_dicom

DESCRIPTION_FILE = "dataset_description.json"
PROGRAM = "CaLID"

_LOOKED_AT = 200
"""Images of a folder, to see which of them are single slices; more are no slices of one stack."""
_PARTS = (".img",)
"""Voxels of a header beside them."""


@dataclass(frozen=True)
class Found:
    """An input that was found: its paths, mostly one, and what it is called below the top."""

    paths: tuple[Path, ...]
    name: str


def find_cases(top: Path, leave_out: Path | None = None, pattern: str | None = None) -> list[Found]:
    """All cases below a folder, in the order of their names.

    :param leave_out: a folder that is not looked into.
    :param pattern: takes what matches, files and folders, as the cases; relative to ``top``, such as ``*/sax.nii.gz``.
    :raises UnusableInput: if there is no such folder, or no case in it.
    """
    if not top.is_dir():
        remedy = "name a folder; one case is reconstructed by calid reconstruct" if top.exists() else "check the path"
        raise UnusableInput(f"{top}: there is no such folder", remedy)
    paths: list[tuple[Path, ...]] = []
    if pattern is None:
        paths += _Tree(top, leave_out).cases()
    else:
        paths += ((path,) for path in _matching(top, pattern) if leave_out is None or leave_out not in path.parents)
    if not paths:
        sought = f"nothing matches {pattern}" if pattern else "there is no image file and no study in it"
        raise UnusableInput(f"{top}: {sought}", "check the folder, or name the cases with --pattern or --cases")
    return sorted((Found(each, _name(each, top)) for each in paths), key=lambda found: found.name)


def is_result(folder: Path) -> bool:
    """Whether a folder holds what an earlier run has made."""
    try:
        description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        return any(each.get("Name") == PROGRAM for each in description.get("GeneratedBy", ()))
    except (OSError, ValueError, AttributeError):
        return False


def _matching(top: Path, pattern: str) -> list[Path]:
    try:
        return [path for path in top.glob(pattern) if not path.name.startswith(".")]
    except (ValueError, NotImplementedError) as error:
        raise UnusableInput(f"the pattern {pattern!r} cannot be used: {error}", "write it like */sax.nii.gz") from error


def _name(paths: tuple[Path, ...], top: Path) -> str:
    return "+".join(path.relative_to(top).as_posix() if path != top else path.name for path in paths)


class _Tree:
    """What lies below a folder."""

    def __init__(self, top: Path, leave_out: Path | None) -> None:
        self._top, self._leave_out = top, leave_out
        self._closed: list[Path] = []

    def cases(self) -> Iterator[tuple[Path, ...]]:
        """The paths of each."""
        images: list[Path] = []
        series: dict[str, list[Path]] = defaultdict(list)
        for folder, files in self._folders():
            dicom = [file for file in files if _is_dicom(file)]
            if dicom:
                series[_study_of(dicom) or str(folder)].append(folder)
            images += _images(folder, files) if not dicom else [file for file in files if _is_zip(file)]
        studies = [*_studies(series)]
        inside = {path for paths in studies for path in paths}
        yield from studies
        for image in (*images, *self._closed):
            if not inside.intersection((image, *image.parents)):
                yield (image,)

    def _folders(self) -> Iterator[tuple[Path, list[Path]]]:
        """Each folder once, whatever links lead to it, and its files."""
        entered: set[tuple[int, int]] = set()
        waiting = [self._top]
        while waiting:
            folder = waiting.pop()
            try:
                status = folder.stat()
                if (status.st_dev, status.st_ino) in entered or folder == self._leave_out or is_result(folder):
                    continue
                entered.add((status.st_dev, status.st_ino))
                inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
            except OSError:  # opening it as a case tells why
                self._closed.append(folder)
                continue
            waiting += [path for path in reversed(inside) if path.is_dir()]
            yield folder, [path for path in inside if path.is_file()]


def _images(folder: Path, files: list[Path]) -> list[Path]:
    """The cases among the files of a folder without DICOM: each stack and archive, or the folder itself."""
    images = [file for file in files if file.name.lower().endswith(READABLE) and file.suffix.lower() not in _PARTS]
    archives = [file for file in files if _is_zip(file)]
    single = [image for image in images[:_LOOKED_AT] if _is_single_slice(image)] if len(images) > 1 else []
    if single and (len(single) == len(images[:_LOOKED_AT]) or is_study(folder)):
        return [folder, *archives]
    return [*(image for image in images if image not in single), *archives]


def _is_single_slice(image: Path) -> bool:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(image))
    try:
        reader.ReadImageInformation()
    except RuntimeError:  # it is told of when it is read
        return False
    return reader.GetDimension() < 3 or reader.GetSize()[2] == 1


def _studies(series: dict[str, list[Path]]) -> Iterator[tuple[Path, ...]]:
    """The folders of each study: one that holds it and nothing else, or else all in which its files are."""
    folders = {folder for each in series.values() for folder in each}
    for own in series.values():
        common = Path(os.path.commonpath(own))
        others = (folder for folder in folders.difference(own) if common in (folder, *folder.parents))
        yield (common,) if next(others, None) is None else tuple(own)


def _study_of(files: list[Path]) -> str:
    """The study UID of the first file that has one; empty if none has."""
    import pydicom

    from calid.dicom.quiet import quiet

    for file in files:
        with quiet(), suppress(OSError, ValueError, EOFError, pydicom.errors.InvalidDicomError):
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
            return str(header.get("StudyInstanceUID", ""))
    return ""


def _is_dicom(file: Path) -> bool:
    return not file.name.lower().endswith(READABLE) and (file.suffix.lower() in (".dcm", ".ima") or is_dicom(file))


def _is_zip(file: Path) -> bool:
    return file.suffix.lower() == ".zip"
