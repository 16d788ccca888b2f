"""Labelled stacks of a cohort, in the layout of the Automated Cardiac Diagnosis Challenge.

``ed_es/patientNNN/patientNNN_frameXX.nii.gz`` with a label map ``..._frameXX_gt.nii.gz`` (Bernard et al., IEEE TMI
37(11), 2018), and ``index.json``, which says which frame, counted from 1, is end-diastole and which end-systole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from calid.errors import UnusableInput
from calid.evaluation.heldout import Case
from calid.files import read_stack

PHASES = ("ED", "ES")


def load_cases(data: Path, patients: Sequence[str], every: int = 2) -> Iterator[Case]:
    """Both phases of every patient, one after the other, but none that has no slice to score.

    Raises :class:`UnusableInput` before the first case if ``data`` has no index or lacks patients, naming them.
    """
    index = read_index(data / "index.json")
    files = {p: [end_phase_files(data, p, index[p][phase]) for phase in PHASES] for p in patients if p in index}
    missing = [p for p in patients if p not in files or not all(f.is_file() for pair in files[p] for f in pair)]
    if missing:
        raise UnusableInput(
            f"{data} lacks {len(missing)} of {len(patients)} patients: {', '.join(missing)}",
            "add their stacks and label maps under ed_es/, and their entries in index.json",
        )
    cases = (_load_case(p, phase, *pair, every) for p in patients for phase, pair in zip(PHASES, files[p], strict=True))
    return (case for case in cases if case.scored)


def read_index(path: Path) -> dict[str, dict]:
    """What is known of every patient; raises :class:`UnusableInput` if there is no such file."""
    if not path.is_file():
        raise UnusableInput(f"{path} does not exist", "pass the folder that holds index.json and ed_es/")
    return json.loads(path.read_text(encoding="utf-8"))


def end_phase_files(data: Path, patient: str, frame: int) -> tuple[Path, Path]:
    """Image and label map of a ``frame``, counted from 1."""
    stem = data / "ed_es" / patient / f"{patient}_frame{frame:02d}"
    return stem.with_name(f"{stem.name}.nii.gz"), stem.with_name(f"{stem.name}_gt.nii.gz")


def _load_case(patient: str, phase: str, image: Path, labels: Path, every: int) -> Case:
    stack, heart = read_stack(image), read_stack(labels).voxels[0]
    if stack.voxels.shape[1:] != heart.shape:
        raise UnusableInput(f"{labels} has shape {heart.shape}, but its image has {stack.voxels.shape[1:]}")
    return Case(patient, phase, stack, heart, every)
