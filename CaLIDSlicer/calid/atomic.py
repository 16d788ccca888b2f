"""Files that appear complete or not at all. Standard library only."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from calid.errors import UnusableInput


def write_atomically(path: Path, write: Callable[[Path], object], keep: bool = True) -> None:
    """Let ``write`` fill a temporary file beside ``path`` and rename it, so that no half-written file is ever seen.

    The temporary file ends as ``path`` does, for writers that go by the suffix.

    :param keep: ``False`` throws the file away: this only tells whether it could be written.
    :raises UnusableInput: for a folder that cannot be written or a full disk, with the space that is left.
    """
    partial = path.parent / f".calid-{uuid.uuid4().hex}{''.join(path.suffixes[-2:]).lower()}"
    try:
        partial.touch(exist_ok=False)
        write(partial)
        if keep:
            os.replace(partial, path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def not_written(path: Path, error: OSError) -> UnusableInput:
    """Why ``path`` could not be written, with the free space of its disk."""
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    free = shutil.disk_usage(folder).free / 2**20
    return UnusableInput(
        f"{path}: it cannot be written: {error.strerror or error} ({free:.0f} MB free)",
        f"free some space for {path.parent}, or choose another folder that can be written",
    )
