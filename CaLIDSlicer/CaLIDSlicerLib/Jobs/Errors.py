"""What a worker that failed or died becomes: the typed error, with its remedy, that a Slicer user sees.

Scripts and the Python console read it in the words of this file; the panel has its own.
"""

from __future__ import annotations

import re

import calid.errors
from calid.errors import CalidError, DependencyError, OutOfResources, UnusableInput, WeightsError
from calid.failures import missing_package
from calid.protocol import Failed
from calid.remedies import ANYWHERE, Words

CONSOLE: Words = {
    **ANYWHERE,
    "device": lambda name: f'device="{name}"',
    "install": lambda _: (
        "press Apply in the panel, or run: "
        "from CaLIDSlicerLib.Setup.Dependencies import Dependencies; Dependencies().install()"
    ),
    "intact_models": lambda _: "name the folder of intact ones with models=...",
    "lines": lambda _: "what the Python console says",
    "one_phase": lambda _: 'the current one with phases="current"',
    "output": lambda _: "give another output, or none for a new one",
    "whole_stack": lambda _: (
        "open the folder of the study with CaLIDSlicerLogic().openStudy(FOLDER), which makes one stack of them"
    ),
}

_REPORT = "if the last words do not tell what to do, please report them"
_KILLED_BEHIND_LAUNCHER = "exit abnormally"  # PythonSlicer says so and returns 1 when its python is killed
_BY_EXIT_CODE: dict[int, type[CalidError]] = {
    int(error.exit_code): error for error in (UnusableInput, OutOfResources, WeightsError)
}


def errorFromEvent(event: Failed) -> CalidError:
    """The error that the worker reported in its own words."""
    kind = getattr(calid.errors, event.kind, CalidError)
    isKnown = isinstance(kind, type) and issubclass(kind, CalidError)
    return (kind if isKnown else CalidError)(event.message, event.remedy)


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
    """A Python of Slicer that lacks a package is no defect, though the worker could not even say so."""
    missing = re.search(r"No module named '([\w.]+)'", text)
    return missing_package(missing[1]) if missing else None
