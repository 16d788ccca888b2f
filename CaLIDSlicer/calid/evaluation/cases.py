"""Labelled stacks of a cohort, in the layout of :mod:`calid.cohorts.acdc`, as cases to score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from calid.cohorts.acdc import PHASES, end_phase_files, read_index
from calid.errors import UnusableInput
from calid.evaluation.heldout import Case
from calid.files.reading import read_stack


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


def _load_case(patient: str, phase: str, image: Path, labels: Path, every: int) -> Case:
    stack, heart = read_stack(image), read_stack(labels).voxels[0]
    if stack.voxels.shape[1:] != heart.shape:
        raise UnusableInput(f"{labels} has shape {heart.shape}, but its image has {stack.voxels.shape[1:]}")
    return Case(patient, phase, stack, heart, every)
