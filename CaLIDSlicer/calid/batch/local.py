"""Cases one after the other, on one worker of this machine, without Dask."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calid.batch.case import Case, Outcome, Wanted
from calid.batch.slot import CHILD, Limits, Slot
from calid.memory import available_bytes

SHARE = 0.9
"""Of the free memory that workers may take."""


@dataclass(frozen=True)
class Job:
    """All that a worker has to know beside the case.

    :param threads: of PyTorch; ``None`` lets the worker decide.
    :param command: that starts the process of a worker.
    """

    out: Path
    wanted: Wanted
    limits: Limits = field(default_factory=Limits)
    threads: int | None = None
    command: Sequence[str] = CHILD

    def slot(self, threads: int, memory: int | None, environment: dict[str, str] | None = None) -> Slot:
        """A place to work, with what this worker has: threads, and bytes of memory."""
        limits = replace(self.limits, bytes=self.limits.bytes or memory)
        return Slot(self.out, self.wanted, self.threads or threads, limits, environment or {}, self.command)


Outcomes = Generator[Outcome, None, None]
"""As they come; closing it ends all workers."""

Request = tuple[Case, dict[str, Any]]
"""A case and what is asked for, :func:`~calid.batch.fingerprint.request_of`."""


def run_here(job: Job, requests: Sequence[Request]) -> Outcomes:
    """The outcome of each case as soon as it is there."""
    free = available_bytes()
    with closing(job.slot(1, None if free is None else round(SHARE * free))) as slot:
        for case, request in requests:
            yield slot.run(case, request)
