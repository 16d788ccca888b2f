"""Phantoms in the layout of the cohort that is trained on, and dense hearts."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import calid
from calid.cohorts.acdc import PHASES
from calid.files.writing import write_stack
from calid.phantom.beating_heart import Phantom


def write_patient(data: Path, patient: str, seed: int) -> dict:
    """One phantom as a patient of the data layout: two phases with label maps; returns its index entry."""
    folder = data / "ed_es" / patient
    folder.mkdir(parents=True)
    phantom = Phantom(phases=4, slices=6, gap=10.0, matrix=(64, 64), pixel=2.4, seed=seed)
    for phase in range(len(PHASES)):
        stack = phantom.sparse.phase(phase)
        stem = f"{patient}_frame{phase + 1:02d}"
        write_stack(stack, folder / f"{stem}.nii.gz")
        labels = phantom.sparse_labels[phase : phase + 1]
        write_stack(calid.SliceStack(labels, stack.frame, stack.positions), folder / f"{stem}_gt.nii.gz")
    (data / "cine").mkdir(exist_ok=True)
    write_stack(phantom.sparse, data / "cine" / f"{patient}_4d.nii.gz")
    return {"ED": 1, "ES": 2}


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    index = {patient: write_patient(folder, patient, seed) for seed, patient in enumerate(("patient001", "patient002"))}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "split.json").write_text(json.dumps({"train": ["patient001"], "validation": ["patient002"]}))
    return folder


@pytest.fixture(scope="session")
def write_heart() -> Callable[..., None]:
    """Writes a cone of rings as a dense heart."""

    def write(folder: Path, name: str, spacing: float = 1.25) -> None:
        z, y, x = np.ogrid[:60, :96, :96]
        heart = 100.0 * ((y - 48) ** 2 + (x - 48) ** 2 < (30 - z / 4) ** 2) + 40 * (np.sin(z / 3) + 1) + 0 * x
        image = sitk.GetImageFromArray(heart.astype(np.uint8))
        image.SetSpacing((spacing,) * 3)
        sitk.WriteImage(image, str(folder / f"heart{name}_sax.nii.gz"))

    return write


@pytest.fixture(scope="session")
def hearts(write_heart, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hearts")
    for name in ("001", "002"):
        write_heart(folder, name)
    return folder
