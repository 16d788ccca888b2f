"""A run: which cases are there, which are finished, who works on the others, and what comes of it all.

    run(Path("studies"), Path("results"), Wanted(Options(spacing=2.0), measure=True), Manner(workers=4))

Whatever happens, what is finished stays: each case is published complete, and the table tells of those that are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from calid.atomic import not_written
from calid.batch.case import Outcome, Wanted
from calid.batch.finding import find_cases, is_result
from calid.batch.fingerprint import request_of, weights_of
from calid.batch.folder import finished, sweep
from calid.batch.local import Job, Outcomes, Request, run_here
from calid.batch.lock import locked
from calid.batch.machine import cores, workers_for
from calid.batch.provenance import Run
from calid.batch.report import write_report
from calid.batch.roster import enrol, read_list, write_key
from calid.batch.slot import CHILD, Limits
from calid.batch.table import write_description, write_tables
from calid.errors import UnusableInput

_WRITE_EVERY = 30.0
"""s, the table, so that it can be looked at while the run goes on."""

Tell = Callable[[Outcome], None]


@dataclass(frozen=True)
class Choice:
    """Which cases, and what of earlier runs.

    :param pattern: of names below the input; ``None`` finds the cases by what they are.
    :param cases: a .csv file that lists them instead.
    :param resume: leave alone what is finished and as it is asked for now.
    :param overwrite: make everything again.
    :param keep_ids: make ids of names.
    """

    pattern: str | None = None
    cases: Path | None = None
    resume: bool = False
    overwrite: bool = False
    keep_ids: bool = False


@dataclass(frozen=True)
class Manner:
    """Who works.

    :param scheduler: address of a Dask scheduler that is there; ``None`` stays on this machine.
    :param workers: ``None`` takes as many as cores and memory allow; one needs no Dask.
    :param threads: of each worker; ``None`` shares the cores out.
    :param command: that starts the process of a worker.
    """

    scheduler: str | None = None
    workers: int | None = None
    threads: int | None = None
    limits: Limits = field(default_factory=Limits)
    command: Sequence[str] = CHILD

    def settled(self, device: str) -> Manner:
        """With what is left open decided for this machine; together, threads are no more than cores."""
        workers = self.workers or workers_for(device)
        return replace(self, workers=workers, threads=self.threads or max(1, cores() // workers))


def run(
    top: Path,
    out: Path,
    wanted: Wanted,
    choice: Choice,
    manner: Manner,
    begin: Callable[[int, int], Tell] = lambda cases, before: lambda outcome: None,
) -> list[Outcome]:
    """Work on all cases; returns what became of each, those of earlier runs included, in the order of their ids.

    :param begin: gets the number of all cases and of those that are finished already, and returns who is told of each
        other one.
    :raises UnusableInput: if there is no case, ``out`` cannot be used, or another run writes into it.
    :raises WeightsError: if there are none.
    """
    if (models := wanted.options.models) is not None:  # workers may have another working directory
        wanted = replace(wanted, options=wanted.options.changed(models=str(Path(models).absolute())))
    if manner.scheduler is None:
        manner = manner.settled(wanted.options.device)
    weights = weights_of(wanted)
    top, out = top.absolute(), out.absolute()
    listed = read_list(choice.cases) if choice.cases is not None else None
    found = find_cases(top, out, choice.pattern) if listed is None else []
    _prepare(out, choice)
    with locked(out):
        sweep(out)
        cases = listed or enrol(found, out, choice.keep_ids)
        write_description(out)
        write_key(cases, out)
        requests = [(case, request_of(case, wanted, weights)) for case in cases]
        book = _Book(out, requests, choice.resume)
        tell = begin(len(cases), len(book.outcomes))
        record = Run(out, wanted, weights, _engine(manner))
        job = Job(out, wanted, manner.limits, manner.threads, manner.command)
        try:
            _work_through(book, job, manner, tell)
        finally:
            sweep(out)
            book.look(book.left)
            write_tables(out, book.sorted)
            write_report(out, book.sorted, len(cases))
            record.write(book.outcomes.values(), "finished" if len(book.outcomes) == len(cases) else "ended early")
    return book.sorted


def _work_through(book: _Book, job: Job, manner: Manner, tell: Tell) -> None:
    """All that is left; nobody works any more at the end, whatever happens."""
    with closing(_outcomes(job, book.left, manner)) as outcomes:
        for outcome in outcomes:
            book.add(outcome)
            tell(outcome)


class _Book:
    """What has become of each case."""

    def __init__(self, out: Path, requests: Sequence[Request], resume: bool) -> None:
        self._out, self._written = out, time.monotonic()
        self.outcomes: dict[str, Outcome] = {}
        if resume:
            self.look(requests)
        self.left = [each for each in requests if each[0].id not in self.outcomes]

    @property
    def sorted(self) -> list[Outcome]:
        """By their ids."""
        return [self.outcomes[id] for id in sorted(self.outcomes)]

    def look(self, requests: Sequence[Request]) -> None:
        """Take those that are published: by an earlier run, or by a worker whose word was lost on the way."""
        for case, request in requests:
            if case.id not in self.outcomes and (before := finished(self._out, case, request)) is not None:
                self.outcomes[case.id] = before

    def add(self, outcome: Outcome) -> None:
        """Take one, and write the table now and then."""
        self.outcomes[outcome.id] = outcome
        if time.monotonic() - self._written > _WRITE_EVERY:
            write_tables(self._out, self.sorted)
            self._written = time.monotonic()


def _prepare(out: Path, choice: Choice) -> None:
    """Refuse a folder that holds anything else, or an earlier run of which nobody has said what is to become."""
    try:
        out.mkdir(exist_ok=True)
        inside = [path for path in out.iterdir() if path.name != ".lock"]
    except FileNotFoundError as error:
        raise UnusableInput(f"{out}: its folder does not exist", f"create {out.parent} first") from error
    except OSError as error:
        raise not_written(out, error) from error
    if inside and not is_result(out):
        raise UnusableInput(f"{out} holds other files", "name a new folder, or an empty one")
    if inside and not (choice.resume or choice.overwrite):
        remedy = "add --resume to make what is missing, or --overwrite to make all of it again"
        raise UnusableInput(f"{out} holds an earlier run", remedy)


def _engine(manner: Manner) -> dict[str, object]:
    if manner.scheduler is not None:
        return {"name": "dask scheduler", "threads": manner.threads}
    return {"name": "process" if manner.workers == 1 else "dask", "workers": manner.workers, "threads": manner.threads}


def _outcomes(job: Job, requests: Sequence[Request], manner: Manner) -> Outcomes:
    workers = min(manner.workers or 1, len(requests))
    if manner.scheduler is None and workers <= 1:
        return run_here(job, requests)
    from calid.batch.cluster import run_on_scheduler, run_on_workers  # an optional dependency

    if manner.scheduler is not None:
        return run_on_scheduler(job, requests, manner.scheduler)
    return run_on_workers(job, requests, workers)
