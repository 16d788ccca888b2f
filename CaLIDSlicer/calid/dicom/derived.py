"""A dense result as a derived MR series: same patient, study and frame of reference, new UIDs.

Classic MR images, a file for each slice and phase, for viewers and archives that know nothing else. Each says whether
it was acquired or synthesised, which pictures it was made of, and that it is for research only.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from calid.atomic import not_written, partial_path
from calid.dicom.quiet import quiet
from calid.dicom.template import template_of
from calid.dicom.views import View
from calid.errors import UnusableInput
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack
from calid.version import __version__

SERIES_DESCRIPTION = "CaLID dense, research use only"
RESEARCH = "Research use only."
_SERIES_OFFSET = 9000
_WINDOW_PERCENT = 1, 99.5
_LEVELS = 60000
"""Of stored values, for stacks of real numbers."""
_LONGEST_TEXT = 1024


def check_series_folder(folder: Path) -> None:
    """Raise ``UnusableInput`` unless a series can be written into ``folder``: a new or an empty one."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UnusableInput(f"{folder} is not empty", "name a new folder: a series is not mixed with other files")
        if not folder.parent.is_dir():
            raise UnusableInput(f"{folder}: its folder does not exist", f"create {folder.parent} first")
    except OSError as error:
        raise not_written(folder, error) from error


@dataclass(frozen=True)
class Storing:
    """How voxels become stored values: ``(voxels - intercept) / slope``, of 16 bits."""

    dtype: np.dtype
    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def of(cls, stack: SliceStack, view: View) -> Storing:
        """Whole numbers of up to 16 bits as they are, with the slope of the source; others scaled."""
        kind = stack.voxels.dtype
        if kind.kind in "iu" and (kind.itemsize == 1 or kind in (np.int16, np.uint16)):
            stored = np.dtype(np.uint16 if kind == np.uint16 else np.int16)
            scales = {(picture.slope, picture.intercept) for cine in view.slices for picture in cine.pictures}
            return cls(stored, scales.pop()[0] if len(scales) == 1 and next(iter(scales))[1] == 0 else 1.0)
        low, high = float(stack.voxels.min()), float(stack.voxels.max())
        slope = (high - low) / _LEVELS
        return cls(np.dtype(np.uint16), slope, low - slope)  # never 0: stored values are not to pass for real ones

    def stored(self, voxels: np.ndarray, is_real: bool) -> np.ndarray:
        """The stored values of voxels."""
        if not is_real:
            return voxels.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        return np.clip(np.rint((voxels - self.intercept) / self.slope), limits.min, limits.max).astype(self.dtype)


class SeriesWriter:
    """A folder that grows by one phase at a time and appears under its name complete or not at all.

        with SeriesWriter(folder, stack, made.view, plan) as writer:
            for phase, voxels in enumerate(dense):
                writer.add(phase, voxels)
            writer.finish(provenance)

    :param folder: new, or empty.
    :param stack: the sparse one; gives geometry, times and type.
    :param view: that it was made of.
    :param plan: of the dense slices.
    :param first_phase: of the view, where the stack has one phase of it.
    :raises UnusableInput: if the view is not from DICOM, or the folder cannot be written.
    """

    def __init__(self, folder: Path, stack: SliceStack, view: View, plan: DensePlan, first_phase: int = 0) -> None:
        check_series_folder(folder)
        self._folder, self._stack, self._view, self._plan = folder, stack, view, plan
        self._first_phase, self._finished = first_phase, False
        self._storing = Storing.of(stack, view)
        with quiet(), pydicom.config.disable_value_validation():
            self._template = self._shared(template_of(view))
        self._instances: list[tuple[Path, Dataset]] = []
        self._partial = partial_path(folder)
        try:
            self._partial.mkdir()
        except OSError as error:
            raise not_written(folder, error) from error

    def __enter__(self) -> SeriesWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._finished:
                if self._folder.is_dir():
                    self._folder.rmdir()
                self._partial.rename(self._folder)
        except OSError as failed:
            raise not_written(self._folder, failed) from failed
        finally:
            with suppress(OSError):
                shutil.rmtree(self._partial)

    def add(self, phase: int, voxels: np.ndarray) -> None:
        """Write the pictures of a phase, (slices, rows, columns)."""
        is_real = self._stack.voxels.dtype.kind == "f" or self._stack.voxels.dtype.itemsize > 2
        try:
            with quiet(), pydicom.config.disable_value_validation():  # of what is copied from the source
                for k, image in enumerate(voxels):
                    dataset = self._picture(phase, k)
                    dataset.PixelData = _little_endian(self._storing.stored(image, is_real))
                    path = self._partial / f"{dataset.InstanceNumber:06d}.dcm"
                    dataset.save_as(path, enforce_file_format=True)
        except OSError as error:
            raise not_written(self._folder, error) from error

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """All phases were added. What made them goes beside them as JSON, for DICOM has no room for it."""
        text = json.dumps(provenance, indent=1) + "\n"
        try:
            (self._partial / "calid_provenance.json").write_text(text, encoding="utf-8")
        except OSError as error:
            raise not_written(self._folder, error) from error
        self._finished = True

    def _shared(self, made: Dataset) -> Dataset:
        """What all pictures say."""
        stack, storing = self._stack, self._storing
        phases, _, rows, columns = stack.voxels.shape
        down, along = stack.pixel_spacing
        numbers = [cine.first.series_number or 0 for cine in self._view.slices]
        low, high = np.percentile(stack.voxels[0], _WINDOW_PERCENT)
        made.update(
            {
                "SOPClassUID": MRImageStorage,
                "Modality": "MR",
                "ImageType": ["DERIVED", "SECONDARY", "OTHER", "CALID"],
                "SeriesInstanceUID": generate_uid(),
                "SeriesNumber": _SERIES_OFFSET + min(numbers) % _SERIES_OFFSET,
                "SeriesDescription": SERIES_DESCRIPTION,
                "SoftwareVersions": f"CaLID {__version__}",
                "ImageOrientationPatient": [_ds(x) for n in (0, 1) for x in _unit(stack.frame[:3, n])],
                "PixelSpacing": [_mm(down), _mm(along)],
                "SpacingBetweenSlices": _mm(float(np.median(np.diff(self._plan.positions)))),
                "NumberOfTemporalPositions": phases,
                "CardiacNumberOfImages": phases,
                "SamplesPerPixel": 1,
                "PhotometricInterpretation": "MONOCHROME2",
                "Rows": rows,
                "Columns": columns,
                "BitsAllocated": 16,
                "BitsStored": 16,
                "HighBit": 15,
                "PixelRepresentation": int(storing.dtype.kind == "i"),
                "RescaleSlope": _ds(storing.slope),
                "RescaleIntercept": _ds(storing.intercept),
                "WindowCenter": _ds(float(low + high) / 2 * self._window_scale),
                "WindowWidth": _ds(max(1.0, float(high - low)) * self._window_scale),
                "BurnedInAnnotation": "NO",
                "DerivationCodeSequence": _items(**_code("113085", "Spatial resampling")),
                "ContributingEquipmentSequence": _items(
                    Manufacturer="CaLID",
                    ManufacturerModelName="CaLIDSlicer",
                    SoftwareVersions=__version__,
                    ContributionDescription="A latent diffusion model synthesised slices between the acquired ones.",
                    PurposeOfReferenceCodeSequence=_items(**_code("109102", "Processing Equipment")),
                ),
            }
        )
        if (interval := self._interval) is not None:
            made.NominalInterval = round(interval)
        return made

    @property
    def _window_scale(self) -> float:
        """The window is in the scanner's values; the stack may be in stored ones."""
        return self._storing.slope if self._stack.voxels.dtype.kind in "iu" else 1.0

    @property
    def _interval(self) -> float | None:
        cycles = [cine.timing.cycle for cine in self._view.slices if cine.timing.cycle is not None]
        return float(np.median(cycles)) if cycles and self._stack.times is not None else None

    def _picture(self, phase: int, k: int) -> Dataset:
        stack, plan, dataset = self._stack, self._plan, Dataset()
        dataset.update(self._template)
        dataset.SOPInstanceUID = generate_uid()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        position = stack.frame[:3, 3] + plan.positions[k] * stack.frame[:3, 2]
        dataset.ImagePositionPatient = [_mm(x) for x in position]
        dataset.SliceLocation = _mm(plan.positions[k])
        dataset.InstanceNumber = k * len(stack.voxels) + phase + 1  # viewers that go by it play slice after slice
        dataset.TemporalPositionIdentifier = phase + 1
        if stack.times is not None:
            dataset.TriggerTime = _mm(1000 * stack.times[phase])
        source = plan.acquired[k]
        gap = float(np.median(np.diff(plan.positions)))
        dataset.SliceThickness = _mm(gap if source is None or stack.thickness is None else stack.thickness)
        kind = "Synthesised slice" if source is None else "Acquired slice, unchanged"
        dataset.DerivationDescription = f"{kind}. CaLID {__version__}. {RESEARCH}"[:_LONGEST_TEXT]
        dataset.ImageComments = f"{kind}. {RESEARCH}"
        dataset.SourceImageSequence = self._sources(phase, k)
        return dataset

    def _sources(self, phase: int, k: int) -> Items:
        """The acquired picture, or those of the slices on both sides."""
        positions, at = self._stack.positions, self._plan.positions[k]
        above = int(np.clip(np.searchsorted(positions, at - 1e-6), 0, len(positions) - 1))
        below = above if abs(positions[above] - at) < 1e-6 or above == 0 else above - 1
        references = []
        for n in sorted({below, above}):
            pictures = self._view.slices[n].pictures
            picture = pictures[min(phase + self._first_phase, len(pictures) - 1)]
            if not picture.instance:
                continue
            reference = _reference(picture.instance, MRImageStorage)
            if picture.frame or (len(pictures) > 1 and pictures[0].source == pictures[1].source):
                reference = _reference(picture.instance, EnhancedMRImageStorage)
                reference.ReferencedFrameNumber = picture.frame + 1
            references.append(reference)
        return Items(references)


def _little_endian(stored: np.ndarray) -> bytes:
    return stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()


def _reference(instance: str, sop_class: str) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID = sop_class
    made.ReferencedSOPInstanceUID = instance
    code = _code("121322", "Source image for image processing operation")
    made.PurposeOfReferenceCodeSequence = _items(**code)
    return made


def _code(value: str, meaning: str) -> dict[str, str]:
    return {"CodeValue": value, "CodingSchemeDesignator": "DCM", "CodeMeaning": meaning}


def _items(**says: Any) -> Items:
    item = Dataset()
    item.update(says)
    return Items([item])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _mm(length: float) -> str:
    """A length or a place, to a millionth of a millimetre; or a time in ms."""
    return _ds(round(float(length), 6))


def _ds(number: float) -> str:
    """A decimal string of at most 16 characters (PS3.5, 6.2)."""
    return f"{number:.10g}" if abs(number) > 1e-9 else "0"
