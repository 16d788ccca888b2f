"""What the demo reconstructs: the beating-heart phantom, or a validation patient where the data set is at hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calid.files import read_stack
from calid.phantom import make_phantom
from calid.stack import SliceStack
from calid.training.data import split_patients

RIGHT_VENTRICLE, MYOCARDIUM, LEFT_CAVITY = 1, 2, 3


@dataclass(frozen=True)
class DemoCase:
    """A sparse stack of one phase and where its heart is.

    :param labels: (slices, rows, columns) of the sparse stack, for framing the pictures only.
    :param truth: the dense stack that a phantom knows, ``None`` for a patient.
    """

    name: str
    sparse: SliceStack
    labels: np.ndarray
    truth: SliceStack | None = None


def phantomCase(spacing: float) -> DemoCase:
    """End-diastole of the phantom with ten slices 8 mm apart, and the truth at the spacing of the result."""
    phantom = make_phantom(slices=10, gap=8.0, dense_spacing=spacing, seed=1)
    return DemoCase("Phantom", phantom.sparse, phantom.sparse_labels[0], phantom.dense)


def patientCase(data: Path) -> DemoCase:
    """End-diastole of the first validation patient, never used for training, in a folder of the ACDC data."""
    patient = split_patients("validation")[0]
    frame = json.loads((data / "index.json").read_text(encoding="utf-8"))[patient]["ED"]
    image = data / "ed_es" / patient / f"{patient}_frame{frame:02d}.nii.gz"
    labels = read_stack(image.with_name(image.name.replace(".nii", "_gt.nii")))
    return DemoCase(f"{patient} ED", read_stack(image), labels.voxels[0])
