"""Whether a result is the one that is asked for: same input, same options, same weights, same program.

Names decide nothing. Another seed, model or option makes another result; a file that was touched, but is the same,
makes the same. As content takes long to read, it is read only where sizes or times have changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from calid.batch.case import Case, Wanted
from calid.files.detached import files_of
from calid.model.manifest import find_models, load_manifest, read_manifest
from calid.version import __version__

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Print:
    """Of the files of a case.

    :param stamp: SHA256 of names, sizes and times of change.
    :param content: SHA256 of all bytes.
    """

    files: int
    bytes: int
    stamp: str
    content: str

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Print:
        """Reads every file; raises ``OSError`` for one that cannot be read."""
        whole = hashlib.sha256()
        for _, file in _files(paths):
            with file.open("rb") as opened:
                while block := opened.read(_BLOCK):
                    whole.update(block)
        return cls(*_stamp(paths), whole.hexdigest())

    def is_of(self, paths: Sequence[Path]) -> bool:
        """Whether the files are still the same."""
        try:
            files, size, stamp = _stamp(paths)
            if (files, size) != (self.files, self.bytes):
                return False
            return stamp == self.stamp or Print.of(paths).content == self.content
        except OSError:
            return False


def request_of(case: Case, wanted: Wanted, weights: dict[str, Any]) -> dict[str, Any]:
    """All but the input that a result depends on, as JSON has it.

    The device is as it was asked for: where it is chosen by itself, cases of one cohort may run on different ones.
    """
    asked = asdict(wanted)
    asked["options"].pop("models")  # a folder; the weights in it count
    asked.pop("keep_names")  # words, not numbers
    request = {"version": __version__, **asked, "stack": case.stack, "body": case.body, "weights": weights}
    return json.loads(json.dumps(request))


def weights_of(wanted: Wanted) -> dict[str, Any]:
    """SHA256 of all weights that are used, by model, as the manifest says; loading holds them against the files.

    :raises WeightsError: if there are none.
    """
    folder = find_models(wanted.options.models)
    roles = ["default"]
    if wanted.measure:
        roles.append("measurer" if "measurer" in load_manifest(folder) else "segmenter")
    entries = [read_manifest(folder, role) for role in roles]
    return {entry["id"]: {name: about["sha256"] for name, about in entry["files"].items()} for entry in entries}


def _stamp(paths: Sequence[Path]) -> tuple[int, int, str]:
    count, size, names = 0, 0, hashlib.sha256()
    for name, file in _files(paths):
        status = file.stat()
        count, size = count + 1, size + status.st_size
        names.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return count, size, names.hexdigest()


def _files(paths: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Every file, in an order that does not depend on the file system, and what it is called below its path."""
    for path in paths:
        if not path.is_dir():
            yield from ((file.name, file) for file in _with_voxels(path))
            continue
        below = (file for file in path.rglob("*") if file.is_file())
        yield from sorted((file.relative_to(path).as_posix(), file) for file in below)


def _with_voxels(path: Path) -> list[Path]:
    try:
        return [file for file in files_of(path) if file.is_file()] or [path]
    except ValueError:  # a damaged header, which is told of when it is read
        return [path]
