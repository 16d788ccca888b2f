"""NRRD: headers by pynrrd, their meaning for a cine, and voxels in the file or beside it.

3D Slicer writes a cine as a list axis, the last one, older versions as the first one; the index values are in
``axis N index values`` (``vtkMRMLVolumeSequenceStorageNode``). A cine that the MultiVolume importer loaded has frame
numbers there, and the times in ``MultiVolume.FrameLabels``. Format: https://teem.sourceforge.net/nrrd/format.html.

The voxels are not read by pynrrd, which takes whatever a damaged header promises and refuses what follows the voxels,
nor by SimpleITK, which reads numbers by the decimal sign of the locale.
"""

from __future__ import annotations

import bz2
import gzip
import io
import math
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

import nrrd
import numpy as np

from calid.errors import UnusableInput
from calid.files.image import THICKNESS, Image, check_sizes, check_spacing, thickness_from
from calid.files.streams import DAMAGED, read_voxels
from calid.stacks.phases import PhaseIndex

_LONGEST_HEADER = 1 << 20
_PHASES = ("list", "time", "domain", "space", "???", "none")
_FEWEST_PHASES = 5
"""Up to four values of a vector are a colour or a displacement."""
_LPS = ("left", "posterior", "superior")
_SPACES = {"ras": "right-anterior-superior", "las": "left-anterior-superior", "lps": "left-posterior-superior"}
_MM = {"m": 1e3, "cm": 10.0, "um": 1e-3, "µm": 1e-3}
_ONE_WORD = {"datafile": "data file", "lineskip": "line skip", "byteskip": "byte skip"}
_INTEGERS = {"char": 1, "short": 2, "int": 4, "longlong": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8}
_MISSING = "it cannot be read: its header has no {name}, or one that is damaged"


def read_nrrd(path: Path) -> Image:
    """A NRRD file, or a header (.nhdr) whose voxels are in another file."""
    with path.open("rb") as file:
        header = NrrdHeader.parse(file.read(_LONGEST_HEADER))
        sizes, axis = header.sizes, header.phase_axis
        spatial = [size for number, size in enumerate(sizes) if number != axis]
        check_sizes([*spatial, *([] if axis is None else [sizes[axis]])], header.components)
        affine = header.affine
        file.seek(header.length)
        voxels = _voxels(file, path, header)
    if axis is not None:
        voxels = np.moveaxis(voxels, voxels.ndim - 1 - axis, 0)
    return Image(np.ascontiguousarray(voxels), affine, header.index, thickness=header.thickness)


@dataclass(frozen=True)
class NrrdHeader:
    """What pynrrd makes of the text, by field in small letters, with the free keys; and its length in bytes."""

    fields: dict[str, Any]
    length: int

    @classmethod
    def parse(cls, start: bytes) -> NrrdHeader:
        """The header in the first bytes of a file."""
        end = re.search(rb"\r?\n\r?\n", start)
        if not start.startswith(b"NRRD"):
            raise UnusableInput("it cannot be read: it is no NRRD file", "check that it is a complete image file")
        if end is None and len(start) == _LONGEST_HEADER:
            raise UnusableInput("its header does not end within 1 MB", "check that it is a complete image file")
        text = start[: end.start() if end else len(start)].decode(errors="replace")
        lines = [line for line in text.splitlines() if line and (":" in line or line.startswith("NRRD"))]
        try:
            fields = nrrd.read_header(map(_plain, lines))
        except (nrrd.NRRDError, ValueError, IndexError, OverflowError) as error:
            raise UnusableInput(f"it cannot be read: its header is damaged ({error})", "export it again") from error
        return cls(dict(fields), end.end() if end else len(start))

    @property
    def sizes(self) -> list[int]:
        """Voxels along each axis, the fastest first."""
        sizes = [int(size) for size in np.ravel(self._required("sizes"))]
        if len(sizes) != self._required("dimension"):
            raise UnusableInput(
                f"its header has {len(sizes)} sizes for {self.fields['dimension']} axes", "export it again"
            )
        return sizes

    @property
    def phase_axis(self) -> int | None:
        """Number of the axis, in a file of four, that is none of the three of space and holds phases."""
        if len(self.sizes) != 4:
            return None
        directions = self._directions
        if directions is None:
            outside = [axis for axis, kind in enumerate(self._kinds) if kind in ("none", "list")]
        else:
            outside = [axis for axis in range(4) if not np.isfinite(directions[axis]).any()]
        if len(outside) != 1:
            return 3 if not outside else None
        kind, size = self._kinds[outside[0]], self.sizes[outside[0]]
        return outside[0] if kind in _PHASES or (kind == "vector" and size >= _FEWEST_PHASES) else None

    @property
    def components(self) -> int:
        """Values of a voxel: more than 1 for a colour or a vector, which are an axis of their own."""
        kinds = self._kinds
        for axis, size in enumerate(self.sizes[:4]):
            if axis != self.phase_axis and kinds[axis] not in _PHASES:
                return size
        return 1

    @property
    def affine(self) -> np.ndarray:
        """4 x 4, IJK to LPS mm."""
        space = [axis for axis in range(len(self.sizes)) if axis != self.phase_axis]
        affine, directions = np.eye(4), self._directions
        if directions is None:
            spacings = [float(number) for number in np.ravel(self.fields.get("spacings", [1.0] * len(self.sizes)))]
            given = [spacings[axis] for axis in space if axis < len(spacings)]
            check_spacing(given)
            affine[:3, :3] = np.diag(given) * self._mm
            return affine
        columns = directions[space, :3].T
        if columns.shape != (3, 3) or not np.isfinite(columns).all() or not columns.any(axis=0).all():
            lengths = " x ".join(f"{length:g}" for length in np.linalg.norm(columns, axis=0))
            raise UnusableInput(f"it cannot be read: its axes are {lengths} mm long", "correct the space directions")
        origin = np.ravel(self.fields.get("space origin", np.zeros(3)))[:3]
        affine[:3, :3], affine[: len(origin), 3] = columns * self._mm, origin * self._mm
        return np.diag([*self._lps_signs, 1.0]) @ affine

    @property
    def thickness(self) -> tuple[float, float, float]:
        """mm of a voxel along the axes of space: of its own field, or else for all of them of the free key."""
        given = np.ravel(self.fields.get("thicknesses", []))
        if len(given) == len(self.sizes):
            space = [float(mm) for axis, mm in enumerate(given) if axis != self.phase_axis]
            if np.isfinite(space).any():
                i, j, k = (mm * self._mm if 0 < mm < math.inf else math.nan for mm in space)
                return i, j, k
        return (thickness_from(self.fields.get(THICKNESS)),) * 3

    @property
    def index(self) -> PhaseIndex | None:
        """Of the phases, ``None`` if the file does not say. Frame numbers count only where no times are known."""
        axis = self.phase_axis
        if axis is None:
            return None
        unit, name = self._text("units", axis) or self._text("space units", axis), self._text("labels", axis)
        values = tuple(unquote(word) for word in str(self.fields.get(f"axis {axis} index values", "")).split())
        labels = tuple(re.split(r"[,\s]+", str(self.fields.get("MultiVolume.FrameLabels", "")).strip()))
        ms = str(self.fields.get("MultiVolume.FrameIdentifyingDICOMTagUnits", "ms"))
        given = [PhaseIndex(values, unit, name or "time"), PhaseIndex(labels, ms), *self._spaced(axis, unit)]
        fitting = [index for index in given if len(index.values) == self.sizes[axis] and index.values != ("",)]
        return next((index for index in fitting if index.times), next(iter(fitting), None))

    def _spaced(self, axis: int, unit: str) -> list[PhaseIndex]:
        """The phases where the file has a step for them."""
        spacings, directions = np.ravel(self.fields.get("spacings", [])), self._directions
        step, start = float(spacings[axis]) if axis < len(spacings) else math.nan, 0.0
        if directions is not None and directions.shape[1] == 4:
            step, origin = float(directions[axis, 3]), np.ravel(self.fields.get("space origin", np.zeros(4)))
            start = float(origin[3])
        return [PhaseIndex.even(start, step, self.sizes[axis], unit)] if math.isfinite(step) and step > 0 else []

    @property
    def dtype(self) -> np.dtype:
        """Of a voxel."""
        name = str(self._required("type")).lower()
        word = (
            name.replace("unsigned", "u")
            .replace("signed ", "")
            .removesuffix(" int")
            .removesuffix("_t")
            .replace(" ", "")
        )
        order = ">" if str(self.fields.get("endian", "little")).lower() == "big" else "<"
        code = {"float": "f4", "double": "f8"}.get(word)
        if code is None and word.removeprefix("u") in _INTEGERS:
            code = f"{'u' if word.startswith('u') else 'i'}{_INTEGERS[word.removeprefix('u')]}"
        if code is None:
            raise UnusableInput(
                f"it cannot be read: its voxels are of type {name}", "export it again as integers or float"
            )
        return np.dtype(order + code)

    @property
    def _directions(self) -> np.ndarray | None:
        """A row for each axis, not a number for those outside of space."""
        given = self.fields.get("space directions")
        if given is None:
            return None
        rows = np.atleast_2d(np.asarray(given, dtype=np.float64))
        if len(rows) != len(self.sizes) or rows.shape[1] not in (3, 4):
            raise UnusableInput(_MISSING.format(name="space directions"), "export it again")
        return rows

    @property
    def _mm(self) -> float:
        """Of one unit of space."""
        return _MM.get(self._text("space units", 0) or self._text("units", 0), 1.0)

    @property
    def _lps_signs(self) -> list[float]:
        """Factors from the file's space to LPS."""
        space = str(self.fields.get("space", "left-posterior-superior")).lower()
        words = _SPACES.get(space[:3], space).split("-")
        return (
            [1.0 if word == lps else -1.0 for word, lps in zip(words, _LPS, strict=False)]
            if len(words) > 2
            else [1.0] * 3
        )

    @property
    def _kinds(self) -> list[str]:
        return ([str(kind).lower() for kind in np.ravel(self.fields.get("kinds", []))] + ["???"] * 4)[:4]

    def _text(self, field: str, axis: int) -> str:
        """One of the quoted texts of a field."""
        texts = self.fields.get(field, [])
        return texts[axis].strip() if axis < len(texts) else ""

    def _required(self, name: str) -> Any:
        if name not in self.fields:
            raise UnusableInput(_MISSING.format(name=name), "export it again")
        return self.fields[name]


def _plain(line: str) -> str:
    """A line with its field's name in the letters and words that pynrrd knows; free keys stay as they are."""
    name, colon, rest = line.partition(":")
    if rest.startswith("=") or not colon:
        return line
    name = name.strip().lower()
    if name in ("space directions", "space origin"):
        rest = re.sub(r"(?<=[(,])\s+|\s+(?=[,)])", "", rest)
    return f"{_ONE_WORD.get(name, name)}:{rest}"


def _voxels(file: BinaryIO, path: Path, header: NrrdHeader) -> np.ndarray:
    """All voxels, axes reversed, from the rest of the file or from the one that the header names."""
    name = header.fields.get("data file")
    if name is None:
        return _decoded(file, header)
    if name.startswith("LIST") or "%" in name:
        raise UnusableInput(f"its voxels are in several files ({name})", "save it as one file: unu save -f nrrd")
    data = path.parent / name
    if not data.is_file():
        raise UnusableInput(f"its voxels are in {name}, which is missing", f"put {data.name} into the same folder")
    with data.open("rb") as separate:
        return _decoded(separate, header)


def _decoded(file: BinaryIO, header: NrrdHeader) -> np.ndarray:
    encoding, sizes, dtype = str(header.fields.get("encoding", "raw")).lower(), header.sizes, header.dtype
    for _ in range(int(header.fields.get("line skip", 0))):
        file.readline()
    skip = int(header.fields.get("byte skip", 0))
    if encoding in ("ascii", "text", "txt"):
        return _from_text(file, sizes, dtype)
    openers: dict[str, Any] = {"gzip": gzip.open, "gz": gzip.open, "bzip2": bz2.open, "bz2": bz2.open}
    if encoding != "raw" and encoding not in openers:
        raise UnusableInput(f"it cannot be read: its encoding is {encoding}", "save it as gzip or raw")
    try:
        with ExitStack() as opened:
            stream = file if encoding == "raw" else opened.enter_context(openers[encoding](file, "rb"))
            if skip > 0:
                stream.read(skip)
            elif skip < 0 and encoding == "raw":
                file.seek(-math.prod(sizes) * dtype.itemsize, io.SEEK_END)
            return read_voxels(cast(BinaryIO, stream), sizes, dtype)
    except (*DAMAGED, OSError) as error:
        raise UnusableInput(f"the file is truncated or damaged ({error})", "copy or export it again") from error


def _from_text(file: BinaryIO, sizes: list[int], dtype: np.dtype) -> np.ndarray:
    words, count = file.read().split(), math.prod(sizes)
    if len(words) < count:
        raise UnusableInput(f"the file is truncated: {len(words)} of {count} voxels", "copy or export it again")
    try:
        numbers = [int(word) if dtype.kind in "iu" else float(word) for word in words[:count]]
        return np.array(numbers, dtype.newbyteorder("=")).reshape(sizes[::-1])
    except (ValueError, OverflowError) as error:
        raise UnusableInput(f"it cannot be read: a voxel is no {dtype} ({error})", "export it again") from error
