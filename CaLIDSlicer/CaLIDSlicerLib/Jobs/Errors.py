"""What a worker that failed or died becomes: the typed error, with its remedy, that a Slicer user sees."""

from __future__ import annotations

import re

import calid.errors
from calid.errors import CalidError, DependencyError, OutOfResources, UnusableInput, WeightsError
from calid.protocol import Failed

_REPORT = "if the last words do not tell what to do, please report them"
_KILLED_BEHIND_LAUNCHER = "exit abnormally"  # PythonSlicer says so and returns 1 when its python is killed
_BY_EXIT_CODE: dict[int, type[CalidError]] = {
    int(error.exit_code): error for error in (UnusableInput, OutOfResources, WeightsError)
}


def errorFromEvent(event: Failed) -> CalidError:
    """The error that the worker reported in its own words."""
    kind = getattr(calid.errors, event.kind, CalidError)
    isKnown = isinstance(kind, type) and issubclass(kind, CalidError)
    return _missingPackage(event.message) or (kind if isKnown else CalidError)(event.message, event.remedy)


def errorFromExit(exitCode: int, lastWords: str) -> CalidError:
    """The error of a worker that ended without a result and without reporting why.

    :param exitCode: of the process; on POSIX the negative number of the signal that killed it.
    :param lastWords: the end of its stderr.
    """
    said = f"; its last words:\n{lastWords}" if lastWords else ""
    if exitCode == -9 or _KILLED_BEHIND_LAUNCHER in lastWords:
        return OutOfResources(
            f"the system killed the worker process, most often because memory ran out{said}",
            "close other programs, or ask for a larger spacing or fewer samples",
        )
    kind = _BY_EXIT_CODE.get(exitCode, CalidError)
    message = f"the worker process ended early (exit code {exitCode}){said}"
    return _missingPackage(lastWords) or kind(message, _REPORT)


def _missingPackage(text: str) -> DependencyError | None:
    """A Python of Slicer without PyTorch is no defect, and its remedy is known on this side only."""
    missing = re.search(r"No module named '([\w.]+)'", text)
    if not missing:
        return None
    return DependencyError(
        f"the worker process needs the Python package {missing[1]}, which is not installed",
        "install the PyTorch extension, and with it the packages that CaLIDSlicer needs",
    )
