"""The folder through which arrays pass between Slicer and the worker: written, read and always removed here."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from calid.errors import CalidError, OutOfResources
from calid.protocol import INPUT_FILE, Job, StudyJob


class JobFolder:
    """A temporary folder that holds one job.

    :param parent: folder to make it in; ``None`` takes the system's temporary folder.
    :raises OutOfResources: if it cannot be made.
    """

    def __init__(self, parent: str | None = None) -> None:
        with _refusals(parent or tempfile.gettempdir()):
            self.path = Path(tempfile.mkdtemp(prefix="calid-", dir=parent))

    def write(
        self, phases: Sequence[np.ndarray], job: Job | StudyJob, others: Mapping[str, Sequence[np.ndarray]]
    ) -> Generator[None, None, None]:
        """Write the job and its voxels, a phase in each step: a whole cine would freeze the window.

        :param phases: (k, j, i) each, of one shape and type; none for a job that brings its own.
        :param others: name of a file to what it holds, likewise.
        :raises OutOfResources: if the disk does not take them.
        """
        with _refusals(self.path.parent):
            for name, arrays in {INPUT_FILE: phases, **others}.items():
                if arrays:
                    yield from self._writeVoxels(name, arrays)
            job.write(self.path)

    def _writeVoxels(self, name: str, phases: Sequence[np.ndarray]) -> Iterator[None]:
        with open(self.path / name, "wb") as file:
            shape, descr = (len(phases), *phases[0].shape), np.lib.format.dtype_to_descr(phases[0].dtype)
            header = {"descr": descr, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for voxels in phases:
                file.write(np.ascontiguousarray(voxels).data)
                yield

    def read(self, fileName: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """A result array; raises :class:`CalidError` if it is unreadable or not of the shape and type expected."""
        array = self.load(fileName)
        if array.shape != shape or array.dtype != dtype:
            found = f"{array.dtype} {array.shape}, not {dtype} {shape}"
            raise CalidError(f"the worker's result {fileName} is {found}", "run it again")
        return array

    def load(self, fileName: str) -> np.ndarray:
        """A result array of any shape and type; raises :class:`CalidError` if it is unreadable."""
        try:
            return np.load(self.path / fileName)
        except (OSError, ValueError) as error:
            raise CalidError(f"the worker's result {fileName} cannot be read: {error}", "run it again") from error

    def text(self, fileName: str) -> str:
        """A result text, UTF-8; raises :class:`CalidError` if it is unreadable."""
        try:
            return (self.path / fileName).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise CalidError(f"the worker's result {fileName} cannot be read: {error}", "run it again") from error

    def remove(self, patience: float = 1.0) -> None:
        """Delete the folder; Windows may hold files of a killed process for a moment, so it is tried again."""
        deadline = time.monotonic() + patience
        shutil.rmtree(self.path, ignore_errors=True)
        while self.path.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
            shutil.rmtree(self.path, ignore_errors=True)
        if self.path.exists():
            logging.warning("CaLIDSlicer could not delete the temporary folder %s", self.path)


@contextmanager
def _refusals(parent: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutOfResources(
            f"the temporary folder {parent} does not take the job: {error.strerror}",
            "free disk space, or choose another temporary folder in Slicer's application settings",
        ) from error
