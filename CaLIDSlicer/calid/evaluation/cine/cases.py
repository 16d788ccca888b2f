"""Cines of a cohort, in the layout of the Automated Cardiac Diagnosis Challenge, cropped to central slices.

``cine/patientNNN_4d.nii.gz`` holds every phase of a part of the full stack; ``index.json`` says at which pixel of the
full stack it begins (``cine_offset_xyz``), so that the label maps of the two end phases (see
:mod:`calid.cohorts.acdc`) serve it too. One file is one heart beat: its last phase is followed by its first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calid.cohorts.acdc import PHASES, cine_file, end_phase_files, read_index
from calid.errors import UnusableInput
from calid.evaluation.heldout import Case
from calid.files.reading import read_stack
from calid.stacks.stack import SliceStack


@dataclass(frozen=True, eq=False)
class EndPhase:
    """End-diastole or end-systole: which phase, counted from 0, and its labels (slices, rows, columns)."""

    index: int
    labels: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class CineCase(Case):
    """All phases of one patient.

    The held-out-slice protocol is that of a still: ``stack`` has every phase, ``labels`` are not 0 where there is heart
    at either end phase, so that region and scored slices are those of the whole beat.

    :param ends: by ``"ED"`` and ``"ES"``.
    """

    ends: Mapping[str, EndPhase]

    def end(self, name: str) -> Case:
        """One end phase as a case of its own."""
        return Case(self.patient, name, self.stack.phase(self.ends[name].index), self.ends[name].labels, self.every)


def load_cines(data: Path, patients: Sequence[str]) -> Iterator[CineCase]:
    """The cine of every patient that has one, but none without a slice to score.

    Raises :class:`UnusableInput` before the first of them if ``data`` has no index, lacks patients or files, or has no
    cine of any of them.
    """
    index = read_index(data / "index.json")
    unknown = [p for p in patients if p not in index]
    with_cine = [p for p in patients if p in index and index[p].get("cine")]
    lacking = unknown + [p for p in with_cine if not all(f.is_file() for f in _files(data, p, index[p]))]
    if lacking or not with_cine:
        raise UnusableInput(
            f"{data} lacks the cines of {', '.join(lacking or patients)}",
            "add them under cine/, their label maps under ed_es/, and their entries in index.json",
        )
    cases = (_load_cine(data, p, index[p]) for p in with_cine)
    return (case for case in cases if case.scored)


def _files(data: Path, patient: str, entry: Mapping[str, Any]) -> list[Path]:
    """The cine and the label maps of both end phases."""
    return [cine_file(data, patient), *(end_phase_files(data, patient, entry[phase])[1] for phase in PHASES)]


def _load_cine(data: Path, patient: str, entry: Mapping[str, Any]) -> CineCase:
    stack = read_stack(cine_file(data, patient))
    ends = {phase: _load_end(data, patient, entry, phase, stack) for phase in PHASES}
    heart = np.any([end.labels for end in ends.values()], axis=0)
    return CineCase(patient, "cine", stack, heart, ends=ends)


def _load_end(data: Path, patient: str, entry: Mapping[str, Any], phase: str, stack: SliceStack) -> EndPhase:
    """The labels of an end phase, cut to the pixels that the cine holds."""
    file = end_phase_files(data, patient, entry[phase])[1]
    full, (phases, *shape) = read_stack(file).voxels[0], stack.voxels.shape
    corner = entry["cine_offset_xyz"][::-1]
    labels = full[tuple(slice(start, start + size) for start, size in zip(corner, shape, strict=True))]
    if labels.shape != tuple(shape) or entry[phase] > phases:
        raise UnusableInput(
            f"{patient}: a cine of {phases} phases of {tuple(shape)} at {tuple(corner)} is no part of {file.name}, "
            f"which has {full.shape}, and of phase {entry[phase]}",
            "correct cine_offset_xyz (slices last), ED and ES in index.json",
        )
    return EndPhase(entry[phase] - 1, labels)
