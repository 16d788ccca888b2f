"""A process that works on one case after the other: ``python -m calid.batch.child``.

A case comes as a line of JSON on stdin, its outcome goes as an event on stdout. The models stay in memory. Whatever
goes wrong in here, a crash, a hang, memory that runs out, hurts one case only: :mod:`calid.batch.slot` ends the process
and starts another. It ends by itself when its stdin is closed, so that none is left when its parent is killed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ClassVar

from calid.batch.case import Case, Outcome, Wanted
from calid.batch.work import work
from calid.errors import ExitCode
from calid.model.keeping import keeping
from calid.protocol import Event
from calid.worker.stdio import event_stream, take_stdin

THREADS_VARIABLE = "OMP_NUM_THREADS"
"""Of PyTorch and the libraries below it, read when they are loaded."""


@dataclass(frozen=True)
class CaseFinished(Event):
    """The outcome of a case, as :meth:`~calid.batch.case.Outcome.to_dict` has it."""

    name: ClassVar[str] = "case"
    outcome: dict[str, Any]


def request_line(case: Case, wanted: Wanted, out: Path, request: dict[str, Any]) -> str:
    """What :func:`main` reads."""
    return json.dumps({"case": asdict(case), "wanted": asdict(wanted), "out": str(out), "request": request})


def outcome_of(line: str) -> Outcome | None:
    """What :func:`main` writes, or ``None`` for a line that is no outcome."""
    try:
        return Outcome.of(json.loads(line)["outcome"])
    except (ValueError, KeyError, TypeError):
        return None


def main(work: Callable[..., Outcome] = work) -> int:
    """Work until stdin is closed."""
    lines = SimpleQueue[str]()
    threading.Thread(target=_read, args=(take_stdin(), lines), daemon=True).start()
    stderr = os.dup(2)
    with event_stream() as emit, keeping():
        while True:
            asked = json.loads(lines.get())
            case, wanted = Case.of(asked["case"]), Wanted.of(asked["wanted"])
            outcome = work(case, wanted, Path(asked["out"]), asked["request"], redirect=_print_into)
            _print_to(stderr)
            emit(CaseFinished(outcome.to_dict()))


def _print_into(log: Path) -> None:
    """Let all that is printed go into a file."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    _print_to(file)
    os.close(file)


def _print_to(file: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (1, 2):
        os.dup2(file, stream)


def _read(stdin: int, lines: SimpleQueue[str]) -> None:
    with open(stdin, encoding="utf-8") as stream:
        for line in stream:
            lines.put(line)
    os._exit(int(ExitCode.CANCELLED))  # whoever asked is gone, and what is half-done is in a hidden folder


if __name__ == "__main__":
    sys.exit(main())
