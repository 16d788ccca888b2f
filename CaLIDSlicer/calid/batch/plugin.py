"""What makes a Dask worker a worker of a run: a plugin that holds the process in which cases are worked on.

A Dask worker is a daemon that may not have children of ``multiprocessing``, allows one thread to the libraries below,
and is taken for dead when it is silent; so it only waits here, for a process of its own kind (:mod:`calid.batch.slot`).
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

from distributed import Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from calid.batch.case import Case, Outcome
from calid.batch.local import Job
from calid.batch.slot import Slot


class CaseWorker(WorkerPlugin):
    """Works on one case at a time, however many threads the Dask worker has; PyTorch gets as many.

    :param name: of the run; a second plugin of a name takes the place of the first.
    :param devices: graphics processors, of which each worker of a local cluster gets one; none leaves them alone.
    """

    def __init__(self, name: str, job: Job, devices: Sequence[str] = ()) -> None:
        self.name, self._job, self._devices = name, job, tuple(devices)

    def setup(self, worker: Worker) -> None:
        """When a worker joins or comes back."""
        pinned = {}
        if self._devices:
            pinned["CUDA_VISIBLE_DEVICES"] = self._devices[int(worker.name) % len(self._devices)]
        self._busy = Lock()
        self._slot: Slot = self._job.slot(worker.state.nthreads, worker.memory_manager.memory_limit, pinned)

    def teardown(self, worker: Worker) -> None:
        """When the run is over."""
        self._slot.close()

    def run(self, case: Case, request: dict[str, Any]) -> Outcome:
        """The outcome of a case."""
        with self._busy:
            return self._slot.run(case, request)


def work_on(run: str, case: Case, request: dict[str, Any]) -> Outcome:
    """The task that is sent: the outcome of a case, on the worker where this is called."""
    return get_worker().plugins[run].run(case, request)
