"""Measuring as a job of the worker: numbers as an event, labels as a file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import calid
from calid.errors import ExitCode
from calid.options import Options
from calid.phantom.beating_heart import Phantom
from calid.protocol import MEASURE, Done, Event, Failed, HeartFacts, Job, Measured, Progress, parse_event
from calid.segmentation.labels import LEFT_VENTRICLE
from calid.stacks.stack import SliceStack

ACQUIRED = [0, None, 1, None, 2, None, 3, None, 4, None, 5, None, 6]


@pytest.fixture(scope="module")
def dense() -> SliceStack:
    """A heart 4 mm apart, of which every second slice is said to be synthesised."""
    stack = Phantom(phases=2, slices=28, gap=4.0, thickness=4.0, matrix=(80, 80), pixel=2.2).sparse
    return replace(stack, voxels=stack.voxels[:, 5:18], positions=stack.positions[:13])


@pytest.fixture
def run(tmp_path: Path, child_environment):
    """Runs the real worker: its folder, exit code and events."""

    def run_worker(stack: SliceStack, heart: HeartFacts, drawn=None) -> tuple[Path, int, list[Event | None]]:
        np.save(tmp_path / "input.npy", stack.voxels)
        if drawn is not None:
            np.save(tmp_path / "drawn.npy", drawn)
        options = Options(device="cpu", spacing=4.0)
        Job(stack.frame.tolist(), stack.positions.tolist(), options, MEASURE, heart=heart).write(tmp_path)
        command = [sys.executable, "-m", "calid.worker", str(tmp_path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, env=child_environment, **pipes) as child:
            lines = child.stdout.readlines()
        return tmp_path, child.returncode, [parse_event(line) for line in lines]

    return run_worker


def test_numbers_rows_and_labels_are_those_of_the_measurement(dense, run) -> None:
    folder, code, events = run(dense, HeartFacts(rr_ms=800, acquired=ACQUIRED))
    found = calid.measure(
        dense,
        body=calid.Body(rr_ms=800),
        labels=True,
        acquired=ACQUIRED,
        options=Options(device="cpu", spacing=4.0),
    )
    assert code == ExitCode.DONE
    *progress, measured, done = (event for event in events if type(event).__name__ != "Warned")
    assert {type(event) for event in progress} == {Progress}
    assert progress[-1].fraction == 1
    assert isinstance(measured, Measured)
    assert measured.numbers["lv"] == found.to_dict()["lv"]
    assert measured.numbers["simpson"]["lv"]["edv_ml"] > 0
    assert measured.rows[0][:2] == ["left ventricle", "end-diastolic volume"]
    assert measured.positions == dense.positions.tolist()
    np.testing.assert_array_equal(np.load(folder / measured.labels), found.labels)
    assert isinstance(done, Done)
    assert done.acquired == ACQUIRED


def test_labels_that_a_person_has_drawn_are_counted(dense, run) -> None:
    labels = np.zeros(dense.voxels.shape[1:], np.uint8)
    labels[2:6, 30:50, 30:50] = LEFT_VENTRICLE
    folder, code, events = run(dense, HeartFacts(acquired=ACQUIRED, drawn=[1]), labels[np.newaxis])
    measured = next(event for event in events if isinstance(event, Measured))
    assert code == ExitCode.DONE
    drawn_ml = labels.astype(bool).sum() * 4.0 * 2.2**2 / 1000
    assert measured.numbers["phases"]["lv_ml"][1] == pytest.approx(drawn_ml, rel=0.02)
    np.testing.assert_array_equal(np.load(folder / measured.labels)[1], labels)
    assert any("phase 2 were drawn" in note for note in measured.numbers["notes"])


@pytest.mark.parametrize(
    ("heart", "words"),
    [(HeartFacts(height_cm=1.8), "1.8 cm"), (HeartFacts(acquired=[0, 1]), "2 slices are named for a stack of 13")],
)
def test_what_cannot_be_is_refused(dense, run, heart: HeartFacts, words: str) -> None:
    _, code, events = run(dense, heart)
    assert code == ExitCode.UNUSABLE_INPUT
    assert isinstance(events[-1], Failed)
    assert words in events[-1].message
    assert events[-1].remedy
