"""Stacks to files, phase by phase, as the phases come: memory holds one phase, whatever the length of the cine.

Only .nrrd and .seq.nrrd have room for the time of each phase; the other formats keep the first one and the mean step,
and what is lost by that is said.
"""

from __future__ import annotations

import errno
import gzip
import os
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol

import numpy as np

from calid.atomic import followed, free_bytes, not_written, partial_path, write_atomically
from calid.errors import StackWarning, UnusableInput
from calid.files.formats import suffix_of
from calid.files.image_headers import meta_header, nifti_header, nrrd_header
from calid.naming import naming
from calid.stacks.layout import Layout, check_dtype
from calid.stacks.phases import PhaseIndex
from calid.stacks.stack import SliceStack

PROVENANCE = "calid_provenance"
"""Key of the metadata that say, as JSON, what made a result."""
PROVENANCE_ROOM = 4096
"""Characters. What made a result is known after its voxels are written, and the header comes before them."""

_LEVEL = 1
"""Of compression: on MR, the default takes six times as long to save another seventh."""


class _Stream(Protocol):
    def write(self, data: bytes, /) -> object: ...
    def close(self) -> None: ...


def write_stack(stack: SliceStack, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a stack in LPS as a 3D file, or as 4D if it has several phases. The file appears complete or not at all.

    :param metadata: goes into the header of .nrrd and .mha files.
    :raises UnusableInput: naming the file, if the format cannot hold the stack or the file cannot be written.
    :raises OutOfResources: naming the file, if the disk is full.
    """
    check_writable(path)
    with naming(Path(path)):
        layout = Layout.of(stack)
    for lost in lost_in(path, layout):
        warnings.warn(f"{path}: {lost}", StackWarning, stacklevel=2)
    with PhaseWriter(path, layout, metadata) as writer:
        for voxels in stack.voxels:
            writer.add(voxels)
        writer.finish()


def check_writable(path: str | Path) -> None:
    """Raise ``UnusableInput`` unless a file of a known format can be created at ``path``. Leaves nothing behind."""
    path = Path(path)
    with naming(path):
        suffix_of(path)
        try:
            if path.is_dir():
                raise UnusableInput("this is a folder", "name a file in it")
            if os.path.lexists(path):
                _check_replaceable(path)
            if not path.parent.is_dir():
                raise UnusableInput("its folder does not exist", f"create {path.parent} first")
        except OSError as error:
            raise not_written(path, error) from error
    write_atomically(path, lambda partial: None, keep=False)


def _check_replaceable(path: Path) -> None:
    """Refuse what is no file, and a file that its owner has closed: renaming would replace either."""
    try:
        path.stat()
    except FileNotFoundError:  # a link that leads nowhere yet
        return
    if not path.is_file():
        raise UnusableInput("this is a device or a pipe, and no file", "choose another name")
    if not os.access(path, os.W_OK):
        raise UnusableInput("it may not be overwritten", "choose another name, or allow writing to it")


class PhaseWriter:
    """A file that grows by one phase at a time and appears under its name complete or not at all.

        with PhaseWriter("dense.seq.nrrd", Layout.of(stack)) as writer:
            for voxels in stack.voxels:
                writer.add(voxels)
            writer.finish()

    It is written beside its place, following a link, and renamed at the end of the block; without :meth:`finish`, or
    after an exception, nothing is left of it. The metadata come before the voxels in the file: those that are known
    last need blanks first.

    :param path: of a format in ``SUFFIXES``; a cine as .nrrd or .seq.nrrd is a volume sequence of 3D Slicer.
    :param metadata: goes into the header of .nrrd and .mha files.
    :raises UnusableInput: if the format cannot hold the voxels or the file cannot be created.
    :raises OutOfResources: if the disk is full, with the space that is needed and left.
    """

    def __init__(self, path: str | Path, layout: Layout, metadata: Mapping[str, str] | None = None) -> None:
        self.path, self.layout, self.metadata = Path(path), layout, dict(metadata or {})
        self._room = {key: len(value) for key, value in self.metadata.items()}
        self._added, self._finished, self._voxel_start = 0, False, 0
        with naming(self.path):
            self._suffix = suffix_of(self.path)
            check_dtype(layout.dtype)
        with self._disk():
            self._target = followed(self.path)
            self._partial = partial_path(self._target)
            self._check_space()
            self._file: BinaryIO = self._partial.open("xb")
        try:
            with self._disk():
                self._stream = self._start()
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> PhaseWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._finished:
                with self._disk():
                    os.replace(self._partial, self._target)
        finally:
            self._discard()

    def add(self, voxels: np.ndarray) -> None:
        """Append one phase of the stack, (slices, rows, columns), in the type of the layout."""
        if voxels.shape != self.layout.shape[1:] or voxels.dtype != self.layout.dtype:
            raise ValueError(f"a phase of {voxels.shape} {voxels.dtype} does not fit {self.layout}")
        with self._disk():
            stored = self.layout.stored(voxels)
            self._stream.write(stored.astype(voxels.dtype.newbyteorder("<"), copy=False).tobytes())
        self._added += 1

    def finish(self, metadata: Mapping[str, str] | None = None) -> None:
        """All phases are there. ``metadata`` replaces that of the start where it is not longer."""
        if self._added != self.layout.shape[0]:
            raise ValueError(f"{self.path}: {self._added} of {self.layout.shape[0]} phases were written")
        self.metadata.update(metadata or {})
        with self._disk():
            self._stream.close()
            self._close_header()
        self._finished = True

    def _start(self) -> _Stream:
        if self._suffix == ".nii":
            self._file.write(nifti_header(self.layout))
            return self._file
        if self._suffix == ".nii.gz":
            stream = self._gzip()
            stream.write(nifti_header(self.layout))
            return stream
        self._file.write(self._text_header())
        self._voxel_start = self._file.tell()
        return _ZlibStream(self._file) if self._suffix == ".mha" else self._gzip()

    def _gzip(self) -> gzip.GzipFile:
        return gzip.GzipFile("", "wb", _LEVEL, self._file, mtime=0)  # no time and name: equal files for equal voxels

    def _text_header(self, compressed_bytes: int = 0) -> bytes:
        if self._suffix == ".mha":
            filled = {key: value.ljust(self._room.get(key, 0)) for key, value in self.metadata.items()}
            return meta_header(self.layout, filled, compressed_bytes)
        is_sequence = self._suffix == ".seq.nrrd" or self.layout.shape[0] > 1
        return nrrd_header(self.layout, self.metadata, is_sequence, self._voxel_start)

    def _close_header(self) -> None:
        if not self._suffix.startswith(".nii"):
            header = self._text_header(self._file.tell() - self._voxel_start)
            if len(header) != self._voxel_start:
                raise ValueError(f"{self.path}: the header has {len(header)} bytes, not {self._voxel_start}")
            self._file.seek(0)
            self._file.write(header)
        self._file.close()

    def _check_space(self) -> None:
        if self._suffix == ".nii" and free_bytes(self.path) < self.layout.voxel_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise not_written(self.path, error, self.layout.voxel_bytes) from error

    def _discard(self) -> None:
        with suppress(OSError):  # what is still in its buffer may not fit on a full disk
            self._file.close()
        self._partial.unlink(missing_ok=True)


class _ZlibStream:
    """Compresses into a file, which stays open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._deflate = file, zlib.compressobj(_LEVEL)

    def write(self, data: bytes) -> None:
        self._file.write(self._deflate.compress(data))

    def close(self) -> None:
        self._file.write(self._deflate.flush())


def lost_in(path: str | Path, layout: Layout) -> list[str]:
    """Sentences on what a file of this name cannot hold of a stack or a cine."""
    suffix = suffix_of(Path(path))
    return [*_lost_thickness(suffix, layout), *_lost_phases(suffix, layout)]


def _lost_thickness(suffix: str, layout: Layout) -> list[str]:
    if layout.thickness is None or not suffix.startswith(".nii"):
        return []
    return [f"{suffix} cannot hold that the slices are {layout.thickness:g} mm thick; .nrrd and .mha can"]


def _lost_phases(suffix: str, layout: Layout) -> list[str]:
    index = layout.phase_index
    if suffix.endswith(".nrrd") or layout.shape[0] == 1 or index is None:
        return []
    remedy = "; .seq.nrrd keeps them"
    if layout.time_axis is None or index.name != "time":
        return [f"{suffix} cannot hold the {index.name} of the phases, {_listed(index)}{remedy}"]
    if not layout.has_even_times:
        _, step, unit = layout.time_axis
        return [
            f"{suffix} holds one step between phases: {_listed(index)} become {step:.6g} {unit} apart, the mean{remedy}"
        ]
    return []


def _listed(index: PhaseIndex) -> str:
    shown = [*index.values[:3], "…", index.values[-1]] if len(index.values) > 4 else index.values
    return " ".join([*shown, index.unit]).strip()
