"""Headers whose voxels are in a second file: which one. Standard library only."""

from __future__ import annotations

import re
from pathlib import Path

_LONGEST_HEADER = 1 << 16
_NAMED = re.compile(rb"(?mi)^(?:data ?file:|ElementDataFile *=) *([^\r\n]+?) *\r?$")
_PAIR = {".hdr": ".img", ".img": ".hdr"}


def files_of(path: Path) -> list[Path]:
    """A file, and the second one that its header names, if there is one: both are the input."""
    suffix = path.suffix.lower()
    if suffix in _PAIR:
        return [path, path.with_suffix(_PAIR[suffix].upper() if path.suffix.isupper() else _PAIR[suffix])]
    if not path.is_file() or suffix not in (".nhdr", ".nrrd", ".mhd", ".mha"):
        return [path]
    with path.open("rb") as file:
        names = _NAMED.findall(file.read(_LONGEST_HEADER))
    return [path, *(path.parent / name.decode(errors="surrogateescape") for name in names)]
