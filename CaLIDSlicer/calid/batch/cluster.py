"""Cases on the workers of a Dask cluster: one that is there, or one of this machine for the time of a run.

The scheduler gets a few cases for each worker at a time, whatever their number, and paths and outcomes only: images are
read and written by the workers. Nothing of a run is kept by the scheduler: what is finished lies in the output folder.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

import dask
from distributed import Client, Future, LocalCluster, as_completed

from calid.batch.case import Outcome
from calid.batch.local import SHARE, Job, Outcomes, Request
from calid.batch.machine import devices_for
from calid.batch.plugin import CaseWorker, work_on
from calid.batch.work import record
from calid.errors import CalidError, UnusableInput
from calid.memory import available_bytes

_AHEAD = 2
"""Cases that wait at each thread of a worker, so that none is idle between two."""
_COUNT_EVERY = 5.0
"""s, the workers: they may come and go."""
_LOOK_EVERY = 0.02
"""s, whether a case has come back."""
_ANSWER_WITHIN = 10
"""s, a scheduler."""
_BACK_WITHIN = 60.0
"""s, a worker of this machine: killed ones are started again, unless they are killed while they start."""


def run_on_workers(job: Job, requests: Sequence[Request], workers: int) -> Outcomes:
    """The outcome of each case as soon as it is there, by workers of this machine."""
    devices = devices_for(job.wanted.options.device)
    free = available_bytes()
    # A lost worker is counted by us, once, and its case tried again: Dask would try other cases with it.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0 if free is None else round(SHARE * free / workers),
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield from _Handing(client, job, _BACK_WITHIN, devices).outcomes(requests)


def run_on_scheduler(job: Job, requests: Sequence[Request], address: str) -> Outcomes:
    """The same, by the workers of a scheduler that is there.

    :raises UnusableInput: if none answers at the address.
    """
    try:
        client = Client(address, timeout=_ANSWER_WITHIN, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        remedy = "start one with dask scheduler, and name its address, such as tcp://10.0.0.1:8786"
        raise UnusableInput(f"no scheduler answers at {address}", remedy) from error
    with client:
        yield from _Handing(client, job).outcomes(requests)


class _Handing:
    """Hands cases to the workers of a cluster, and counts how often each was lost."""

    def __init__(self, client: Client, job: Job, patience: float = math.inf, devices: Sequence[str] = ()) -> None:
        """:param patience: s, without any worker."""
        self._client, self._job, self._patience = client, job, patience
        self._name = f"calid batch {job.out}"
        self._plugin = CaseWorker(self._name, job, devices)
        self._lost = Counter[str]()
        self._threads, self._counted, self._seen = 0, -math.inf, time.monotonic()

    def outcomes(self, requests: Sequence[Request]) -> Outcomes:
        """Of all of them, in the order in which they come.

        :raises CalidError: if the scheduler is lost.
        """
        print(f"Dask dashboard: {self._client.dashboard_link}", file=sys.stderr)
        try:
            with self._plugged_in():
                yield from self._handed_out(deque(requests))
        except CalidError:
            raise
        except Exception as error:  # Dask has many ways to say that a connection was lost while we were talking
            if isinstance(error, OSError) or self._client.status != "running":
                raise _scheduler_lost() from error
            raise

    def _handed_out(self, waiting: deque[Request]) -> Outcomes:
        running: dict[str, Request] = {}
        completed = as_completed(with_results=True, raise_errors=False, loop=self._client.loop)
        while waiting or running:
            while waiting and len(running) < self._window:
                request = waiting.popleft()
                future = self._submit(request)
                running[future.key] = request
                completed.add(future)
            while not completed.has_ready():
                self._watch()
                time.sleep(_LOOK_EVERY)
            future, result = next(completed)
            case, asked = request = running.pop(future.key)
            future.release()
            if isinstance(result, Outcome):
                yield replace(result, attempts=result.attempts + self._lost[case.id])
                continue
            self._watch()
            if self._lost[case.id] < self._job.limits.retries:
                self._lost[case.id] += 1
                waiting.appendleft(request)
            else:
                outcome = record(case, self._job.wanted, self._job.out, asked, _worker_lost())
                yield replace(outcome, attempts=1 + self._lost[case.id])

    def _submit(self, request: Request) -> Future:
        case, asked = request
        key = f"sub-{case.id} {self._lost[case.id] + 1}"
        return self._client.submit(work_on, self._name, case, asked, key=key, pure=False)

    @property
    def _window(self) -> int:
        """How many cases the scheduler may hold."""
        self._watch()
        return max(1, _AHEAD * self._threads)

    def _watch(self) -> None:
        """Count the workers now and then; raises ``CalidError`` without scheduler, or without workers for too long."""
        if self._client.status != "running":  # even if it answered again, it would know nothing of our cases
            raise _scheduler_lost()
        now = time.monotonic()
        if now - self._counted < _COUNT_EVERY:
            return
        self._counted, self._threads = now, sum(self._client.nthreads().values())
        self._seen = now if self._threads else self._seen
        if now - self._seen > self._patience:
            raise CalidError("all workers were lost", "run with --resume: what is finished stays")

    @contextmanager
    def _plugged_in(self) -> Iterator[None]:
        self._client.register_plugin(self._plugin)
        try:
            yield
        finally:
            with suppress(Exception):  # workers and scheduler may be gone, and with them the plugin
                self._client.unregister_worker_plugin(self._name)


def _scheduler_lost() -> CalidError:
    return CalidError("the scheduler was lost", "start it again, and run with --resume: what is finished stays")


def _worker_lost() -> CalidError:
    return CalidError(
        "its worker was lost again and again", "look into the log of the workers, or give them more memory"
    )
