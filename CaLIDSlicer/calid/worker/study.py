"""Opens a study for 3D Slicer: the stack, the long axes of its study, and the report. Needs no PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from calid.atomic import write_atomically
from calid.dicom.assemble import Assembled
from calid.dicom.long_axis import LongAxis
from calid.dicom.patient import read_patient
from calid.dicom.report import as_text
from calid.dicom.study import Study, read_study
from calid.dicom.words import describe, description_of
from calid.errors import UnusableInput
from calid.measurement.body import Body
from calid.naming import naming
from calid.protocol import Event, Progress, StudyJob, StudyRead, ViewRead
from calid.stacks.stack import SliceStack, common_step, is_uniform

_EVERY = 50
_LISTING = 0.3
"""Of all the time that looking at headers takes; how many files there are is not known before."""


def open_study(job: StudyJob, folder: Path, emit: Callable[[Event], None]) -> StudyRead:
    """Read a study and write the voxels of its views into the job folder.

    :raises UnusableInput: naming the path, if there is no such stack or it cannot be read.
    """

    def heard(files: int) -> None:
        if files % _EVERY == 0:
            emit(Progress(0, 1, files, 0, 0.0))

    def tell(done: int, of: int) -> None:
        emit(Progress(0, 1, done, of, _LISTING + (1 - _LISTING) * done / of))

    study = read_study(job.paths, heard)
    number = study.choose(job.stack)[0]
    made = study.assemble(job.stack, tell)
    with naming(Path(job.paths[0])):
        _check_one_spacing(made.stack)
    emit(_stack(study, made, folder))
    for at, one in enumerate(study.read_long_axes(made), 1):
        emit(_long_axis(study, one, made, folder, f"view_{at:02d}.npy"))
    remarks = [study.privacy.masked(str(remark)) for remark in made.told]
    body, notes = Body.of({}, read_patient(made.view))
    patient = {name: value for name, value in asdict(body).items() if value is not None}
    stacks = [f"{study.called(view)}: {describe(view)}" for view in study.stacks]
    return StudyRead(number, len(stacks), [*remarks, *notes], as_text(study, made), patient, stacks)


def _check_one_spacing(stack: SliceStack) -> None:
    """A volume of Slicer has a single spacing; a dense one has it even where a slice is missing."""
    if is_uniform(stack.positions):
        return
    gaps, common = stack.gaps, common_step(stack.positions, largest=2.0)
    raise UnusableInput(
        f"its slices are {gaps.min():.4g} to {gaps.max():.4g} mm apart, and a volume in Slicer has one spacing",
        "reconstruct the study on the command line, which fills each gap by its own length, and load the result: "
        f"calid reconstruct STUDY OUT{f' --spacing {common:.6g}' if common else ''}",
    )


def _stack(study: Study, made: Assembled, folder: Path) -> ViewRead:
    stack = made.stack
    _save(folder / "view_00.npy", stack.voxels)
    return ViewRead(
        "view_00.npy",
        describe(made.view),
        study.privacy.masked(description_of(made.view)),
        stack.frame.tolist(),
        stack.positions.tolist(),
        _milliseconds(made),
        stack.thickness,
    )


def _long_axis(study: Study, one: LongAxis, made: Assembled, folder: Path, name: str) -> ViewRead:
    _save(folder / name, one.voxels[:, np.newaxis])
    return ViewRead(
        name,
        describe(one.view),
        study.privacy.masked(description_of(one.view)),
        one.plane.affine.tolist(),
        [0.0],
        _milliseconds(made),
        one.thickness,
    )


def _milliseconds(made: Assembled) -> list[float] | None:
    times = made.stack.times
    return None if times is None else [round(1000 * time, 3) for time in times]


def _save(path: Path, voxels: np.ndarray) -> None:
    write_atomically(path, partial(np.save, arr=voxels))
