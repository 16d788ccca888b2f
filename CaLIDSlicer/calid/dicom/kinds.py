"""What a picture shows, as far as its header tells: never by the name of its series."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any


class Kind(Enum):
    """Kinds of pictures; the first two can make a stack."""

    MAGNITUDE = "magnitude"
    DERIVED = "derived from other pictures"
    PHASE = "a phase image, of flow or of the signal"
    MAP = "a map of a quantity"
    LOCALISER = "a localiser"
    MOSAIC = "a mosaic of slices in one picture"
    COLOUR = "a colour picture"
    SCREEN = "a screenshot or a report"
    OTHER_MODALITY = "not MR"

    @property
    def is_usable(self) -> bool:
        """Whether a stack may be made of such pictures."""
        return self in (Kind.MAGNITUDE, Kind.DERIVED)


_PHASE = {"P", "PHASE", "PHASE MAP", "V", "VELOCITY", "VELOCITY MAP", "PCA", "REAL", "IMAGINARY", "R", "I", "R_IR"}
_PHASE |= {"PHASE CONTRAST P", "FLOW_PHASE", "VEL", "PCA_P"}
_MAPS = {"T1", "T2", "T2STAR", "T2_STAR", "T2*", "R2", "R2STAR", "R2_STAR", "ADC", "FA", "ECV", "MOCO_MAP"}
_MAPS |= {"T1 MAP", "T2 MAP", "T1_MAP", "T2_MAP", "T2_STAR MAP", "T2STAR MAP", "R2 MAP", "R2_STAR MAP", "MAP"}
_MOSAICS = {"MOSAIC", "VFRAME"}
_SCREENS = {"SCREEN SAVE", "SCREENSAVE", "REFORMATTED SCREEN", "POSDISP", "CSA REPORT", "REPORT"}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def kind_of(image_type: tuple[str, ...], facts: Mapping[str, Any]) -> Kind:
    """The kind of a picture.

    :param image_type: values of ImageType (0008,0008), or of Frame Type; the third says what the picture is for
        (PS3.3, C.7.6.1.1.2 and C.8.3.1.1.1), the others vary with the vendor.
    :param facts: ``modality``, ``sop_class``, ``samples``, and ``component`` of Enhanced MR.
    """
    values = {value.replace("\x00", "").strip() for value in image_type}
    if facts.get("modality", "MR") not in ("MR", ""):
        return Kind.OTHER_MODALITY
    if str(facts.get("sop_class", "")).startswith(_SECONDARY_CAPTURE) or values & _SCREENS:
        return Kind.SCREEN
    if (facts.get("samples") or 1) > 1:
        return Kind.COLOUR
    if values & _MOSAICS:
        return Kind.MOSAIC
    if "LOCALIZER" in values:
        return Kind.LOCALISER
    if values & _PHASE or facts.get("component", "MAGNITUDE") not in ("MAGNITUDE", "MIXED", ""):
        return Kind.PHASE
    if values & _MAPS:
        return Kind.MAP
    return Kind.DERIVED if image_type and image_type[0] == "DERIVED" else Kind.MAGNITUDE
