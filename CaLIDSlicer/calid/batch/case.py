"""A case, what is wanted of it, and what became of it: plain data that travels between processes as JSON."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from calid.errors import CalidError
from calid.failures import to_event
from calid.options import Options
from calid.remedies import COMMAND_LINE

DONE, FAILED = "done", "failed"

INPUT = "<input>"
"""Stands for the path of a case where it is told of: names of files and folders may be those of patients."""


@dataclass(frozen=True)
class Case:
    """One input.

    :param id: without ``sub-``; letters and digits.
    :param paths: of a file, a folder or an archive; of a study whose series lie in several folders, all of these.
    :param name: what the paths are called below the input, ``/`` between its parts.
    :param stack: number of the stack in a study, from 1; ``None`` takes the short-axis cine.
    :param body: what is known of the patient: fields of :class:`~calid.measurement.body.Body`.
    """

    id: str
    paths: tuple[str, ...]
    name: str
    stack: int | None = None
    body: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Case:
        """From JSON."""
        return cls(**{**fields, "paths": tuple(fields["paths"])})

    @property
    def path(self) -> Path:
        """The first of the paths."""
        return Path(self.paths[0])

    def without_names(self, text: str) -> str:
        """A text in which neither the paths of the case nor any part of its name occur."""
        for path in self.paths:
            text = text.replace(path, INPUT)
        words = {word for part in self.name.split("/") for word in (part, part.split(".")[0]) if len(word) > 2}
        for word in sorted(words, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", INPUT, text)
        return text


@dataclass(frozen=True)
class Wanted:
    """What is made of every case.

    :param measure: also measure the heart.
    :param self_check: also predict slices that were acquired, in the first phase.
    :param dicom: also write a derived series, of cases that are DICOM studies.
    :param keep_names: leave names of files and folders in what is told.
    """

    options: Options = field(default_factory=Options)
    measure: bool = False
    self_check: bool = False
    dicom: bool = False
    keep_names: bool = False

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Wanted:
        """From what :func:`dataclasses.asdict` has made."""
        return cls(**{**fields, "options": Options(**fields["options"])})


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    :param id: of the case.
    :param status: :data:`DONE` or :data:`FAILED`.
    :param kind: class name of the error, and ``error`` and ``remedy`` its words.
    :param seconds: of the last attempt.
    :param attempts: 1, and one for each worker that was lost.
    :param warnings: sentences.
    :param facts: columns of the table, by name.
    """

    id: str
    status: str
    kind: str = ""
    error: str = ""
    remedy: str = ""
    exit_code: int = 0
    seconds: float = 0.0
    attempts: int = 1
    warnings: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Outcome:
        """From JSON."""
        return cls(**{**fields, "warnings": tuple(fields["warnings"])})

    @classmethod
    def failed(cls, case: Case, error: CalidError, wanted: Wanted, **more: Any) -> Outcome:
        """Of a case that ended with an error, told in the words of the command line."""
        told = replace(to_event(error), remedy=error.told_in(COMMAND_LINE).remedy)
        texts = [told.message, told.remedy]
        message, remedy = texts if wanted.keep_names else map(case.without_names, texts)
        return cls(case.id, FAILED, told.kind, message, remedy, told.exit_code, **more)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
