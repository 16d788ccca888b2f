"""A scanner for tests: a stack becomes DICOM files with the habits of the vendors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from calid.stacks.section import Section
from calid.stacks.stack import SliceStack

RR = (800.0, 780.0, 820.0, 790.0, 805.0, 770.0, 815.0, 785.0)
"""ms, of the breath-hold of each slice."""


@dataclass
class Shot:
    """A picture, and what its header says, by the keywords of DICOM."""

    k: int
    t: int
    pixels: np.ndarray
    says: dict[str, Any] = field(default_factory=dict)


def shoot(
    stack: SliceStack, series: int = 1, each_its_own: bool = False, offset: float = 0.0, start: float = 0.0, **says: Any
) -> list[Shot]:
    """Pictures of a stack, slice by slice.

    :param series: number of the series, of the first one if ``each_its_own`` slice has one.
    :param offset: of the first phase, in phases: 0 as Siemens has it, 0.5 as GE.
    :param start: seconds at which the acquisition began.
    :param says: of all headers.
    """
    phases, slices = stack.voxels.shape[:2]
    shots = []
    for k in range(slices):
        number = series + k if each_its_own else series
        rr = RR[k % len(RR)]
        for t in range(phases):
            position = stack.frame[:3, 3] + stack.positions[k] * stack.frame[:3, 2]
            header = {
                "SeriesInstanceUID": uid("series", number),
                "SeriesNumber": number,
                "InstanceNumber": t + 1 if each_its_own else k * phases + t + 1,
                "ImagePositionPatient": [f"{x:.6f}" for x in position],
                "AcquisitionTime": clock(start + 20 * k),
                "TriggerTime": f"{(t + offset) * rr / phases:.5f}",
                "NominalInterval": round(rr),
                "CardiacNumberOfImages": phases,
            }
            shots.append(Shot(k, t, stack.voxels[t, k], {**_plane(stack), **header, **says}))
    return shots


def _plane(stack: SliceStack) -> dict[str, Any]:
    down, along = stack.pixel_spacing
    axes = np.concatenate([stack.frame[:3, 0] / along, stack.frame[:3, 1] / down])
    return {
        "ImageOrientationPatient": [f"{x:.9f}" for x in axes],
        "PixelSpacing": [f"{down:.6f}", f"{along:.6f}"],
        "SliceThickness": 6,
    }


def uid(*parts: Any) -> str:
    """The same UID for the same words."""
    return generate_uid(entropy_srcs=[str(part) for part in parts])


def clock(seconds: float) -> str:
    """Seconds after nine in the morning, as DICOM writes a time."""
    whole = int(seconds)
    return f"{9 + whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}.{round(1e6 * (seconds - whole)):06d}"


def long_axis_of(truth: SliceStack, degrees: float = 0.0, *, thickness: float = 6.0, pixel: float = 1.5) -> SliceStack:
    """A long-axis cine through the middle of a dense stack, as a stack of two slices of which the first is meant.

    :param degrees: by which its plane is turned around the long axis, from that along the rows.
    :param thickness: mm, as is the distance of the second slice.
    """
    rows, columns = truth.voxels.shape[2:]
    middle = truth.frame @ [(columns - 1) / 2, (rows - 1) / 2, truth.positions[-1] / 2, 1]
    along, down = (truth.frame[:3, n] / np.linalg.norm(truth.frame[:3, n]) for n in (0, 1))
    across = np.cos(np.radians(degrees)) * along + np.sin(np.radians(degrees)) * down
    through = truth.frame[:3, 2]
    width, height = round(130 / pixel), round((truth.positions[-1] + 20) / pixel)
    frame = np.eye(4)
    frame[:3, 0], frame[:3, 1], frame[:3, 2] = across * pixel, through * pixel, np.cross(across, through)
    frame[:3, 3] = middle[:3] - frame[:3, :2] @ [(width - 1) / 2, (height - 1) / 2]
    section = Section.of(truth, frame, (height, width), thickness)
    cuts = np.nan_to_num([section.sample(volume, truth.positions) for volume in truth.voxels])
    return SliceStack(np.rint(np.stack([cuts, cuts], axis=1)).astype(np.int16), frame, np.array([0.0, thickness]))


def dataset_of(shot: Shot) -> Dataset:
    """The header of a picture, and its pixels."""
    dataset = Dataset()
    usual = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": uid("picture", shot.k, shot.t, *map(str, shot.says.values())),
        "StudyInstanceUID": uid("study"),
        "FrameOfReferenceUID": uid("frame"),
        "Modality": "MR",
        "PatientID": "4711",
        "PatientName": "Roe^Richard",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "NORM"],
        "ScanOptions": "CG",
        "AcquisitionDate": "20240229",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": shot.pixels.shape[0],
        "Columns": shot.pixels.shape[1],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": int(shot.pixels.dtype.kind == "i"),
    }
    for name, value in {**usual, **shot.says}.items():
        if value is not None:
            setattr(dataset, name, value)
    dataset.PixelData = shot.pixels.astype(shot.pixels.dtype.newbyteorder("<")).tobytes()
    return dataset


def save(shots: Iterable[Shot], folder: Path, prefix: str = "IM") -> list[Path]:
    """Write pictures as files whose names say nothing of their order."""
    folder.mkdir(parents=True, exist_ok=True)
    shots = list(shots)
    names = np.random.default_rng(len(shots)).permutation(len(shots))
    paths = []
    for shot, number in zip(shots, names, strict=True):
        paths.append(folder / f"{prefix}{number:05d}")
        write(dataset_of(shot), paths[-1])
    return paths


def write(dataset: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> None:
    """Write a data set as a file of DICOM part 10."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    with pydicom.config.disable_value_validation():
        dataset.save_as(path, enforce_file_format=True)


def save_enhanced(shots: Sequence[Shot], path: Path, *, shared_plane: bool = True) -> None:
    """Write pictures as the frames of one Enhanced MR file."""
    dataset = dataset_of(shots[0])
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "TriggerTime"):
        del dataset[name]
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.NumberOfFrames = len(shots)
    shared, frames = Dataset(), []
    for shot in shots:
        says, frame = shot.says, Dataset()
        frame.PlanePositionSequence = _items(ImagePositionPatient=says["ImagePositionPatient"])
        timing = {"NominalCardiacTriggerDelayTime": float(says["TriggerTime"])}
        timing["RRIntervalTimeNominal"] = float(says["NominalInterval"])
        frame.CardiacSynchronizationSequence = _items(**timing)
        frame.FrameContentSequence = _items(TemporalPositionIndex=shot.t + 1, DimensionIndexValues=[7, 7])
        frames.append(frame)
    place = shared if shared_plane else frames[0]
    for one in [shared] if shared_plane else frames:
        one.PlaneOrientationSequence = _items(ImageOrientationPatient=shots[0].says["ImageOrientationPatient"])
        measures = {"PixelSpacing": shots[0].says["PixelSpacing"], "SliceThickness": 6}
        one.PixelMeasuresSequence = _items(**measures)
    place.MRImageFrameTypeSequence = _items(FrameType=["ORIGINAL", "PRIMARY", "CARDIAC", "NONE"])
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    dataset.PerFrameFunctionalGroupsSequence = Items(frames)
    dataset.PixelData = np.stack([shot.pixels for shot in shots]).astype("<i2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    write(dataset, path)


def _items(**says: Any) -> Items:
    item = Dataset()
    for name, value in says.items():
        setattr(item, name, value)
    return Items([item])
