"""The worker process: events, files, errors, and its end when the parent closes stdin."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calid.errors import ExitCode
from calid.options import Options
from calid.protocol import (
    RECONSTRUCT,
    Done,
    Event,
    Failed,
    Job,
    LongAxisFacts,
    PhaseFinished,
    Progress,
    Started,
    Warned,
    parse_event,
)
from calid.stacks.stack import SliceStack
from calid.worker.run import acquired_indices, peak_memory_bytes


@pytest.fixture
def make_job(tmp_path: Path):
    """Writes a job folder for a stack."""

    def make(stack: SliceStack, task: str = RECONSTRUCT, **options: object) -> Path:
        folder = tmp_path / "job"
        folder.mkdir()
        np.save(folder / "input.npy", stack.voxels)
        Job(stack.frame.tolist(), stack.positions.tolist(), Options(**options), task).write(folder)
        return folder

    return make


@pytest.fixture
def run(fake_command, child_environment):
    """Runs the worker to its end, with stdin open: exit code, events, stderr."""

    def run_worker(behaviour: str, folder: Path) -> tuple[int, list[Event | None], str]:
        with subprocess.Popen(
            fake_command(behaviour, "worker", folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=child_environment,
        ) as child:
            lines, errors = child.stdout.readlines(), child.stderr.read()
        return child.returncode, [parse_event(line) for line in lines], errors

    return run_worker


def test_a_cine_is_done_phase_by_phase(cine: SliceStack, make_job, run) -> None:
    folder = make_job(cine, spacing=2.0, uncertainty=True, seed=7, detail=0.25)
    code, events, _ = run("succeed", folder)
    assert code == ExitCode.DONE
    assert [type(e) for e in events] == [Started, Warned, *[Progress, PhaseFinished] * 3, Done]
    assert events[0] == Started("fake", "cpu", 3, 5, 13, 6.0, "assumed")
    for phase, finished in enumerate(e for e in events if isinstance(e, PhaseFinished)):
        dense, spread = np.load(folder / finished.dense), np.load(folder / finished.uncertainty)
        assert dense.dtype == cine.voxels.dtype
        np.testing.assert_array_equal(dense[::3], cine.voxels[phase])
        assert spread.dtype == np.float32
        assert spread.shape == dense.shape
    done = events[-1]
    np.testing.assert_allclose(done.positions, np.arange(13) * 2)
    assert done.acquired == [0, None, None, 1, None, None, 2, None, None, 3, None, None, 4]
    assert (done.provenance["seed"], done.provenance["detail"]) == (7, 0.25)
    assert done.seconds > 0
    names = {"job.json", "input.npy", *(f"{kind}_00{n}.npy" for kind in ("dense", "uncertainty") for n in range(3))}
    assert {file.name for file in folder.iterdir()} == names


def test_long_axes_of_a_job_are_handed_over(stack: SliceStack, make_job, run) -> None:
    folder = make_job(stack)
    job = Job.read(folder)
    np.save(folder / "long_axis_00.npy", np.zeros((1, 4, 5), np.int16))
    replace(job, long_axes=[LongAxisFacts("long_axis_00.npy", np.eye(4).tolist(), 6.0)]).write(folder)
    code, events, _ = run("succeed", folder)
    assert code == ExitCode.DONE
    assert events[-1].provenance["long_axes"] == 1


def test_what_libraries_print_goes_to_stderr(stack: SliceStack, make_job, run) -> None:
    code, events, errors = run("chatter", make_job(stack))
    assert code == ExitCode.DONE
    assert None not in events
    for line in ("a library prints", "a C library prints", "a child prints"):
        assert line in errors


@pytest.mark.parametrize(
    ("behaviour", "kind", "code", "message"),
    [
        ("exhaust_python", "OutOfResources", 3, "not enough memory (MemoryError)"),
        ("exhaust_cuda", "OutOfResources", 3, "CUDA out of memory. Tried to allocate 2.00 GiB.)"),
        ("exhaust_cpu", "OutOfResources", 3, "you tried to allocate 9 bytes"),
        ("lose_weights", "WeightsError", 4, "vae.safetensors is missing"),
        ("fill_disk", "OutOfResources", 3, "/tmp/scratch.bin: it cannot be written: No space left on device ("),
        ("crash", "CalidError", 1, "ZeroDivisionError: division by zero"),
    ],
)
def test_failures_are_events_with_a_remedy(
    stack: SliceStack, make_job, run, behaviour: str, kind: str, code: int, message: str
) -> None:
    returned, events, errors = run(behaviour, make_job(stack))
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert (returned, failed.exit_code, failed.kind) == (code, code, kind)
    assert message in failed.message
    assert "\n" not in failed.message
    assert failed.remedy
    assert ("Traceback" in errors) == (kind == "CalidError")


def test_a_spacing_that_leaves_nothing_to_do(stack: SliceStack, make_job, run) -> None:
    code, events, _ = run("succeed", make_job(stack, spacing=8.0))
    assert code == ExitCode.UNUSABLE_INPUT
    assert events[-1].kind == "UnusableInput"
    assert "nothing to do" in events[-1].message


def test_a_job_of_another_protocol_version(stack: SliceStack, make_job, run) -> None:
    folder = make_job(stack)
    job = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps(job | {"version": 99}))
    code, events, _ = run("succeed", folder)
    assert code == ExitCode.FAILED
    assert "protocol version 99" in events[-1].message


def test_it_ends_within_two_seconds_when_the_parent_closes_stdin_and_removes_the_job(
    cine: SliceStack, make_job, fake_command, child_environment
) -> None:
    folder = make_job(cine)
    command = fake_command("wait", "worker", folder)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_environment) as child:
        assert isinstance(parse_event(child.stdout.readline().decode()), Started)
        closed = time.monotonic()
        child.stdin.close()
        assert child.wait(timeout=10) == ExitCode.CANCELLED
    assert time.monotonic() - closed < 2
    assert not folder.exists()


def test_a_parent_that_waits_for_the_result_keeps_it(
    stack: SliceStack, make_job, fake_command, child_environment
) -> None:
    folder = make_job(stack)
    command = fake_command("succeed", "worker", folder)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_environment) as child:
        while not isinstance(parse_event(child.stdout.readline().decode()), Done):
            pass
        child.stdin.close()
    assert (folder / "dense_000.npy").exists()


def test_the_slices_are_counted() -> None:
    assert acquired_indices(np.array([False, True, True, False, False])) == [0, None, None, 1, 2]


def test_peak_memory_is_in_bytes() -> None:
    ballast = np.ones(50_000_000, np.uint8)
    peak = peak_memory_bytes()
    assert peak is None or ballast.nbytes < peak < 1e12


def test_a_missing_phase_is_refused(cine: SliceStack, make_job, run) -> None:
    cine.voxels[1] = 0
    code, events, _ = run("succeed", make_job(cine, spacing=2.0))
    assert code == ExitCode.UNUSABLE_INPUT
    assert "phase 2 is missing" in events[-1].message


def test_a_phase_with_another_intensity_scale_is_warned_of(cine: SliceStack, make_job, run) -> None:
    voxels = cine.voxels.astype(np.float32)
    voxels[2] *= 100
    code, events, _ = run("succeed", make_job(replace(cine, voxels=voxels), spacing=2.0))
    assert code == ExitCode.DONE
    assert "another intensity scale" in events[0].message
