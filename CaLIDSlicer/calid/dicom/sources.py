"""Every file of a folder of any depth, of a list or of a zip archive, and what was passed over.

Links are followed, each folder is entered once: a circle of links ends. Names come from whoever made the medium, so
they are shown, but never made into a path, and only the last part of one: folders are often called after patients.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO

from calid.errors import UnusableInput
from calid.files.streams import check_memory

MOST_FILES = 200_000
"""More are no study, but a disk."""

_LARGEST_MEMBER = 1 << 31

_RUBBISH = ("._", ".DS_Store", "Thumbs.db", "desktop.ini")
"""How names begin that file systems leave behind, AppleDouble files beside every image among them."""


@dataclass(frozen=True)
class Source:
    """A file, or a member of a zip archive."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """The last part of its name."""
        return PurePosixPath(self.member).name if self.member else self.path.name


@dataclass(frozen=True)
class LeftOut:
    """A file or a picture that is not used, and why.

    :param count: of pictures in it.
    """

    name: str
    reason: str
    count: int = 1


class Opener:
    """Opens sources; an archive is opened once and closed at the end of the block."""

    def __init__(self) -> None:
        self._archives: dict[Path, zipfile.ZipFile] = {}

    def __enter__(self) -> Opener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for archive in self._archives.values():
            archive.close()
        self._archives.clear()

    def open(self, source: Source) -> BinaryIO:
        """The bytes of a source, from the first one on.

        :raises OSError, ValueError: if it cannot be read.
        """
        if not source.member:
            return source.path.open("rb")
        archive = self._archives.get(source.path)
        if archive is None:
            archive = self._archives[source.path] = zipfile.ZipFile(source.path)
        check_memory(archive.getinfo(source.member).file_size)
        try:
            return io.BytesIO(archive.read(source.member))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:  # damaged, or a password
            raise ValueError(str(error)) from error


def find_sources(paths: Iterable[Path], left_out: list[LeftOut]) -> Iterator[Source]:
    """Every file below ``paths``, which are folders, files and zip archives; what cannot be entered is noted.

    :raises UnusableInput: if one of the paths is not there, an archive is damaged, or there are too many files.
    """
    found = 0
    for path in paths:
        for source in _below(path, left_out):
            found += 1
            if found > MOST_FILES:
                raise UnusableInput(f"there are more than {MOST_FILES} files in it", "pass the folder of one study")
            yield source


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive."""
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


def _below(path: Path, left_out: list[LeftOut]) -> Iterator[Source]:
    if path.is_dir():
        yield from _walk(path, left_out)
    elif not path.exists():
        raise UnusableInput(f"{path}: there is no such file or folder", "check the path")
    elif is_archive(path):
        yield from _members(path, left_out)
    else:
        yield Source(path)


def _walk(top: Path, left_out: list[LeftOut]) -> Iterator[Source]:
    """Files below a folder in the order of their names, each folder once whatever leads to it."""
    entered: set[tuple[int, int]] = set()
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            left_out.append(LeftOut(folder.name, f"a folder that cannot be read ({error.strerror})"))
            continue
        waiting += [Path(entry.path) for entry in reversed(inside) if _is_folder(entry)]
        yield from _files(inside, left_out)


def _files(inside: list[os.DirEntry[str]], left_out: list[LeftOut]) -> Iterator[Source]:
    for entry in inside:
        if entry.name.startswith(_RUBBISH):
            left_out.append(LeftOut(entry.name, "left behind by a file system"))
        elif _is_file(entry):
            yield Source(Path(entry.path))
        elif entry.is_symlink() and not _is_folder(entry):
            left_out.append(LeftOut(entry.name, "a link that leads nowhere"))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _members(path: Path, left_out: list[LeftOut]) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise UnusableInput(f"{path}: the archive is damaged ({error})", "copy it again, or unpack it") from error
    for info in members:
        source = Source(path, info.filename)
        if source.name.startswith(_RUBBISH) or info.filename.startswith("__MACOSX"):
            left_out.append(LeftOut(source.name, "left behind by a file system"))
        elif info.flag_bits & 1:
            left_out.append(LeftOut(source.name, "protected by a password"))
        elif info.file_size > _LARGEST_MEMBER:
            left_out.append(LeftOut(source.name, "larger than 2 GB"))
        else:
            yield source
