"""The child process of 3D Slicer: ``python -m calid.worker.run JOBDIR`` runs one job of :mod:`calid.protocol`.

It answers with events on stdout, and ends when its stdin is closed: then its parent has cancelled the job or died,
nobody will read the result, and the job folder is removed.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from calid.atomic import write_atomically
from calid.errors import ExitCode, StackWarning, UnusableInput
from calid.failures import explain, to_event
from calid.protocol import (
    INPUT_FILE,
    MEASURE,
    RECONSTRUCT,
    SELF_CHECK,
    Checked,
    Done,
    Event,
    Job,
    LongAxisFacts,
    PhaseFinished,
    StudyJob,
    Warned,
    read_job,
)
from calid.stacks.check import check_stack
from calid.stacks.stack import SliceStack
from calid.worker.fallback import reconstruct_with_fallback
from calid.worker.heart import measure_heart
from calid.worker.stdio import event_stream, take_stdin

PREDICTED_FILE = "predicted.npy"

Emit = Callable[[Event], None]


def lazy_reconstruct(*args: Any, **options: Any) -> Any:
    """:func:`calid.reconstruction.reconstruct.reconstruct`, which loads PyTorch only when it is called.

    Whoever calls it has told what is odd about the stack, so it is not said again.
    """
    from calid.reconstruction.reconstruct import reconstruct

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StackWarning)
        return reconstruct(*args, **options)


def lazy_self_check(*args: Any, **options: Any) -> Any:
    """:func:`calid.selfcheck.check.self_check`, which loads PyTorch only when it is called."""
    from calid.selfcheck.check import self_check

    return self_check(*args, **options)


def lazy_measure(*args: Any, **options: Any) -> Any:
    """:func:`calid.measurement.measure.measure`, which loads PyTorch only when it is called.

    Whoever calls it has told what is odd about the stack, so it is not said again.
    """
    from calid.measurement.measure import measure

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StackWarning)
        return measure(*args, **options)


def main(
    argv: Sequence[str] | None = None,
    reconstruct: Callable[..., Any] = lazy_reconstruct,
    self_check: Callable[..., Any] = lazy_self_check,
    measure: Callable[..., Any] = lazy_measure,
) -> int:
    """Run the job in the folder ``argv[0]`` with the program of its task; returns the exit code."""
    (folder,) = (Path(name) for name in (sys.argv[1:] if argv is None else argv))
    finished = threading.Event()
    stdin = take_stdin()
    threading.Thread(target=_end_with_parent, args=(stdin, folder, finished), daemon=True).start()
    with event_stream() as emit:
        try:
            done = _run(folder, emit, {RECONSTRUCT: reconstruct, SELF_CHECK: self_check, MEASURE: measure})
            finished.set()
            emit(done)
        except (Exception, KeyboardInterrupt) as error:
            failure = explain(error)
            finished.set()
            emit(to_event(failure))
            return int(failure.exit_code)
    return int(ExitCode.DONE)


def _run(folder: Path, emit: Emit, programs: dict[str, Callable[..., Any]]) -> Event:
    started = time.monotonic()
    job = read_job(folder)
    if isinstance(job, StudyJob):
        from calid.worker.study import open_study  # needs pydicom, which the others do without

        return open_study(job, folder, emit)
    if job.task not in programs:
        raise UnusableInput(f"the task of the job is {job.task!r}", f"ask for one of {', '.join(programs)}")
    voxels = np.load(folder / INPUT_FILE, allow_pickle=False)
    stack = SliceStack(voxels, np.array(job.frame), np.array(job.positions), thickness=job.thickness)
    for finding in check_stack(stack):
        emit(Warned(str(finding)))
    run = {RECONSTRUCT: _reconstruct, SELF_CHECK: _self_check, MEASURE: measure_heart}[job.task]
    done = run(programs[job.task], folder, job, stack, emit)
    return replace(done, seconds=round(time.monotonic() - started, 3), peak_memory_bytes=peak_memory_bytes())


def _reconstruct(reconstruct: Callable[..., Any], folder: Path, job: Job, stack: SliceStack, emit: Emit) -> Done:
    result = reconstruct_with_fallback(
        reconstruct,
        stack,
        job.options,
        long_axes=[_LongAxis.of(folder, each) for each in job.long_axes],
        gather=False,
        progress=emit,
        on_phase=lambda phase, dense, spread: emit(_save_phase(folder, phase, dense, spread)),
    )
    return Done(result.stack.positions.tolist(), acquired_indices(result.synthesised), result.provenance)


@dataclass(frozen=True, eq=False)
class _LongAxis:
    """As :class:`calid.alignment.crossings.Across` asks for it."""

    voxels: np.ndarray
    affine: np.ndarray
    thickness: float | None

    @classmethod
    def of(cls, folder: Path, facts: LongAxisFacts) -> _LongAxis:
        voxels = np.load(folder / Path(facts.voxels).name, allow_pickle=False)
        return cls(voxels, np.array(facts.affine), facts.thickness)


def _self_check(self_check: Callable[..., Any], folder: Path, job: Job, stack: SliceStack, emit: Emit) -> Done:
    chosen = job.options
    result = self_check(stack, seed=chosen.seed, device=chosen.device, models=chosen.models, progress=emit)
    write_atomically(folder / PREDICTED_FILE, partial(np.save, arr=result.predicted))
    emit(Checked([asdict(hidden) for hidden in result.slices], PREDICTED_FILE, result.acquired_gap))
    return Done(stack.positions.tolist(), list(range(len(stack.positions))), result.provenance)


def _save_phase(folder: Path, phase: int, dense: np.ndarray, spread: np.ndarray | None) -> PhaseFinished:
    event = PhaseFinished(phase, f"dense_{phase:03d}.npy", None if spread is None else f"uncertainty_{phase:03d}.npy")
    for name, voxels in ((event.dense, dense), (event.uncertainty, spread)):
        if name is not None and voxels is not None:
            write_atomically(folder / name, partial(np.save, arr=voxels))
    return event


def acquired_indices(synthesised: np.ndarray) -> list[int | None]:
    """For every dense slice the index of the acquired slice it equals, or ``None`` where ``synthesised`` is true."""
    counted = np.cumsum(~np.asarray(synthesised)) - 1
    return [None if made else int(index) for made, index in zip(synthesised, counted, strict=True)]


def peak_memory_bytes() -> int | None:
    """Largest resident memory of this process so far; ``None`` where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _end_with_parent(stdin: int, folder: Path, finished: threading.Event) -> None:
    while os.read(stdin, 4096):
        pass
    if finished.is_set():
        return
    for _ in range(10):  # the main thread may still add a file
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
        time.sleep(0.05)
    os._exit(int(ExitCode.CANCELLED))
