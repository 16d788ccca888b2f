"""The bytes of an image file, compressed or not: as many as its header promises, or an error with both numbers.

A header may promise anything, so memory is compared with what is free before it is asked for.
"""

from __future__ import annotations

import bz2
import gzip
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from calid.errors import DependencyError, OutOfResources, UnusableInput
from calid.memory import available_bytes

_CHUNK = 1 << 22
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)

_COMPLETE = "copy or export it again, the whole file"


@contextmanager
def decompressed(path: Path) -> Iterator[BinaryIO]:
    """The file as if it were not compressed, by the last part of its name.

    :raises DependencyError: if a Python package for its compression is missing.
    :raises UnusableInput: if it is damaged, or not compressed as its name says.
    """
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".zst": _open_zstandard}
    opener = openers.get(path.suffix.lower(), open)
    try:
        with opener(path, "rb") as file:
            yield cast(BinaryIO, file)
    except DAMAGED as error:
        with path.open("rb") as raw:
            is_plain = path.suffix.lower() == ".gz" and raw.read(2) not in (b"\x1f\x8b", b"\x1f", b"")
        what = "not compressed as its name says, or damaged" if is_plain else "truncated or damaged"
        raise UnusableInput(f"the file is {what} ({error})", _COMPLETE) from error


def _open_zstandard(path: Path, mode: str) -> BinaryIO:
    for name in ("compression.zstd", "backports.zstd", "pyzstd"):
        try:
            module = __import__(name, fromlist=["open"])
        except ImportError:
            continue
        return module.open(path, mode)
    raise DependencyError(
        f"{path}: reading .zst needs a Python package that is not installed",
        "pip install backports.zstd, or unpack the file: zstd -d",
    )


def read_voxels(file: BinaryIO, sizes: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """The next voxels of a stream, axes reversed: (..., k, j, i).

    :raises UnusableInput: if there are fewer bytes than ``sizes`` need.
    :raises OutOfResources: if they do not fit into the free memory.
    """
    count = math.prod(int(size) for size in sizes)
    needed = count * dtype.itemsize
    check_memory(needed)
    data = bytearray()
    while len(data) < needed and (chunk := file.read(min(_CHUNK, needed - len(data)))):
        data += chunk
    if len(data) < needed:
        raise UnusableInput(f"the file is truncated: {len(data)} of {needed} bytes of voxels", _COMPLETE)
    voxels = np.frombuffer(data, dtype).reshape([int(size) for size in reversed(sizes)])
    return voxels.astype(dtype.newbyteorder("="), copy=False)


def check_memory(needed: int) -> None:
    """Raise ``OutOfResources`` if an image of so many bytes does not fit into the free memory."""
    free = available_bytes()
    if free is not None and needed > free:
        raise OutOfResources(
            f"its header promises {needed / 2**30:.3g} GB of voxels, and {free / 2**30:.3g} GB of memory are free",
            "check that it is the right file and not damaged, or use a computer with more memory",
        )
