"""Training slices: every stack of the data folder, normalised and on the model's pixel grid.

Expects the layout of :mod:`calid.cohorts.acdc`. Labels are used for one thing only: to centre training crops on the
heart. The model never sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calid.cohorts.acdc import cine_file, label_maps, split_patients
from calid.files.reading import read_stack
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.stacks.stack import SliceStack


@dataclass(frozen=True, eq=False)
class TrainingStack:
    """One phase of one patient: ``slices`` (k, rows, columns) in network units, ``gap`` mm between them.

    ``centre`` is the heart's (row, column) on the model grid.
    """

    patient: str
    slices: np.ndarray
    gap: float
    centre: tuple[float, float]
    is_crop: bool


def load_stacks(data: Path, split: str, pixel: float, cine: bool = True) -> list[TrainingStack]:
    """All stacks of a split; with ``cine`` also every phase of its cine crops.

    :raises UnusableInput: naming the folder, if it holds none of the patients.
    """
    patients = split_patients(split)
    stacks = load_end_phases(data, patients, pixel)
    if cine:
        stacks += [stack for patient in patients for stack in _cine_phases(data, patient, pixel)]
    return stacks


def model_slices(stack: SliceStack, pixel: float) -> np.ndarray:
    """Normalised, on the model's pixel grid: (phases, slices, rows, columns) network units, float16."""
    grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, pixel, multiple=1)
    return grid.to_model(IntensityScale.of(stack.voxels).normalise(stack.voxels)).astype(np.float16)


def load_end_phases(data: Path, patients: Iterable[str], pixel: float) -> list[TrainingStack]:
    """End-diastole and end-systole of those patients who are there, on square pixels of ``pixel`` mm.

    :raises UnusableInput: naming the folder, if nobody is.
    """
    found = label_maps(data, patients)
    return [stack for patient, paths in found.items() for stack in _end_phases(paths, patient, pixel)]


def _end_phases(paths: Sequence[Path], patient: str, pixel: float) -> list[TrainingStack]:
    stacks = []
    for labels in paths:
        stack = read_stack(labels.with_name(labels.name.replace("_gt", "")))
        slices = model_slices(stack, pixel)[0]
        heart = np.argwhere(read_stack(labels).voxels[0].any(axis=0)).mean(axis=0)
        scale = np.array(slices.shape[1:]) / stack.voxels.shape[2:]
        centre = tuple(float(c) for c in (heart + 0.5) * scale - 0.5)
        stacks.append(TrainingStack(patient, slices, float(stack.gaps[0]), (centre[0], centre[1]), is_crop=False))
    return stacks


def _cine_phases(data: Path, patient: str, pixel: float) -> list[TrainingStack]:
    stack = read_cine(data, patient)
    if stack is None:
        return []
    phases = model_slices(stack, pixel)
    centre = ((phases.shape[2] - 1) / 2, (phases.shape[3] - 1) / 2)
    return [TrainingStack(patient, slices, float(stack.gaps[0]), centre, is_crop=True) for slices in phases]


def read_cine(data: Path, patient: str) -> SliceStack | None:
    """All phases of a patient, or ``None`` for one without a cine."""
    path = cine_file(data, patient)
    return read_stack(path) if path.exists() else None
