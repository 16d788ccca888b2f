"""What SimpleITK does not tell about a NRRD file: which axis holds the phases of a cine, and when they were.

3D Slicer writes a cine as a list axis, the last one, older versions as the first one; the index values are in
``axis N index values`` (``vtkMRMLVolumeSequenceStorageNode``). A cine that the MultiVolume importer loaded has frame
numbers there, and the times in ``MultiVolume.FrameLabels``. Format: https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from calid.stacks.layout import seconds

_LONGEST_HEADER = 1 << 20
_PHASES = ("list", "time", "domain", "space", "???", "none")
_FEWEST_PHASES = 5
"""Up to four values of a vector are a colour or a displacement."""
_LPS = ("left", "posterior", "superior")
_SPACES = {"ras": "right-anterior-superior", "las": "left-anterior-superior", "lps": "left-posterior-superior"}


@dataclass(frozen=True)
class NrrdHeader:
    """The text of a header: ``fields`` (``name: value``), free ``keys`` (``key:=value``), and its length in bytes."""

    fields: dict[str, str]
    keys: dict[str, str]
    length: int

    @classmethod
    def read(cls, path: Path) -> NrrdHeader | None:
        """The header of a file; ``None`` if it has none that ends."""
        with path.open("rb") as file:
            start = file.read(_LONGEST_HEADER)
        end = re.search(rb"\r?\n\r?\n", start)
        if end is None or not start.startswith(b"NRRD"):
            return None
        lines = start[: end.start()].decode(errors="replace").splitlines()
        pairs = [re.match(r"([^#:]+)(:=|: ?)(.*)", line) for line in lines]
        fields = {pair[1].strip().lower(): pair[3].strip() for pair in pairs if pair and pair[2] != ":="}
        keys = {pair[1].strip(): pair[3].strip() for pair in pairs if pair and pair[2] == ":="}
        return cls(fields, keys, end.end())

    @property
    def phase_axis(self) -> int | None:
        """Number of the axis, in a file of four, that is none of the three of space and holds phases."""
        if self.fields.get("dimension") != "4" or len(self._sizes) != 4:
            return None
        directions = re.findall(r"none|\([^)]*\)", self.fields.get("space directions", ""))
        axes = enumerate((directions or self._kinds)[:4])
        outside = [axis for axis, direction in axes if direction in ("none", "list")]
        if len(outside) != 1:
            return None
        kind, size = self._kinds[outside[0]], self._sizes[outside[0]]
        return outside[0] if kind in _PHASES or (kind == "vector" and size >= _FEWEST_PHASES) else None

    @property
    def times(self) -> tuple[float, ...] | None:
        """Seconds of each phase, ``None`` if the file does not say."""
        axis = self.phase_axis
        if axis is None:
            return None
        values = _numbers(self.keys.get(f"axis {axis} index values", ""))
        labels = _numbers(self.keys.get("MultiVolume.FrameLabels", "").replace(",", " "))
        unit = self.keys.get("MultiVolume.FrameIdentifyingDICOMTagUnits", "ms")
        given = [seconds(values, self._unit(axis)), seconds(labels, unit), seconds(*self._spaced(axis))]
        return next((times for times in given if times and len(times) == self._sizes[axis]), None)

    @property
    def spacings(self) -> list[float]:
        """Of the axes of space, in mm, if the file has no directions: what SimpleITK would replace by its own."""
        if "space directions" in self.fields:
            return []
        numbers = _numbers(self.fields.get("spacings", ""))
        return [number for axis, number in enumerate(numbers) if axis != self.phase_axis][:3]

    @property
    def needs_list(self) -> bool:
        """Whether the axis of the phases is called something that SimpleITK does not read."""
        return self.phase_axis is not None and self._kinds[self.phase_axis] not in ("list", "vector")

    @property
    def time_unit(self) -> str:
        """Of the fourth axis."""
        return self._unit(3)

    @property
    def lps_signs(self) -> np.ndarray:
        """(3,) factors from the file's space to LPS. SimpleITK applies them unless the fourth axis belongs to space."""
        space = self.fields.get("space", "").lower()
        if not space.endswith(("-time", "rast", "last", "lpst")):
            return np.ones(3)
        words = _SPACES.get(space[:3], space).split("-")
        return np.array([1.0 if word == lps else -1.0 for word, lps in zip(words, _LPS, strict=False)])

    @property
    def _sizes(self) -> list[int]:
        return [int(size) for size in _numbers(self.fields.get("sizes", ""))]

    @property
    def _kinds(self) -> list[str]:
        return (self.fields.get("kinds", "").lower().split() + ["???"] * 4)[:4]

    def _unit(self, axis: int) -> str:
        units = re.findall(r'"([^"]*)"', self.fields.get("units") or self.fields.get("space units", ""))
        return units[axis] if axis < len(units) else ""

    def _spaced(self, axis: int) -> tuple[list[float], str]:
        spacings = _numbers(self.fields.get("spacings", ""))
        step = spacings[axis] if axis < len(spacings) else math.nan
        return [phase * step for phase in range(self._sizes[axis])], self._unit(axis)


def _numbers(text: str) -> list[float]:
    """The numbers in a text, none if one of its words is no number."""
    try:
        return [float(unquote(word)) for word in text.split()]
    except ValueError:
        return []


@contextmanager
def with_list_axis(path: Path, header: NrrdHeader) -> Iterator[Path]:
    """A copy of the file in which the axis of the phases is a list, as SimpleITK wants it."""
    kinds = ["domain"] * 4
    kinds[header.phase_axis or 0] = "list"
    with tempfile.TemporaryDirectory(prefix="calid-") as folder, path.open("rb") as source:
        lines = [line for line in source.read(header.length).splitlines() if line and not line.startswith(b"kinds:")]
        copy = Path(folder, "cine.nrrd")
        with copy.open("wb") as target:
            target.write(b"\n".join([*lines, b"kinds: " + " ".join(kinds).encode(), b"", b""]))
            shutil.copyfileobj(source, target)
        yield copy
