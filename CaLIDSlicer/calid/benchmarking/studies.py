"""How long it takes to look through a study, and to make the stack of it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from calid.benchmarking.settings import StudySize
from calid.dicom.study import read_study
from calid.phantom.beating_heart import Phantom
from calid.stacks.stack import SliceStack

_RR_MS = 800.0
_SMALL = 32
"""Rows and columns of the pictures that are only looked at."""
_OTHER_ATTRIBUTES = 60


def time_study(size: StudySize) -> dict[str, Any]:
    """Seconds to list a study and to assemble its cine, from files that were just written.

    The short-axis cine has a series for each slice; single pictures of other planes make up the number of files.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), size)
        started = time.perf_counter()
        study = read_study(folder)
        listed = time.perf_counter()
        made = study.assemble()
        assembled = time.perf_counter()
    slices, phases = made.stack.voxels.shape[1::-1]
    return {
        "files": study.files,
        "list_s": listed - started,
        "slices": slices,
        "phases": phases,
        "matrix": size.matrix,
        "assemble_s": assembled - listed,
    }


def _write(folder: Path, size: StudySize) -> None:
    side = size.matrix
    stack = Phantom(phases=1, slices=size.slices, gap=10.0, matrix=(side, side)).sparse
    written = 0
    for k, image in enumerate(stack.voxels[0]):
        series = generate_uid()
        for phase in range(size.phases):
            written += 1
            picture = _picture(stack, image + np.int16(phase))
            position = stack.frame[:3, 3] + stack.positions[k] * stack.frame[:3, 2]
            picture.ImagePositionPatient = [f"{x:.5f}" for x in position]
            picture.TriggerTime = f"{phase * _RR_MS / size.phases:.4f}"
            picture.SeriesInstanceUID, picture.SeriesNumber, picture.InstanceNumber = series, k + 1, phase + 1
            _save(picture, folder / f"{written:05d}.dcm")
    flat, series = np.zeros((_SMALL, _SMALL), np.int16), generate_uid()
    for number in range(written, size.files):
        picture = _picture(stack, flat)
        picture.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        picture.ImagePositionPatient = [0, 0, number]
        picture.SeriesInstanceUID, picture.SeriesNumber, picture.InstanceNumber = series, 99, number
        _save(picture, folder / f"{number + 1:05d}.dcm")


def _picture(stack: SliceStack, pixels: np.ndarray) -> Dataset:
    """A picture with as many attributes as scanners write, most of which nobody reads."""
    down, along = stack.pixel_spacing
    axes = np.concatenate([stack.frame[:3, 0] / along, stack.frame[:3, 1] / down])
    picture = Dataset()
    picture.update(
        {
            "SOPClassUID": MRImageStorage,
            "SOPInstanceUID": generate_uid(),
            "StudyInstanceUID": "1.2.3",
            "FrameOfReferenceUID": "1.2.4",
            "Modality": "MR",
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "NORM"],
            "NominalInterval": round(_RR_MS),
            "SliceThickness": 8,
            "ImageOrientationPatient": [f"{x:.9f}" for x in axes],
            "PixelSpacing": [f"{down:.5f}", f"{along:.5f}"],
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "Rows": pixels.shape[0],
            "Columns": pixels.shape[1],
            "BitsAllocated": 16,
            "BitsStored": 16,
            "HighBit": 15,
            "PixelRepresentation": 1,
            "PixelData": pixels.astype("<i2").tobytes(),
        }
    )
    for element in range(_OTHER_ATTRIBUTES):
        picture.add_new((0x0019, 0x1000 + element), "LO", "of no use to anybody")
    return picture


def _save(picture: Dataset, path: Path) -> None:
    picture.file_meta = FileMetaDataset()
    picture.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with pydicom.config.disable_value_validation():
        picture.save_as(path, enforce_file_format=True)
