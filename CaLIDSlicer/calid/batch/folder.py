"""The folder of a case in the output: it appears complete, or not at all, and its marker is written last.

A case that was done has :data:`DONE_FILE`, which names the other files with their sizes and what they were made of;
one that failed has :data:`FAILED_FILE` and its log.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from calid.atomic import not_written, write_json
from calid.batch.case import DONE, Case, Outcome
from calid.batch.fingerprint import Print

DONE_FILE, FAILED_FILE = "done.json", "failed.json"
LOG_FILE = "log.txt"
THUMBNAIL_FILE = "before_after.jpg"
_HIDDEN = ".calid-"


def folder_of(out: Path, id: str) -> Path:
    """Where a case is published."""
    return out / f"sub-{id}"


@contextmanager
def hidden_folder(out: Path) -> Iterator[Path]:
    """A new folder that nobody looks into, gone at the end of the block unless it was published."""
    folder = out / f"{_HIDDEN}{uuid.uuid4().hex}"
    try:
        folder.mkdir()
    except OSError as error:
        raise not_written(folder, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, out: Path, outcome: Outcome, made_of: dict[str, Any]) -> None:
    """Write the marker into a hidden folder, and put it in the place of what an earlier run has left there.

    :param made_of: what a result depends on; ``request`` and ``input``.
    :raises CalidError: if it cannot be written.
    """
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(_files(folder))}
    marker = {"outcome": outcome.to_dict(), "files": files, **made_of}
    write_json(folder / (DONE_FILE if outcome.status == DONE else FAILED_FILE), marker)
    target = folder_of(out, outcome.id)
    before = out / f"{_HIDDEN}{uuid.uuid4().hex}"
    try:
        if target.exists():
            target.rename(before)
        folder.rename(target)
    except OSError as error:
        raise not_written(target, error) from error
    finally:
        shutil.rmtree(before, ignore_errors=True)


def made_of(request: dict[str, Any], source: Print | None) -> dict[str, Any]:
    """What :func:`publish` notes, and :func:`finished` compares."""
    return {"request": request, "input": None if source is None else asdict(source)}


def finished(out: Path, case: Case, request: dict[str, Any]) -> Outcome | None:
    """What became of a case in an earlier run, if that is what is asked for and all of it is there."""
    folder = folder_of(out, case.id)
    try:
        marker = json.loads((folder / DONE_FILE).read_text(encoding="utf-8"))
        if marker["request"] != request or not Print(**marker["input"]).is_of([Path(path) for path in case.paths]):
            return None
        if any((folder / name).stat().st_size != size for name, size in marker["files"].items()):
            return None
        return Outcome.of(marker["outcome"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or damaged: done again
        return None


def sweep(out: Path) -> None:
    """Remove what killed processes have left. Nobody else may be writing."""
    for path in out.glob(f"{_HIDDEN}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _files(folder: Path) -> Iterator[Path]:
    for top, _, names in os.walk(folder):
        yield from (Path(top, name) for name in names)
