"""Errors with a remedy: one type for each thing the user can do about it.

Every error that reaches a user is a :class:`CalidError`. Its message names the file and the number that is
wrong, its ``remedy`` says what to do, and its ``exit_code`` is what the command line returns.
Standard library only: both sides of the process boundary import it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from calid.remedies import ANYWHERE, Words, spell


class ExitCode(IntEnum):
    """Exit codes of the command line and of the worker process."""

    DONE = 0
    FAILED = 1
    UNUSABLE_INPUT = 2
    OUT_OF_RESOURCES = 3
    WEIGHTS = 4
    PARTIAL = 5
    CANCELLED = 130


class CalidError(Exception):
    """What went wrong (``str(error)``), what to do about it (``remedy``) and the exit code it maps to.

    :param remedy: may hold terms of :mod:`calid.remedies`.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.terms = remedy
        self._words = ANYWHERE

    @property
    def remedy(self) -> str:
        """What to do about it; in words that are true anywhere, unless a place has lent its own."""
        return spell(self.terms, self._words)

    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]  # nobody adds to it
        """From Python 3.11 on, a traceback shows the remedy below the message."""
        return [f"What to do: {self.remedy}."] if self.terms else []

    def told_in(self, words: Words) -> CalidError:
        """Say the remedy in the words of the place that shows it, from now on."""
        self._words = words
        return self


class UnusableInput(CalidError):
    """The input, the output path or a parameter cannot be used: fix the input."""

    exit_code = ExitCode.UNUSABLE_INPUT


class OutOfResources(CalidError):
    """Not enough memory or disk space, or no such device: use a smaller job, another disk or another device."""

    exit_code = ExitCode.OUT_OF_RESOURCES


class WeightsError(CalidError):
    """The model weights are missing or altered: reinstall them."""

    exit_code = ExitCode.WEIGHTS


class DependencyError(CalidError):
    """A Python package is missing, broken or cannot be installed: install or repair it."""


class Cancelled(CalidError):
    """The user asked to stop."""

    exit_code = ExitCode.CANCELLED


@contextmanager
def telling_in(words: Words) -> Iterator[None]:
    """Errors that leave say their remedy in these words."""
    try:
        yield
    except CalidError as error:
        error.told_in(words)
        raise


class StackWarning(UserWarning):
    """What a careful user should know about a stack or a file, of which the best was made."""
