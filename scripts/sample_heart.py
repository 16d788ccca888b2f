"""Make the real heart of the sample data from a study of the Sunnybrook Cardiac Data: cropped, otherwise as acquired.

    python scripts/sample_heart.py SCD0000101

The study is public domain (CC0): https://www.cardiacatlas.org/sunnybrook-cardiac-data
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from calid.dicom.study import read_study
from calid.files.writing import write_stack

SAMPLE = Path(__file__).resolve().parents[1] / "CaLIDSlicer" / "Resources" / "SampleData" / "SunnybrookCine.seq.nrrd"
THICKNESS_MM = 10
ROWS, COLUMNS = slice(76, 190), slice(72, 190)
"""Of SCD0000101, around its heart."""

CITATION = (
    "P. Radau, Y. Lu, K. Connelly, G. Paul, A. Dick, G. Wright: Evaluation framework for algorithms segmenting short "
    "axis cardiac MRI. The MIDAS Journal - Cardiac MR Left Ventricle Segmentation Challenge, 2009"
)
LICENCE = "CC0 1.0"


def main(folder: Path) -> None:
    """Write the sample from the DICOM files of the patient."""
    stack = read_study(folder).assemble().stack
    frame = stack.frame.copy()
    frame[:3, 3] += frame[:3, :2] @ [COLUMNS.start, ROWS.start]
    cropped = replace(stack, voxels=stack.voxels[:, :, ROWS, COLUMNS], frame=frame)
    about = {"citation": CITATION, "licence": LICENCE, "patient": "SCD0000101", "slice_thickness_mm": str(THICKNESS_MM)}
    write_stack(cropped, SAMPLE, about)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
