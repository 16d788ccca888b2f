"""From any exception to an error with a remedy and an exit code."""

from __future__ import annotations

import errno
import sys
import traceback
from pathlib import Path

from calid.atomic import not_written
from calid.errors import CalidError, Cancelled, DependencyError, OutOfResources
from calid.protocol import Failed

_NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")
"""What PyTorch says on CUDA, MPS, Windows and Linux."""


def explain(error: BaseException) -> CalidError:
    """The error to show for an exception; what nobody foresaw is written to stderr with its traceback."""
    if isinstance(error, CalidError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Cancelled("cancelled")
    if is_out_of_memory(error):
        return OutOfResources(
            f"not enough memory ({_first_line(error)})",
            "close other programs, ask for fewer samples or a larger spacing, or use {device:cpu}",
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return not_written(Path(error.filename or "."), error)
    if isinstance(error, ModuleNotFoundError):
        return missing_package(error.name or "of an unknown name")
    traceback.print_exception(error, file=sys.stderr)
    return CalidError(_first_line(error), "this is a defect: please report it with {lines}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out; PyTorch has no type for it on the CPU."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _NO_MEMORY)


def missing_package(name: str) -> DependencyError:
    """The error for a Python package that is not installed."""
    return DependencyError(f"the Python package {name} is not installed", f"{{install:{name}}}")


def to_event(error: CalidError) -> Failed:
    """The event that ends a job with this error; its remedy keeps its terms, for another process shows it."""
    return Failed(type(error).__name__, str(error), error.terms, int(error.exit_code))


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
