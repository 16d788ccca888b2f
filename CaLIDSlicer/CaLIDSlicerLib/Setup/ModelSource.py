"""Models in a zip file or a folder, as somebody gave them: only what their manifest names is taken, by plain names.

A zip file can name files outside the folder that it is unpacked to, or unpack to any size. So it is never unpacked: its
manifest is read, and the files named there are copied, if all of them together are not larger than models can be.
"""

from __future__ import annotations

import shutil
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from calid.errors import WeightsError
from calid.model.manifest import MANIFEST_FILE, load_manifest, model_files

CARD_FILE = "MODEL_CARD.md"
LARGEST_TEXT = 2**20
LARGEST_MODELS = 2 * 2**30
CHOOSE = "choose the zip file or the folder in which the model was published"


class Source(ABC):
    """Files by their path below the manifest's folder, with ``/``."""

    def __init__(self, origin: Path) -> None:
        self.origin = origin

    @abstractmethod
    def find(self, name: str) -> int | None:
        """The size of a file in bytes, or ``None`` if it is not there."""

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """The content of a file that is there."""

    def copyTo(self, folder: Path) -> None:
        """Write the manifest, the model card and all files of the models into a new folder.

        :raises WeightsError: if one is missing, or they are too large.
        """
        folder.mkdir(parents=True)
        self._copy(MANIFEST_FILE, folder, LARGEST_TEXT)
        names = [name for name, _ in model_files(load_manifest(folder))]
        total = sum(self._size(name) for name in names)
        if total > LARGEST_MODELS:
            raise WeightsError(f"{self.origin} would unpack to {total / 2**30:.1f} GB; models are smaller", CHOOSE)
        for name in names:
            self._copy(name, folder, LARGEST_MODELS)
        if self.find(CARD_FILE) is not None:
            self._copy(CARD_FILE, folder, LARGEST_TEXT)

    def _copy(self, name: str, folder: Path, largest: int) -> None:
        if self._size(name) > largest:
            raise WeightsError(f"{name} in {self.origin} has {self._size(name)} bytes, which is too large", CHOOSE)
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        with self.open(name) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)

    def _size(self, name: str) -> int:
        size = self.find(name)
        if size is None:
            raise WeightsError(f"{self.origin} has no {name}", CHOOSE)
        return size


class _Folder(Source):
    def find(self, name: str) -> int | None:
        path = self.origin / name
        return path.stat().st_size if path.is_file() else None

    def open(self, name: str) -> IO[bytes]:
        return (self.origin / name).open("rb")


class _Zip(Source):
    """A zip file whose manifest is at its top, or in a folder: then the one nearest to the top counts."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        super().__init__(path)
        manifests = [name for name in archive.namelist() if PurePosixPath(name).name == MANIFEST_FILE]
        top = min(manifests, key=len, default=MANIFEST_FILE).removesuffix(MANIFEST_FILE)
        self._archive = archive
        self._members = {i.filename.removeprefix(top): i for i in archive.infolist() if i.filename.startswith(top)}

    def find(self, name: str) -> int | None:
        return self._members[name].file_size if name in self._members else None

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(self._members[name])


@contextmanager
def openSource(path: Path) -> Iterator[Source]:
    """Models in a folder or a zip file.

    :raises WeightsError: if it is neither, or damaged.
    """
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield _Zip(path, archive)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:  # RuntimeError: with a password
        raise WeightsError(f"{path} cannot be read as a zip file: {error}", CHOOSE) from error
    except FileNotFoundError as error:
        raise WeightsError(f"there is no {error.filename or path}", CHOOSE) from error
