"""How fast a cohort is, and what its engine costs: ``python scripts/benchmark_cohort.py PART FOLDER``.

The parts are ``throughput``, ``memory`` and ``scheduler``; docs/BENCHMARK.md has what they found. Each prints one line
for each number.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SPACING = 2.0
CALID = [sys.executable, "-m", "calid"]


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["throughput", "memory", "scheduler", "sleeper", "loop"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int)
    parser.add_argument("--seconds", type=float, default=0.2, help="that a simulated case takes")
    parser.add_argument("--workers", type=int, default=16, help="of the simulated cluster")
    args = parser.parse_args()
    globals()[args.part](args)


def throughput(args: argparse.Namespace) -> None:
    """The same cases in four ways, one after the other; cores are shared out in each."""
    top = _cases(args.folder / "in", args.cases or 24)
    files = sorted(top.iterdir())
    cores = len(os.sched_getaffinity(0))
    out = args.folder / "once"
    out.mkdir(exist_ok=True)
    with _timed("calid reconstruct, once for each case", len(files)):
        for file in files:
            command = [*CALID, "reconstruct", str(file), str(out / file.name), "--spacing", str(SPACING)]
            subprocess.run([*command, "--device", "cpu"], check=True, stderr=subprocess.DEVNULL)
    with _timed("a loop over calid.reconstruct in one process", len(files)):
        subprocess.run([sys.executable, __file__, "loop", str(args.folder)], check=True)
    for workers in sorted({1, 2, cores}):
        out = args.folder / f"batch {workers}"
        command = [*CALID, "batch", str(top), str(out), "--spacing", str(SPACING), "--device", "cpu", "--overwrite"]
        with _timed(f"calid batch --workers {workers} --threads {max(1, cores // workers)}", len(files)):
            options = ["--workers", str(workers), "--threads", str(max(1, cores // workers))]
            subprocess.run([*command, *options], check=True, stderr=subprocess.DEVNULL)


def loop(args: argparse.Namespace) -> None:
    """What ``throughput`` compares with."""
    import calid

    out = args.folder / "loop"
    out.mkdir(exist_ok=True)
    for file in sorted((args.folder / "in").iterdir()):
        dense = calid.reconstruct(calid.read_stack(file), spacing=SPACING, device="cpu").stack
        calid.write_stack(dense, out / file.name)


def memory(args: argparse.Namespace) -> None:
    """The largest memory of a worker after some cases and after all."""
    cases = args.cases or 200
    top, out = _cases(args.folder / "in", cases, side=36), args.folder / "out"
    command = [*CALID, "batch", str(top), str(out), "--spacing", str(SPACING), "--device", "cpu", "--overwrite"]
    subprocess.run([*command, "--workers", "1", "--threads", "1"], check=True, stderr=subprocess.DEVNULL)
    with (out / "participants.tsv").open(encoding="utf-8", newline="") as file:
        peaks = [int(row["peak_memory_mb"]) for row in csv.DictReader(file, delimiter="\t")]
    for n in (1, cases // 20, cases // 4, cases // 2, cases):
        print(f"largest memory after {n} cases: {peaks[n - 1]} MB")


def scheduler(args: argparse.Namespace) -> None:
    """Cases that sleep, on many light workers: what is left is the engine."""
    import psutil

    from calid.batch.case import Case, Wanted
    from calid.batch.cluster import run_on_scheduler
    from calid.batch.local import Job, Request

    count = args.cases or 10_000
    args.folder.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, __file__, "sleeper", str(args.folder), "--seconds", str(args.seconds))
    job = Job(args.folder.absolute(), Wanted(), threads=1, command=command)
    requests: list[Request] = [
        (Case(f"{n:05}", (f"/cases/{n:05}/sax.nii.gz",), f"{n:05}/sax.nii.gz"), {}) for n in range(count)
    ]
    program = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen([*program, "--no-dashboard"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        address = next(line.split()[-1] for line in process.stderr if "Scheduler at:" in line)
        program = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        program += ["--nworkers", str(args.workers)]
        workers = subprocess.Popen(program, stderr=subprocess.DEVNULL)
        try:
            _wait_for(address, args.workers)
            watched, client = psutil.Process(process.pid), psutil.Process()
            before, own, started = sum(watched.cpu_times()[:2]), sum(client.cpu_times()[:2]), time.monotonic()
            memory = watched.memory_info().rss
            done = sum(1 for _ in run_on_scheduler(job, requests, address))
            taken = time.monotonic() - started
            print(f"{done} cases of {args.seconds:g} s on {args.workers} workers: {taken:.1f} s", end=", ")
            print(f"at best {count * args.seconds / args.workers:.1f} s")
            print(f"scheduler: {1000 * (sum(watched.cpu_times()[:2]) - before) / count:.2f} ms of CPU a case", end=", ")
            print(f"{memory / 2**20:.0f} MB before, {watched.memory_info().rss / 2**20:.0f} MB after")
            print(f"client: {1000 * (sum(client.cpu_times()[:2]) - own) / count:.2f} ms of CPU a case", end=", ")
            print(f"{client.memory_info().rss / 2**20:.0f} MB")
        finally:
            workers.terminate()
            workers.wait()
            process.terminate()


def sleeper(args: argparse.Namespace) -> None:
    """The process of a worker that only sleeps; loads nothing."""
    for line in sys.stdin:
        id = json.loads(line)["case"]["id"]
        time.sleep(args.seconds)
        outcome = {"id": id, "status": "done", "warnings": [], "seconds": args.seconds}
        print(json.dumps({"event": "case", "outcome": outcome}), flush=True)


def _cases(top: Path, count: int, side: int = 144) -> Path:
    """Stacks of the phantom in one phase, alike in size and each with noise of its own."""
    import numpy as np

    import calid
    from calid.phantom.beating_heart import Phantom

    top.mkdir(parents=True, exist_ok=True)
    stack = Phantom(slices=10, gap=10.0, pixel=1.8, matrix=(side, side)).sparse
    for n in range(count):
        noise = np.random.default_rng(n).integers(0, 8, stack.voxels.shape).astype(stack.voxels.dtype)
        noisy = calid.SliceStack(stack.voxels + noise, stack.frame, stack.positions)
        calid.write_stack(noisy, top / f"{n:04}.nrrd")
    return top


def _wait_for(address: str, workers: int) -> None:
    from distributed import Client

    with Client(address) as client:
        client.wait_for_workers(workers, timeout=120)


@contextmanager
def _timed(what: str, cases: int) -> Iterator[None]:
    started, before = time.monotonic(), _of_children()
    yield
    taken, computed = time.monotonic() - started, _of_children() - before
    print(
        f"{what}: {taken:.1f} s, {3600 * cases / taken:.0f} cases an hour, {computed / cases:.2f} s of CPU a case",
        flush=True,
    )


def _of_children() -> float:
    """Seconds that all processes have computed that this one has started and that are over."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
