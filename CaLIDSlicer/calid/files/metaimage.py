"""MetaImage (.mha, and .mhd whose voxels are in a second file) by SimpleITK, and what it lets pass in silence.

ITK replaces an impossible spacing by its absolute value or by 1 mm, so the text is looked at first. It knows the format
by small letters alone, and file names by UTF-8 alone: others are read by way of a link of another name.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from calid.errors import UnusableInput
from calid.files.image import THICKNESS, Image, check_sizes, check_spacing, thickness_from
from calid.files.streams import check_memory
from calid.stacks.phases import PhaseIndex

_LONGEST_HEADER = 1 << 16
_LOCAL = "local"
_BYTES = {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "uint": 4, "int": 4, "float": 4, "long": 4, "ulong": 4}


def read_metaimage(path: Path) -> Image:
    """A MetaImage. Its time axis has no unit."""
    header = _header(path)
    check_spacing(_numbers(header, "ElementSpacing")[:3])
    sizes = [int(size) for size in _numbers(header, "DimSize")]
    if not sizes:
        raise UnusableInput("it cannot be read: it is no MetaImage", "check that it is a complete image file")
    check_sizes(sizes, int((_numbers(header, "ElementNumberOfChannels") or [1])[0]))
    size = _BYTES.get(header.get("ElementType", "").removeprefix("MET_").lower(), 8)
    check_memory(math.prod(sizes) * size)
    _check_length(path, header, math.prod(sizes) * size)
    with _plainly_named(path, header) as readable:
        image = _execute(readable)
    dimension = image.GetDimension()
    directions = np.reshape(image.GetDirection(), (dimension, dimension))
    affine = np.eye(4)
    affine[:3, :3] = directions[:3, :3] * image.GetSpacing()[:3]
    affine[:3, 3] = image.GetOrigin()[:3]
    index = None
    if dimension == 4:
        index = PhaseIndex.even(image.GetOrigin()[3], image.GetSpacing()[3], image.GetSize()[3], "")
    thickness = (thickness_from(header.get(THICKNESS)),) * 3
    return Image(sitk.GetArrayFromImage(image), affine, index, thickness=thickness)


def _header(path: Path) -> dict[str, str]:
    """The fields of the text, of which ``ElementDataFile`` is the last one."""
    with path.open("rb") as file:
        start = file.read(_LONGEST_HEADER)
    text = re.split(rb"(?m)(?<=^ElementDataFile)([^\n]*)\n?", start, maxsplit=1)
    lines = b"".join(text[:2]).decode("latin-1").splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _numbers(header: dict[str, str], name: str) -> list[float]:
    try:
        return [float(number) for number in header.get(name, "").split()]
    except ValueError as error:
        raise UnusableInput(f"its {name} is {header[name]!r}", f"correct {name} in the header") from error


def _check_length(path: Path, header: dict[str, str], needed: int) -> None:
    """Refuse a truncated file with both numbers; ITK would name a place in its own source."""
    if header.get("ElementDataFile", "").lower() != _LOCAL:
        return
    with path.open("rb") as file:
        start = file.read(_LONGEST_HEADER)
    match = re.search(rb"(?m)^ElementDataFile[^\n]*\n", start)
    found = path.stat().st_size - (match.end() if match else len(start))
    compressed = _numbers(header, "CompressedDataSize")
    if header.get("CompressedData", "False").lower() == "true":
        needed = int(compressed[0]) if compressed else 1
    if header.get("BinaryData", "True").lower() == "true" and found < needed:
        raise UnusableInput(
            f"the file is truncated: {found} of {needed} bytes of voxels", "copy or export it again, the whole file"
        )


def _execute(path: Path) -> sitk.Image:
    """What ITK reads, without its warnings."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return sitk.ReadImage(str(path), imageIO="MetaImageIO")
    except RuntimeError as error:
        raise UnusableInput(f"it cannot be read: {_reason(error)}", "check that it is a complete image file") from error
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _reason(error: Exception) -> str:
    """The last line of an ITK error that says something; the ones before it are source locations."""
    lines = [line.split("ERROR:")[-1].strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), type(error).__name__)


@contextmanager
def _plainly_named(path: Path, header: dict[str, str]) -> Iterator[Path]:
    """The file, or a link to it and to its voxels, with small letters at the end and a name in ASCII."""
    data = header.get("ElementDataFile", "")
    if data.lower() != _LOCAL and not (path.parent / data).is_file():
        raise UnusableInput(
            f"its voxels are in {data or 'no file'}, which is missing",
            "put it into the same folder, or save it as .mha",
        )
    if str(path).isascii() and path.suffix in (".mha", ".mhd"):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="calid-") as folder:
        if data.lower() != _LOCAL:
            _link(path.parent / data, Path(folder, data))
        yield _link(path, Path(folder, f"image{path.suffix.lower()}"))


def _link(path: Path, link: Path) -> Path:
    try:
        os.symlink(path.absolute(), link)
    except OSError:  # Windows allows it to developers only
        shutil.copy(path, link)
    return link
