"""Keeps what patients are called out of what is told: descriptions and file names may hold it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from calid.errors import CalidError

HIDDEN = "…"


class Privacy:
    """Hides the words of patients' names and numbers, in any case of letters."""

    def __init__(self, names: Iterable[str]) -> None:
        words = sorted({name.lower() for name in names if len(name) > 2}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE) if words else None

    def masked(self, text: str) -> str:
        """A text without them."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    @contextmanager
    def masking(self) -> Iterator[None]:
        """Keep them out of the messages of errors."""
        try:
            yield
        except CalidError as error:
            raise type(error)(self.masked(str(error)), error.terms) from error
