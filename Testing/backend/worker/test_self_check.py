"""The self-check as a job of the worker: scores as an event, predicted slices as a file."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from calid.commands.reporting import TextReporter
from calid.errors import ExitCode
from calid.options import Options
from calid.protocol import SELF_CHECK, Checked, Done, Event, Failed, Job, Progress, Started, parse_event
from calid.selfcheck.check import self_check
from calid.stacks.stack import SliceStack


@pytest.fixture
def run(tmp_path: Path, child_environment, tiny_models):
    """Runs the real worker on a stack with small networks: its folder, exit code and events."""

    def run_worker(
        stack: SliceStack, task: str = SELF_CHECK, **options: object
    ) -> tuple[Path, int, list[Event | None]]:
        np.save(tmp_path / "input.npy", stack.voxels)
        options = {"device": "cpu", "models": str(tiny_models)} | options
        Job(stack.frame.tolist(), stack.positions.tolist(), Options(**options), task).write(tmp_path)
        command = [sys.executable, "-m", "calid.worker", str(tmp_path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, env=child_environment, **pipes) as child:
            lines = child.stdout.readlines()
        return tmp_path, child.returncode, [parse_event(line) for line in lines]

    return run_worker


def test_scores_and_predictions_are_those_of_the_check(stack: SliceStack, run, tiny_models) -> None:
    folder, code, events = run(stack, seed=4)
    expected = self_check(stack, seed=4, device="cpu", models=tiny_models)
    assert code == ExitCode.DONE
    assert isinstance(events[0], Started)
    assert (events[0].slices_in, events[0].slices_out) == (4, 4)
    *progress, checked, done = events[1:]
    assert {type(event) for event in progress} == {Progress}
    assert progress[-1].fraction == pytest.approx(1)

    assert isinstance(checked, Checked)
    assert [hidden["index"] for hidden in checked.slices] == [1, 2]
    assert [hidden["psnr"] for hidden in checked.slices] == pytest.approx([s.psnr for s in expected.slices])
    assert checked.acquired_gap == 8
    np.testing.assert_array_equal(np.load(folder / checked.predicted), expected.predicted)
    assert isinstance(done, Done)
    assert done.acquired == [0, 1, 2, 3]
    assert done.provenance == json.loads(json.dumps(expected.provenance))


def test_two_slices_are_an_error_with_a_remedy(stack: SliceStack, run) -> None:
    two = SliceStack(stack.voxels[:, :2], stack.frame, stack.positions[:2])
    _, code, events = run(two, task=SELF_CHECK)
    assert code == ExitCode.UNUSABLE_INPUT
    assert isinstance(events[-1], Failed)
    assert "2 slices" in events[-1].message
    assert "at least 3" in events[-1].remedy


def test_an_unknown_task_is_refused(stack: SliceStack, run) -> None:
    _, code, events = run(stack, task="dream")
    assert code == ExitCode.UNUSABLE_INPUT
    assert "'dream'" in events[-1].message
    assert "self-check" in events[-1].remedy


def test_a_job_written_before_there_were_tasks_is_a_reconstruction(stack: SliceStack, tmp_path: Path) -> None:
    Job(stack.frame.tolist(), stack.positions.tolist()).write(tmp_path)
    fields = json.loads((tmp_path / "job.json").read_text())
    del fields["task"]
    (tmp_path / "job.json").write_text(json.dumps(fields))
    assert Job.read(tmp_path).task == "reconstruct"


def test_the_line_for_people_does_not_speak_of_new_slices() -> None:
    stream = io.StringIO()
    TextReporter(stream)(Started("model", "cpu", 1, 8, 8))
    assert stream.getvalue() == "model model on cpu: 8 slices, 1 phase\n"
