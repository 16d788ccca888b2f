"""Every message about a file begins with its path. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calid.errors import UnusableInput


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the path in front of the message of an ``UnusableInput``."""
    try:
        yield
    except UnusableInput as error:
        raise UnusableInput(f"{path}: {error}", error.terms) from error
