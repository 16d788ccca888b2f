"""What a derived series takes over from the study that it was made of: a white list, attribute by attribute.

Private blocks and all that describes one acquisition stay behind.
"""

from __future__ import annotations

from collections.abc import Sequence

import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from calid.dicom.converted import NIFTI
from calid.dicom.pictures import Picture
from calid.dicom.sources import Opener
from calid.dicom.views import View
from calid.errors import UnusableInput

_PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
_STUDY = (
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "StudyDescription"),
    *("ReferringPhysicianName", "PatientAge", "PatientSize", "PatientWeight"),
)
_EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "InstitutionName", "MagneticFieldStrength")
_SEQUENCE = (
    *("ScanningSequence", "SequenceVariant", "ScanOptions", "MRAcquisitionType", "RepetitionTime", "EchoTime"),
    *("EchoTrainLength", "FlipAngle", "ImagedNucleus", "PatientPosition", "BodyPartExamined"),
)
_OTHERS = ("SpecificCharacterSet", "PositionReferenceIndicator", "AcquisitionDate", "ContentDate")
COPIED = (*_PATIENT, *_STUDY, *_EQUIPMENT, *_SEQUENCE, *_OTHERS)

_REQUIRED = {
    "PatientName": "",
    "PatientID": "",
    "PatientBirthDate": "",
    "PatientSex": "",
    "StudyDate": "",
    "StudyTime": "",
    "StudyID": "",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "Manufacturer": "",
    "PositionReferenceIndicator": "",
    "ScanningSequence": "RM",
    "SequenceVariant": "NONE",
    "ScanOptions": "",
    "MRAcquisitionType": "2D",
    "EchoTime": None,
    "EchoTrainLength": None,
}
"""Attributes of type 1 and 2 (PS3.3, A.4.3) where the source has none; Enhanced MR keeps some elsewhere."""


def template_of(view: View) -> Dataset:
    """A data set with what all pictures of a derived series share with the study.

    :raises UnusableInput: if the view is not from DICOM, or its first file is not there any more.
    """
    first = view.slices[0].first
    if first.syntax == NIFTI:
        raise UnusableInput(
            f"{first.source.name} is NIfTI, and a DICOM series needs the patient and the study of DICOM files",
            "pass the folder of DICOM files that it was converted from",
        )
    try:
        with Opener() as opener, opener.open(first.source) as file:
            source = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=[Tag(name) for name in COPIED])
    except (OSError, ValueError, pydicom.errors.InvalidDicomError) as error:
        raise UnusableInput(f"{first.source.name} cannot be read any more", "keep the study in its place") from error
    made = Dataset()
    for name in COPIED:
        if name in source:
            made[name] = source[name]
    for name, value in _REQUIRED.items():
        if name not in made:
            setattr(made, name, value)
    made.StudyInstanceUID = made.get("StudyInstanceUID") or generate_uid()
    made.FrameOfReferenceUID = _frame_of_reference([cine.first for cine in view.slices])
    return made


def _frame_of_reference(pictures: Sequence[Picture]) -> str:
    """That of the source, or a new one where an anonymiser gave every picture its own."""
    named = {picture.frame_of_reference for picture in pictures}
    return named.pop() if len(named) == 1 and "" not in named else generate_uid()
