"""Cohorts on Dask: workers and schedulers that are killed, and a run that ends right nevertheless."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread

import psutil
import pytest

from calid.errors import CalidError, UnusableInput


def children_of(process: int, words: str) -> list[psutil.Process]:
    """Processes below one, that have been started with some words."""
    found = []
    for child in psutil.Process(process).children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            found += [child] if words in " ".join(child.cmdline()) else []
    return found


def test_cases_are_shared_out_and_each_is_worked_on_once(small_cohort):
    names = [*(f"sleep{n}.nii" for n in range(6)), "broken.nii", "crash.nii", "unlucky.nii"]
    cohort = small_cohort(*names)
    outcomes = cohort.run(cohort.manner(workers=2, retries=1))
    assert [outcome.id for outcome in outcomes] == sorted(outcome.id for outcome in outcomes)
    failed = {name for name, row in cohort.table.items() if row["status"] == "failed"}
    assert failed == {"broken.nii", "crash.nii"}
    assert Counter(cohort.begun) == Counter([*names, "crash.nii", "unlucky.nii"])


def test_dask_workers_that_are_killed_cost_nothing_but_time(small_cohort):
    cohort = small_cohort(*(f"sleep{n}.nii" for n in range(16)))
    killed = []

    def kill() -> None:
        while len(killed) < 3:
            time.sleep(1.0)
            if not list(cohort.out.glob("sub-*")):  # they are not started yet
                continue
            workers = [p for p in children_of(os.getpid(), "spawn_main") if "faulty" not in " ".join(p.cmdline())]
            if workers:
                workers[0].send_signal(signal.SIGKILL)
                killed.append(workers[0].pid)

    killer = Thread(target=kill, daemon=True)
    killer.start()
    outcomes = cohort.run(cohort.manner(workers=2, retries=5))
    killer.join()
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert len(outcomes) == 16
    assert children_of(os.getpid(), "faulty_child") == []
    assert [name for name in os.listdir(cohort.out) if name.startswith(".calid")] == []


@pytest.fixture
def scheduler(small_cohort) -> Iterator[Callable[[], tuple[str, list[subprocess.Popen]]]]:
    """Starts a scheduler with one worker of its own: the address, and both processes."""
    started: list[subprocess.Popen] = []

    def start() -> tuple[str, list[subprocess.Popen]]:
        program = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
        process = subprocess.Popen([*program, "--no-dashboard"], stderr=subprocess.PIPE, text=True)
        address = next(line.split()[-1] for line in process.stderr if "Scheduler at:" in line)
        Thread(target=process.stderr.read, daemon=True).start()
        program = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        worker = subprocess.Popen(program, stderr=subprocess.DEVNULL)
        started.extend((process, worker))
        return address, [process, worker]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_scheduler_that_is_there_is_used_and_left_as_it_was(small_cohort, scheduler):
    cohort = small_cohort("a.nii", "b.nii", "broken.nii")
    address, _ = scheduler()
    cohort.run(cohort.manner(scheduler=address))
    cohort.run(cohort.manner(scheduler=address), resume=True)
    assert Counter(cohort.begun) == {"a.nii": 1, "b.nii": 1, "broken.nii": 2}
    assert children_of(os.getpid(), "faulty_child") == []


def test_a_scheduler_that_is_lost_ends_the_run_and_what_is_finished_stays(small_cohort, scheduler):
    cohort = small_cohort(*(f"sleep{n}.nii" for n in range(8)))
    address, processes = scheduler()

    def kill() -> None:
        while len(list(cohort.out.glob("sub-*"))) < 2:
            time.sleep(0.05)
        for process in processes:
            process.kill()

    Thread(target=kill, daemon=True).start()
    with pytest.raises(CalidError, match="the scheduler was lost") as caught:
        cohort.run(cohort.manner(scheduler=address))
    assert "--resume" in caught.value.remedy
    finished = len(list(cohort.out.glob("sub-*/done.json")))
    assert 2 <= finished < 8
    assert len(cohort.table) == finished
    cohort.begun  # noqa: B018  # forget the first run
    address, _ = scheduler()
    cohort.run(cohort.manner(scheduler=address), resume=True)
    assert len(cohort.begun) == 8 - finished
    assert {row["status"] for row in cohort.table.values()} == {"done"}


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere", "http://x"])
def test_a_scheduler_that_does_not_answer_is_refused(small_cohort, address, monkeypatch):
    monkeypatch.setattr("calid.batch.cluster._ANSWER_WITHIN", 1)
    cohort = small_cohort("a.nii")
    with pytest.raises(UnusableInput, match="no scheduler answers"):
        cohort.run(cohort.manner(scheduler=address))
    gc.collect()  # Dask hangs if a client that never started is cleared away just while another one starts
