"""One run at a time into a folder: a lock of the operating system, which is gone when its process is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calid.errors import UnusableInput

LOCK_FILE = ".lock"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    :raises UnusableInput: if another run holds it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(out / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UnusableInput(f"{out}: another run writes into it", "wait for it, or name another folder") from error
    except OSError as error:
        raise UnusableInput(
            f"{out}: it cannot be locked ({error.strerror or error})", "name a folder on another file system"
        ) from error
    try:
        yield
    finally:
        lock.release()
