"""The Automated Cardiac Diagnosis Challenge: where its files lie, and which patients train and which judge.

``ed_es/patientNNN/patientNNN_frameXX.nii.gz`` with a label map ``..._frameXX_gt.nii.gz``, ``cine/patientNNN_4d.nii.gz``
and ``index.json``, which says which frame, counted from 1, is end-diastole and which end-systole (Bernard et al., IEEE
TMI 37(11), 2018). Other cohorts are read in this layout too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from calid.errors import UnusableInput

PHASES = ("ED", "ES")

SPLIT_FILE = Path(__file__).parent / "split.json"


def split_patients(split: str) -> list[str]:
    """Patient ids of ``"train"``, ``"validation"`` or ``"test"``. Patients are split, never slices or phases."""
    return json.loads(SPLIT_FILE.read_text(encoding="utf-8"))[split]


def read_index(path: Path) -> dict[str, dict]:
    """What is known of every patient; raises :class:`UnusableInput` if there is no such file."""
    if not path.is_file():
        raise UnusableInput(f"{path} does not exist", "pass the folder that holds index.json and ed_es/")
    return json.loads(path.read_text(encoding="utf-8"))


def end_phase_files(data: Path, patient: str, frame: int) -> tuple[Path, Path]:
    """Image and label map of a ``frame``, counted from 1."""
    stem = data / "ed_es" / patient / f"{patient}_frame{frame:02d}"
    return stem.with_name(f"{stem.name}.nii.gz"), stem.with_name(f"{stem.name}_gt.nii.gz")


def label_maps(data: Path, patients: Iterable[str]) -> dict[str, list[Path]]:
    """Label maps of the end phases of patients, in order, by patient; of one who is not there, none.

    :raises UnusableInput: naming the folder, if it holds none of any of them.
    """
    found = {patient: sorted((data / "ed_es" / patient).glob("*_gt.nii.gz")) for patient in patients}
    if not any(found.values()):
        raise UnusableInput(
            f"{data} holds no label maps of {len(found)} patients, {', '.join(list(found)[:3])} …",
            "pass the folder that holds index.json and ed_es/",
        )
    return found


def cine_file(data: Path, patient: str) -> Path:
    """All phases of a patient; not every patient has them."""
    return data / "cine" / f"{patient}_4d.nii.gz"
