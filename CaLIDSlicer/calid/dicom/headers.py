"""What one DICOM file says of its pictures. Only the attributes that are needed are read, as bytes, before the pixels.

Reading bytes is twice as fast as pydicom's values, and free of what it says about the odd UIDs of archives.
"""

from __future__ import annotations

import os
import re
from typing import Any, BinaryIO

from pydicom.errors import InvalidDicomError

from calid.dicom import values
from calid.dicom.elements import BIG_ENDIAN, IMPLICIT, Elements, read_elements
from calid.dicom.multiframe import frames_of, is_multiframe
from calid.dicom.pictures import Picture, picture_of, plane_of
from calid.dicom.sources import LeftOut, Source

_LAST_TAG = 0x00281055
"""Of what is read of a single picture."""

_NAMES = {
    "charset": 0x00080005,
    "image_type": 0x00080008,
    "sop_class": 0x00080016,
    "instance": 0x00080018,
    "series_date": 0x00080021,
    "acquisition_date": 0x00080022,
    "content_date": 0x00080023,
    "acquisition_datetime": 0x0008002A,
    "series_time": 0x00080031,
    "acquisition_time": 0x00080032,
    "content_time": 0x00080033,
    "modality": 0x00080060,
    "description": 0x0008103E,
    "patient_name": 0x00100010,
    "patient_id": 0x00100020,
    "birth_date": 0x00100030,
    "thickness": 0x00180050,
    "echo": 0x00180081,
    "trigger": 0x00181060,
    "nominal_interval": 0x00181062,
    "heart_rate": 0x00181088,
    "phases": 0x00181090,
    "study": 0x0020000D,
    "series": 0x0020000E,
    "series_number": 0x00200011,
    "acquisition_number": 0x00200012,
    "instance_number": 0x00200013,
    "position": 0x00200032,
    "orientation": 0x00200037,
    "frame_of_reference": 0x00200052,
    "temporal": 0x00200100,
    "comments": 0x00204000,
    "trigger_delay": 0x00209153,
    "samples": 0x00280002,
    "frames": 0x00280008,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "spacing": 0x00280030,
    "bits": 0x00280100,
    "intercept": 0x00281052,
    "slope": 0x00281053,
}
_TAGS = frozenset(_NAMES.values())

_PREFIX = b"DICM"
_DIRECTORY = "1.2.840.10008.1.3.10"
_UNCOMPRESSED = (IMPLICIT, "1.2.840.10008.1.2.1", BIG_ENDIAN)
_RR = re.compile(r"RR\s*(\d+)\s*\+/-\s*(\d+)")
"""Of the comments that Siemens writes: "RR 863 +/- 34; 7 heartbeats"."""

_LARGEST_SIDE = 4096

Names = set[str]


def read_pictures(file: BinaryIO, source: Source, names: Names) -> list[Picture] | LeftOut:
    """The pictures of a file, or why it has none that could be used.

    :param names: gathers what patients are called, so that it can be kept out of what is told.
    """
    if file.read(132)[128:] != _PREFIX:
        return LeftOut(source.name, "not DICOM")
    try:
        elements = read_elements(file, _TAGS, _LAST_TAG)
        facts = _Facts(elements)
        _remember(facts, names)
        if (refused := _refusal(facts, file, elements.end)) is not None:
            return LeftOut(source.name, refused)
        if is_multiframe(facts.uid("sop_class"), facts.count("frames")):
            file.seek(0)
            return _or_reason(frames_of(file, _common(facts, source)), source)
        return _or_reason([_picture(facts, source)], source)
    except (InvalidDicomError, EOFError):
        return LeftOut(source.name, "truncated or damaged")
    except Exception as error:  # whatever a parser stumbles over in bytes that anybody may have written
        return LeftOut(source.name, f"damaged ({type(error).__name__})")


class _Facts:
    """A header, by the names above."""

    def __init__(self, elements: Elements) -> None:
        self._values, self.syntax = elements.values, elements.syntax
        self._is_little = self.syntax != BIG_ENDIAN

    def raw(self, name: str) -> bytes | None:
        return self._values.get(_NAMES[name])

    def uid(self, name: str) -> str:
        return values.uid(self.raw(name))

    def text(self, name: str) -> str:
        return values.text(self.raw(name), self.raw("charset"))

    def number(self, name: str) -> float | None:
        return values.number(self.raw(name))

    def numbers(self, name: str) -> tuple[float, ...]:
        return values.numbers(self.raw(name)) or ()

    def count(self, name: str) -> int | None:
        return values.whole(self.raw(name))

    def short(self, name: str) -> int | None:
        return values.short(self.raw(name), self._is_little)

    def trigger(self) -> float | None:
        """Some write 0 as TriggerTime of every phase; NominalCardiacTriggerDelayTime then knows better."""
        time, delay = self.number("trigger"), values.double(self.raw("trigger_delay"), self._is_little)
        return delay if time in (None, 0.0) and delay is not None else time

    def acquired(self) -> float | None:
        stamp = values.moment_of_datetime(self.raw("acquisition_datetime"))
        for kind in ("acquisition", "series"):
            if stamp is None:
                stamp = values.moment(self.raw(f"{kind}_date"), self.raw(f"{kind}_time"))
        return stamp


def _remember(facts: _Facts, names: Names) -> None:
    """Words of three letters and more that name a patient."""
    for name in ("patient_name", "patient_id"):
        names.update(word for word in re.split(r"[\W_^=]+", facts.text(name).lower()) if len(word) > 2)


def _refusal(facts: _Facts, file: BinaryIO, end: int) -> str | None:
    """Why a file can have no picture for a stack; its header was read up to ``end``."""
    if facts.uid("sop_class") == _DIRECTORY or facts.uid("sop_class").startswith("1.2.840.10008.1.3"):
        return "a directory of the medium"
    modality = facts.text("modality").upper()
    if modality not in ("MR", ""):
        return f"not MR but {modality[:16]}"
    rows, columns = facts.short("rows"), facts.short("columns")
    if not rows or not columns or max(rows, columns) > _LARGEST_SIDE:
        return "no picture in it"
    frames, bits = facts.count("frames") or 1, facts.short("bits") or 16
    if facts.syntax in _UNCOMPRESSED and file.seek(0, os.SEEK_END) - end < rows * columns * max(frames, 1) * bits // 8:
        return "truncated: it ends before its picture does"
    return None


def _common(facts: _Facts, source: Source) -> dict[str, Any]:
    """What all frames of a file share."""
    rr, spread = _interval(facts)
    return {
        "source": source,
        "patient": "\n".join(facts.text(name) for name in ("patient_id", "patient_name", "birth_date")),
        "study": facts.uid("study"),
        "series": facts.uid("series"),
        "instance": facts.uid("instance"),
        "description": facts.text("description"),
        "series_number": facts.count("series_number"),
        "acquisition_number": facts.count("acquisition_number"),
        "instance_number": facts.count("instance_number"),
        "acquired": facts.acquired(),
        "written": values.moment(facts.raw("content_date"), facts.raw("content_time")),
        "trigger": facts.trigger(),
        "temporal": facts.count("temporal"),
        "rr": rr,
        "rr_spread": spread,
        "phases": facts.count("phases"),
        "echo": facts.number("echo"),
        "thickness": facts.number("thickness"),
        "slope": facts.number("slope") or 1.0,
        "intercept": facts.number("intercept") or 0.0,
        "syntax": facts.syntax,
        "frame_of_reference": facts.uid("frame_of_reference"),
        "image_type": values.words(facts.raw("image_type")),
        "modality": facts.text("modality").upper(),
        "sop_class": facts.uid("sop_class"),
        "samples": facts.short("samples"),
        "shape": (facts.short("rows"), facts.short("columns")),
        "spacing": facts.numbers("spacing"),
    }


def _interval(facts: _Facts) -> tuple[float | None, float | None]:
    """R-R interval in ms and its standard deviation."""
    found = _RR.search(facts.text("comments"))
    rr, rate = facts.number("nominal_interval"), facts.number("heart_rate")
    if not rr or rr <= 0:
        rr = 60000.0 / rate if rate and rate > 0 else float(found[1]) if found else None
    return rr, float(found[2]) if found else None


def _picture(facts: _Facts, source: Source) -> Picture | str:
    common = _common(facts, source)
    plane = plane_of(facts.numbers("position"), facts.numbers("orientation"), common["spacing"], common["shape"])
    return picture_of(common, plane)


def _or_reason(found: list[Picture | str], source: Source) -> list[Picture] | LeftOut:
    pictures = [each for each in found if isinstance(each, Picture)]
    if pictures:
        return pictures
    return LeftOut(source.name, str(found[0]) if found else "no picture in it", max(len(found), 1))
