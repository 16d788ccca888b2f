"""A study is opened for Slicer in the worker: the stack, the long axes in step with it, and the report."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scanner

from calid.errors import UnusableInput
from calid.phantom.beating_heart import Phantom
from calid.protocol import Progress, StudyJob, StudyRead, ViewRead, parse_event, read_job
from calid.stacks.stack import SliceStack
from calid.worker.study import open_study


@pytest.fixture(scope="module")
def heart() -> SliceStack:
    return Phantom(phases=8, slices=5, gap=10.0, pixel=4.0, matrix=(40, 36), seed=3).sparse


@pytest.fixture(scope="module")
def across(heart) -> SliceStack:
    """A long axis with ten phases, as a stack of two from which one slice is taken."""
    frame = np.eye(4)
    frame[:3, 0], frame[:3, 1], frame[:3, 2] = heart.frame[:3, 2] * 4.0, heart.frame[:3, 1], heart.frame[:3, 0] / 4.0
    frame[:3, 3] = heart.frame[:3, 3]
    voxels = np.stack([heart.voxels[t * 8 // 10, :2] + 100 * t for t in range(10)])
    return SliceStack(voxels, frame, np.array([0.0, 10.0]))


@pytest.fixture
def study(heart, across, tmp_path) -> Path:
    """One series for each slice, and a long axis beside it."""
    folder = tmp_path / "Roe^Richard"
    scanner.save(scanner.shoot(heart, each_its_own=True), folder / "short")
    slices = [shot for shot in scanner.shoot(across, series=50, SeriesDescription="4CH Roe") if shot.k == 0]
    scanner.save(slices, folder / "long")
    return folder


def opened(study: Path, folder: Path, stack: int | None = None) -> tuple[list, StudyRead]:
    folder.mkdir()
    events: list = []
    return events, open_study(StudyJob([str(study)], stack), folder, events.append)


def test_the_stack_comes_first_and_is_that_of_the_scanner(study, heart, tmp_path):
    events, end = opened(study, tmp_path / "job")
    stack = next(event for event in events if isinstance(event, ViewRead))
    np.testing.assert_array_equal(np.load(tmp_path / "job" / stack.voxels), heart.voxels)
    np.testing.assert_allclose(stack.frame, heart.frame, atol=1e-5)
    np.testing.assert_allclose(stack.positions, heart.positions, atol=1e-5)
    assert stack.thickness == 6
    assert stack.times == sorted(stack.times)
    assert len(stack.times) == 8
    assert (end.stack, end.stacks) == (1, 1)
    assert "short-axis cine, 5 slices x 8 phases" in end.report


def test_the_long_axis_is_in_step_with_the_stack(study, across, tmp_path):
    events, _ = opened(study, tmp_path / "job")
    _, long_axis = [event for event in events if isinstance(event, ViewRead)]
    voxels = np.load(tmp_path / "job" / long_axis.voxels)
    assert voxels.shape == (8, 1, 40, 36)
    np.testing.assert_array_equal(voxels[0, 0], across.voxels[0, 0])
    np.testing.assert_allclose(np.array(long_axis.frame)[:3, :2], across.frame[:3, :2], atol=1e-5)
    assert long_axis.what.startswith("long-axis cine, 1 slice")


def test_nobody_hears_what_the_patient_is_called(study, tmp_path):
    events, end = opened(study, tmp_path / "job")
    said = "".join(event.to_line() for event in [*events, end])
    assert "4CH" in said
    assert "roe" not in said.lower()


def test_progress_goes_up_to_the_end(study, tmp_path):
    events, _ = opened(study, tmp_path / "job")
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)


def test_a_missing_slice_is_refused_with_the_command_that_fills_it_in(heart, tmp_path):
    shots = [shot for shot in scanner.shoot(heart) if shot.k != 2]
    scanner.save(shots, tmp_path / "study")
    with pytest.raises(UnusableInput, match="10 to 20 mm apart") as caught:
        opened(tmp_path / "study", tmp_path / "job")
    assert "calid reconstruct STUDY OUT --spacing 2" in caught.value.remedy


def test_the_job_comes_back_as_it_was_written(tmp_path):
    job = StudyJob(["/a", "/b"], 2)
    job.write(tmp_path)
    assert read_job(tmp_path) == job


def test_the_worker_opens_a_study_without_pytorch_and_nifti(study, tmp_path):
    """As in Slicer before anything was installed."""
    StudyJob([str(study)]).write(tmp_path)
    block = "import sys; sys.modules.update(torch=None, nibabel=None, SimpleITK=None, nrrd=None, diffusers=None)"
    program = f"{block}; from calid.worker.run import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as worker:
        assert worker.stdout is not None
        lines = worker.stdout.read().splitlines()
    assert worker.returncode == 0, lines
    assert isinstance(parse_event(lines[-1]), StudyRead)
