"""What the demo reconstructs: the phantom and a real heart, or a validation patient where the data set is at hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sample_heart import SAMPLE, THICKNESS_MM

from calid.cohorts.acdc import split_patients
from calid.dicom.cycle import end_systole
from calid.files.reading import read_stack
from calid.phantom.beating_heart import make_phantom
from calid.segmentation.segmenter import load_segmenter, segment
from calid.stacks.stack import SliceStack

RIGHT_VENTRICLE, MYOCARDIUM, LEFT_CAVITY = 1, 2, 3


@dataclass(frozen=True)
class DemoCase:
    """A sparse stack, of one phase or a cine that begins at end-diastole, and where its heart is.

    :param labels: (slices, rows, columns) of the first phase, for framing the pictures only.
    :param truth: the dense stack that a phantom knows, ``None`` for a patient.
    :param endSystole: the phase of a cine in which the heart is smallest.
    """

    name: str
    sparse: SliceStack
    labels: np.ndarray
    truth: SliceStack | None = None
    endSystole: int = 0


def phantomCase(spacing: float) -> DemoCase:
    """End-diastole of the phantom with ten slices 8 mm apart, and the truth at the spacing of the result."""
    phantom = make_phantom(slices=10, gap=8.0, dense_spacing=spacing, seed=1)
    return DemoCase("Phantom", phantom.sparse, phantom.sparse_labels[0], phantom.dense)


def realCine() -> DemoCase:
    """The real heart of the sample data, every second phase; the segmentation network says where it is."""
    cine = read_stack(SAMPLE)
    times = None if cine.times is None else cine.times[::2]
    cine = SliceStack(cine.voxels[::2], cine.frame, cine.positions, times, thickness=THICKNESS_MM)
    labels = segment(load_segmenter(), cine.voxels[0], cine.pixel_spacing)
    return DemoCase("Real cine", cine, labels, endSystole=end_systole(list(cine.voxels.transpose(1, 0, 2, 3))))


def patientCase(data: Path) -> DemoCase:
    """End-diastole of the first validation patient, never used for training, in a folder of the ACDC data."""
    patient, facts = _firstPatient(data)
    image, labels = _endDiastole(data, patient, facts)
    return DemoCase(f"{patient} ED", image, labels)


def patientCine(data: Path) -> DemoCase:
    """The cine of the same patient, which covers a box of the slices around the heart."""
    patient, facts = _firstPatient(data)
    cine = read_stack(data / "cine" / f"{patient}_4d.nii.gz")
    corner = facts["cine_offset_xyz"][::-1]
    box = tuple(slice(start, start + count) for start, count in zip(corner, cine.voxels.shape[1:], strict=True))
    labels = _endDiastole(data, patient, facts)[1][box]
    return DemoCase(f"{patient} cine", cine, labels, endSystole=facts["ES"] - facts["ED"])


def _firstPatient(data: Path) -> tuple[str, dict]:
    patient = split_patients("validation")[0]
    return patient, json.loads((data / "index.json").read_text(encoding="utf-8"))[patient]


def _endDiastole(data: Path, patient: str, facts: dict) -> tuple[SliceStack, np.ndarray]:
    """Image, and labels (slices, rows, columns)."""
    image = data / "ed_es" / patient / f"{patient}_frame{facts['ED']:02d}.nii.gz"
    labels = read_stack(image.with_name(image.name.replace(".nii", "_gt.nii")))
    return read_stack(image), labels.voxels[0]
