"""Frames of Enhanced MR: one file holds many pictures, and functional groups say where and when each was.

PS3.3, C.7.6.16: attributes stand in a group that all frames share or in that of a frame. Dimension indices may mean
anything and are optional, so places come from positions and phases from the trigger delay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pydicom
from pydicom.dataset import Dataset

from calid.dicom import values
from calid.dicom.pictures import Picture, picture_of, plane_of

_ENHANCED = ("1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.3", "1.2.840.10008.5.1.4.1.1.4.4")
_MOST_FRAMES = 20_000


def is_multiframe(sop_class: str, frames: int | None) -> bool:
    """Whether a file holds frames; classic files may have an empty sequence of functional groups and mean nothing."""
    return sop_class in _ENHANCED or (frames or 1) > 1


def frames_of(file: BinaryIO, common: dict[str, Any]) -> list[Picture | str]:
    """The pictures of a file, or for each why it cannot be used.

    :param common: what the file says of all of them, by :mod:`calid.dicom.headers`.
    """
    dataset = pydicom.dcmread(file, stop_before_pixels=True)
    shared = _items(dataset, "SharedFunctionalGroupsSequence")
    frames = _items(dataset, "PerFrameFunctionalGroupsSequence")[:_MOST_FRAMES]
    if not frames:
        return ["many frames without functional groups"]
    return [_frame([own, *shared[:1], dataset], number, dict(common)) for number, own in enumerate(frames)]


def _frame(groups: list[Dataset], number: int, common: dict[str, Any]) -> Picture | str:
    """A frame: what its own group says counts first, then the shared one."""
    find = _Finder(groups)
    common |= _timing(find, common, number)
    common["image_type"] = find.words("MRImageFrameTypeSequence", "FrameType") or common["image_type"]
    common["component"] = find.text("MRImageFrameTypeSequence", "ComplexImageComponent")
    common["thickness"] = find.number("PixelMeasuresSequence", "SliceThickness") or common["thickness"]
    common["slope"] = find.number("PixelValueTransformationSequence", "RescaleSlope") or common["slope"]
    intercept = find.number("PixelValueTransformationSequence", "RescaleIntercept")
    common["intercept"] = common["intercept"] if intercept is None else intercept
    plane = plane_of(
        find.numbers("PlanePositionSequence", "ImagePositionPatient"),
        find.numbers("PlaneOrientationSequence", "ImageOrientationPatient"),
        find.numbers("PixelMeasuresSequence", "PixelSpacing") or common["spacing"],
        common["shape"],
    )
    return picture_of(common, plane, number)


def _timing(find: _Finder, common: dict[str, Any], number: int) -> dict[str, Any]:
    content, cardiac = "FrameContentSequence", "CardiacSynchronizationSequence"
    trigger = find.number(cardiac, "NominalCardiacTriggerDelayTime")
    temporal = find.number(content, "TemporalPositionIndex")
    moment = values.moment_of_datetime(find.text(content, "FrameAcquisitionDateTime").encode("ascii", "ignore"))
    echo = find.number("MREchoSequence", "EffectiveEchoTime")
    return {
        "trigger": common["trigger"] if trigger is None else trigger,
        "temporal": common["temporal"] if temporal is None else int(temporal),
        "rr": find.number(cardiac, "RRIntervalTimeNominal") or common["rr"],
        "acquired": common["acquired"] if moment is None else moment,
        "echo": common["echo"] if echo is None else echo,
        "instance_number": number + 1,
    }


class _Finder:
    """Attributes of functional groups, in the first group that has them."""

    def __init__(self, groups: list[Dataset]) -> None:
        self._groups = groups

    def numbers(self, sequence: str, name: str) -> tuple[float, ...]:
        """All values of an attribute, empty unless they are finite numbers."""
        for value in self._values(sequence, name):
            try:
                many = tuple(float(one) for one in (value if _is_many(value) else [value]))
            except (TypeError, ValueError):
                continue
            if many and all(map(values.is_sane, many)):
                return many
        return ()

    def number(self, sequence: str, name: str) -> float | None:
        """The first value."""
        many = self.numbers(sequence, name)
        return many[0] if many else None

    def words(self, sequence: str, name: str) -> tuple[str, ...]:
        """Values of a CS attribute, in capitals."""
        for value in self._values(sequence, name):
            return tuple(str(one).upper() for one in (value if _is_many(value) else [value]))
        return ()

    def text(self, sequence: str, name: str) -> str:
        """The value as text."""
        return next((str(value).upper() for value in self._values(sequence, name)), "")

    def _values(self, sequence: str, name: str) -> Iterator[Any]:
        for group in self._groups:
            for item in _items(group, sequence)[:1]:
                value = getattr(item, name, None)
                if value is not None and value != "":
                    yield value


def _items(dataset: Dataset, name: str) -> list[Dataset]:
    sequence = getattr(dataset, name, None)
    return list(sequence) if isinstance(sequence, pydicom.Sequence) else []


def _is_many(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__")
