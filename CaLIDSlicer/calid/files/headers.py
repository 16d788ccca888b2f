"""What SimpleITK lets pass in silence: damaged NIfTI files and impossible spacings.

ITK fills the missing part of a truncated NIfTI file with zeros, turns NaN into 0, and replaces an impossible spacing by
its absolute value or by 1 mm. A heart would come out empty or in the wrong size, so the file itself is read first.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from calid.errors import UnusableInput
from calid.files.nrrd import NrrdHeader
from calid.stacks.stack import not_finite

_CHUNK = 1 << 20
_META_SPACING = re.compile(rb"^ElementSpacing\s*=([^\r\n]*)", re.MULTILINE)
_FLOAT_TYPES = {16: "f4", 64: "f8"}
# Size of a NIfTI header -> struct format and offset of each field (nifti1.h, nifti2.h).
_NIFTI_FIELDS = {
    348: {
        "dim": ("8h", 40),
        "datatype": ("h", 70),
        "bitpix": ("h", 72),
        "pixdim": ("8f", 76),
        "vox_offset": ("f", 108),
    },
    540: {
        "dim": ("8q", 16),
        "datatype": ("h", 12),
        "bitpix": ("h", 14),
        "pixdim": ("8d", 104),
        "vox_offset": ("q", 168),
    },
}


def check_file(path: Path) -> None:
    """Raise ``UnusableInput`` if the file is truncated, has an impossible spacing, or is NIfTI with NaN voxels.

    :param path: a ``.nii``, ``.nii.gz``, ``.nrrd`` or ``.mha`` file. What is not one passes: the reader refuses it.
    :raises OSError: if the file cannot be opened.
    """
    name = path.name.lower()
    if name.endswith(".nii.gz"):
        with gzip.open(path) as file:
            _check_nifti(file)
    elif name.endswith(".nii"):
        with path.open("rb") as file:
            _check_nifti(file)
    else:
        _check_spacing(_nrrd_spacing(path) if name.endswith(".nrrd") else _meta_spacing(path))


def _nrrd_spacing(path: Path) -> list[float]:
    header = NrrdHeader.read(path)
    return header.spacings if header else []


def _meta_spacing(path: Path) -> list[float]:
    with path.open("rb") as file:
        match = _META_SPACING.search(file.read(_CHUNK))
    return [float(number) for number in match[1].split()[:3]] if match else []


@dataclass(frozen=True)
class _NiftiHeader:
    order: str
    sizes: tuple[int, ...]
    spacing: tuple[float, ...]
    datatype: int
    bitpix: int
    vox_offset: int

    @classmethod
    def parse(cls, raw: bytes) -> _NiftiHeader | None:
        """The header in the first 540 bytes of a file, or ``None`` if there is none."""
        for order in "<>":
            size = struct.unpack_from(order + "i", raw)[0] if len(raw) >= 4 else 0
            if size in _NIFTI_FIELDS and len(raw) >= size:
                fields = {
                    name: struct.unpack_from(order + code, raw, offset)
                    for name, (code, offset) in _NIFTI_FIELDS[size].items()
                }
                dimension = min(max(fields["dim"][0], 0), 7)
                return cls(
                    order=order,
                    sizes=fields["dim"][1 : 1 + dimension],
                    spacing=fields["pixdim"][1 : 1 + min(dimension, 3)],
                    datatype=fields["datatype"][0],
                    bitpix=fields["bitpix"][0],
                    vox_offset=int(fields["vox_offset"][0]),
                )
        return None

    @property
    def phases(self) -> int:
        return math.prod(max(size, 1) for size in self.sizes[3:])

    @property
    def voxel_bytes(self) -> int:
        return math.prod(max(size, 1) for size in self.sizes) * self.bitpix // 8


def _check_nifti(file: BinaryIO | gzip.GzipFile) -> None:
    try:
        header = _NiftiHeader.parse(file.read(540))
        if header is None:
            return
        _check_spacing(list(header.spacing))
        file.seek(header.vox_offset)
        found, counts = 0, Counter[int]()
        for chunk in _chunks(file, header.voxel_bytes):
            counts.update(_phases_of_not_finite(chunk, found, header))
            found += len(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnusableInput(f"the file is truncated or damaged ({error})", "copy or export it again") from error
    if found < header.voxel_bytes:
        message = f"the file is truncated: {found} of {header.voxel_bytes} bytes of voxels"
        raise UnusableInput(message, "copy or export it again")
    if counts:
        raise not_finite(sum(counts.values()), min(counts), header.phases)


def _chunks(file: BinaryIO | gzip.GzipFile, total: int) -> Iterator[bytes]:
    while total > 0 and (chunk := file.read(min(_CHUNK, total))):
        total -= len(chunk)
        yield chunk


def _phases_of_not_finite(chunk: bytes, offset: int, header: _NiftiHeader) -> list[int]:
    """The phase of every voxel in a chunk, ``offset`` bytes after the first voxel, that is not finite."""
    if header.datatype not in _FLOAT_TYPES:
        return []
    dtype = np.dtype(header.order + _FLOAT_TYPES[header.datatype])
    values = np.frombuffer(chunk, dtype, count=len(chunk) // dtype.itemsize)
    voxels = np.flatnonzero(~np.isfinite(values)) + offset // dtype.itemsize
    return (voxels * header.phases // (header.voxel_bytes // dtype.itemsize)).tolist()


def _check_spacing(spacing: list[float]) -> None:
    if not all(0 < distance < math.inf for distance in spacing):
        numbers = " x ".join(f"{distance:g}" for distance in spacing)
        raise UnusableInput(f"the spacing in the header is {numbers} mm", "correct the spacing in the header")
