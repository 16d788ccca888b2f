"""What a study says of its patient that volumes are related to: size, weight, and how fast the heart beat."""

from __future__ import annotations

from statistics import median

import pydicom

from calid.dicom.converted import NIFTI
from calid.dicom.quiet import quiet
from calid.dicom.sources import Opener
from calid.dicom.views import View


def read_patient(view: View) -> dict[str, float | None]:
    """``height_cm`` and ``weight_kg`` (PS3.3, C.7.2.2), as they stand there, and ``rr_ms``, or ``None``.

    The R-R interval is the median over the slices, each of which had a breath-hold of its own. NIfTI of a converter has
    no R-R interval, and its time step need not be one.
    """
    first = view.slices[0].first
    nothing: dict[str, float | None] = {"height_cm": None, "weight_kg": None, "rr_ms": None}
    if first.syntax == NIFTI:
        return nothing
    cycles = [each.timing.cycle for each in view.slices if each.timing.cycle is not None]
    rr = float(median(cycles)) if cycles else None
    try:
        with quiet(), Opener() as opener, opener.open(first.source) as file:
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["PatientSize", "PatientWeight"])
            metres, weight = (_number(header.get(name)) for name in ("PatientSize", "PatientWeight"))
    except (OSError, ValueError, pydicom.errors.InvalidDicomError):  # it was there a moment ago: measured without
        return nothing | {"rr_ms": rr}
    return {"height_cm": None if metres is None else 100 * metres, "weight_kg": weight, "rr_ms": rr}


def _number(value: object) -> float | None:
    """A decimal string; archives blank it, or fill in 0."""
    try:
        return float(str(value)) or None
    except ValueError:
        return None
