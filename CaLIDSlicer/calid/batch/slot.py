"""A place where one case at a time is worked on, by a process that is ended when it hangs or takes too much memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from calid.batch.case import Case, Outcome, Wanted
from calid.batch.child import THREADS_VARIABLE, outcome_of, request_line
from calid.batch.work import record
from calid.errors import CalidError, OutOfResources

CHILD = (sys.executable, "-m", "calid.batch.child")
_LOOK_EVERY = 0.5
"""s, at memory and time."""
_END_WITHIN = 5.0
"""s, after which a process that should end is killed."""


@dataclass(frozen=True)
class Limits:
    """Of one case.

    :param seconds: after which it is ended; ``None`` waits for ever.
    :param bytes: of resident memory at which it is ended; ``None`` where nobody looks.
    :param retries: how often it is tried again after its process has died.
    """

    seconds: float | None = None
    bytes: int | None = None
    retries: int = 2


@dataclass
class Slot:
    """Works on cases, one at a time; its process starts with the first and is replaced when it is lost.

        with Slot(out, wanted, threads=2) as slot:
            outcome = slot.run(case, request)

    :param threads: of PyTorch.
    :param environment: of the process, beside this one's; pins it to a graphics processor.
    :param command: that starts it.
    """

    out: Path
    wanted: Wanted
    threads: int = 1
    limits: Limits = field(default_factory=Limits)
    environment: dict[str, str] = field(default_factory=dict)
    command: Sequence[str] = CHILD

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lines = SimpleQueue[str | None]()

    def __enter__(self) -> Slot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, case: Case, request: dict[str, Any]) -> Outcome:
        """The outcome of a case, whatever happens to its process."""
        started = time.monotonic()
        attempt, outcome = 0, None
        while outcome is None:
            attempt += 1
            outcome = self._attempt(case, request, is_last=attempt > self.limits.retries)
        seconds = outcome.seconds or round(time.monotonic() - started, 3)
        return replace(outcome, attempts=attempt, seconds=seconds)

    def close(self) -> None:
        """End the process."""
        if (process := self._process) is None:
            return
        self._process = None
        if process.stdin is not None:
            with suppress(OSError):  # it is dead already
                process.stdin.close()
        try:
            process.wait(_END_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _attempt(self, case: Case, request: dict[str, Any], is_last: bool) -> Outcome | None:
        """An outcome; ``None`` to try again, for the process was lost."""
        try:
            return self._ask(case, request)
        except _Ended as end:
            error = end.error
        except _Died as death:
            if not is_last:
                return None
            error = CalidError(f"the worker process died ({death})", "look into the log of the system")
        return record(case, self.wanted, self.out, request, error)

    def _ask(self, case: Case, request: dict[str, Any]) -> Outcome:
        process = self._process or self._start()
        stdin = process.stdin
        try:
            if stdin is not None:
                stdin.write(request_line(case, self.wanted, self.out, request) + "\n")
                stdin.flush()
        except OSError as error:
            raise _Died(self._ending()) from error
        started = time.monotonic()
        while True:
            try:
                line = self._lines.get(timeout=_LOOK_EVERY)
            except Empty:
                self._look_after(process, started)
                continue
            if line is None:
                raise _Died(self._ending())
            if (outcome := outcome_of(line)) is not None:
                return outcome

    def _start(self) -> subprocess.Popen[str]:
        environment = os.environ | {THREADS_VARIABLE: str(self.threads)} | self.environment
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which ends it in order
        )
        self._process, self._lines = process, SimpleQueue()
        Thread(target=_pass_on, args=(process, self._lines), daemon=True).start()
        return process

    def _look_after(self, process: subprocess.Popen[str], started: float) -> None:
        limits = self.limits
        if limits.seconds is not None and time.monotonic() - started > limits.seconds:
            self._kill()
            raise _Ended(CalidError(f"it took more than {limits.seconds:g} s", "look at the case, or use --timeout"))
        used = resident_bytes(process.pid) if limits.bytes is not None else None
        if limits.bytes is not None and used is not None and used > limits.bytes:
            self._kill()
            message = f"it took {used / 2**30:.3g} GB of memory, and a worker may take {limits.bytes / 2**30:.3g} GB"
            raise _Ended(OutOfResources(message, "use fewer --workers, a larger --spacing, or a larger computer"))

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._ending()

    def _ending(self) -> str:
        """How the process ended, in a word; another is started for the next case."""
        process, self._process = self._process, None
        if process is None:
            return ""
        code = process.wait()
        try:
            return signal.Signals(-code).name if code < 0 else f"exit code {code}"
        except ValueError:
            return f"signal {-code}"


class _Died(Exception):
    """The process is gone, for a reason that is not known to be that of the case."""


class _Ended(Exception):
    """The process was ended for what its case did."""

    def __init__(self, error: CalidError) -> None:
        super().__init__(str(error))
        self.error = error


def resident_bytes(process: int) -> int | None:
    """Memory that a process holds; ``None`` if nobody can tell."""
    try:
        import psutil

        return int(psutil.Process(process).memory_info().rss)
    except (ImportError, OSError):
        return None
    except psutil.Error:  # it has just ended
        return None


def _pass_on(process: subprocess.Popen[str], lines: SimpleQueue[str | None]) -> None:
    if process.stdout is not None:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)
