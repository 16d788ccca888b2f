"""What pip said before it failed, and what to do about it."""

from __future__ import annotations

import contextlib
import re
import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

from calid.errors import DependencyError, OutOfResources

LINES_KEPT = 15

_SHORT_PATH = "Windows allows no longer paths: install Slicer in a folder with a short path, such as C:\\Slicer"
_IN_USE = (
    "restart Slicer, so that no file is in use, and {again} before anything else; if only administrators may write "
    "to the folder of Slicer, install Slicer for yourself"
)
_OFFLINE = "check the internet connection; behind a proxy, set the variable HTTPS_PROXY before Slicer starts"
_CONFLICT = "another extension needs other versions of the same packages: uninstall it, or use a Slicer without it"
_HALF_INSTALLED = "restart Slicer, uninstall PyTorch in the module PyTorch Utils, and try again"
_REMEDIES = (
    (r"winerror 206|file ?name or extension is too long|long path", _SHORT_PATH),
    (r"winerror 5\b|winerror 32\b|permission denied|access is denied|used by another process", _IN_USE),
    (r"resolutionimpossible|conflicting dependencies", _CONFLICT),
    (r"proxy|connection|timed? ?out|getaddrinfo|name resolution|\bssl|certificate|no matching distribution", _OFFLINE),
    (r"no module named", _HALF_INSTALLED),
)
_ELSEWISE = "see the Python console (View menu) for all that pip said, and try again"
_DISK_FULL = r"no space left|not enough space|errno 28|winerror 112"


class LastLines:
    """While it is entered, keeps the last lines of what is printed; all is printed nevertheless.

    Slicer prints each line of pip, and says in its exception only that pip has failed.
    """

    def __init__(self, kept: int = LINES_KEPT) -> None:
        self.lines: deque[str] = deque(maxlen=kept)

    def __enter__(self) -> LastLines:
        self._stdout: Any = sys.stdout
        self._redirection = contextlib.redirect_stdout(self)  # type: ignore[type-var]
        self._redirection.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._redirection.__exit__(*error)

    def write(self, text: str) -> None:
        self.lines.extend(line.strip() for line in text.splitlines() if line.strip())
        self._stdout.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stdout, name)


def installationError(what: str, lines: Sequence[str]) -> DependencyError | OutOfResources:
    """The error for an installation of ``what`` that failed after saying ``lines``."""
    said = "\n".join(lines)
    message = f"{what} could not be installed; the last lines of pip:\n{said}"
    if re.search(_DISK_FULL, said, re.IGNORECASE):
        return OutOfResources(message, "free disk space on the disk of Slicer, and try again")
    remedy = next((remedy for words, remedy in _REMEDIES if re.search(words, said, re.IGNORECASE)), _ELSEWISE)
    return DependencyError(message, remedy)
