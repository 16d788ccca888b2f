"""Files that appear complete or not at all. Standard library only."""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from calid.errors import CalidError, OutOfResources, UnusableInput

_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""A full disk, a file system without large files (FAT32: 4 GB), a used-up quota."""


def write_atomically(path: Path, write: Callable[[Path], object], keep: bool = True) -> None:
    """Let ``write`` fill a temporary file beside ``path`` and rename it, so that no half-written file is ever seen.

    The temporary file ends as ``path`` does, for writers that go by the suffix. A link is followed, not replaced.

    :param keep: ``False`` throws the file away: this only tells whether it could be written.
    :raises OutOfResources: for a full disk, with the space that is left.
    :raises UnusableInput: for a folder that cannot be written.
    """
    target = followed(path)
    partial = partial_path(target)
    try:
        partial.touch(exist_ok=False)
        write(partial)
        if keep:
            os.replace(partial, target)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        with suppress(OSError):  # a folder that may not be entered
            partial.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write an object as JSON, as :func:`write_atomically` does."""
    text = json.dumps(content, indent=1) + "\n"
    write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def followed(path: Path) -> Path:
    """Where a file really lies: renaming onto a link would put a file in its place."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def partial_path(path: Path) -> Path:
    """A name for the temporary file beside ``path``, that nobody else has and that ends as ``path`` does."""
    return path.parent / f".calid-{uuid.uuid4().hex}{''.join(path.suffixes[-2:]).lower()}"


def not_written(path: Path, error: OSError, needed: int | None = None) -> CalidError:
    """Why ``path`` could not be written, with the free space of its disk where that is the reason.

    :param needed: bytes that the file takes at most, if that is known.
    """
    what = f"{path}: it cannot be written: {error.strerror or error}"
    if error.errno not in _NO_ROOM:
        link = f" (it is a link to {os.readlink(path)})" if os.path.islink(path) else ""
        return UnusableInput(
            f"{what}{link}", "choose another folder, that is there and can be written, or another name"
        )
    numbers = f"{free_bytes(path) / 2**20:.0f} MB free"
    if needed is not None:
        numbers = f"up to {needed / 2**20:.1f} MB needed, {numbers}"
    return OutOfResources(
        f"{what} ({numbers})", f"free some space for {path.parent}, or choose another folder that can be written"
    )


def free_bytes(path: Path) -> int:
    """Free space on the disk that ``path`` would be on."""
    for folder in path.absolute().parents:
        with suppress(OSError):  # it is not there, or may not be entered
            return shutil.disk_usage(folder).free
    return 0
