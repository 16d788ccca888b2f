"""Every message about a file begins with its path. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calid.errors import CalidError


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the path in front of the message of an error, unless it is there."""
    try:
        yield
    except CalidError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}", error.terms) from error
