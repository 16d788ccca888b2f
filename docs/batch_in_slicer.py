"""Reconstruct a folder of cases inside Slicer, without a window.

    Slicer --no-main-window --python-script docs/batch_in_slicer.py IN OUT --spacing 2

``IN`` holds stacks (.nrrd, .nii.gz, .nii, .mha) and cines (.seq.nrrd, and 4D .nii.gz where this Slicer reads them). For
each, ``OUT`` gets a file of the same name, for a cine with the ending .seq.nrrd, and ``report.csv`` a line that says
"done" or what was wrong: read it rather than the exit code, which Slicer's launcher does not always hand on. A case
that fails does not stop the others.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import slicer

from calid.errors import CalidError

ENDINGS = (".nrrd", ".nii.gz", ".nii", ".mha")


def main(arguments: list[str]) -> int:
    """Reconstruct every case; returns how many failed."""
    parser = argparse.ArgumentParser(description="Reconstruct a folder of short-axis stacks and cines.")
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--spacing", type=float, default=2.0, help="largest distance between slices in mm")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    cases = sorted(path for path in options.input.iterdir() if path.name.endswith(ENDINGS))
    failed = 0
    with (options.output / "report.csv").open("w", newline="", encoding="utf-8") as file:
        report = csv.writer(file)
        for path in cases:
            outcome = reconstruct(path, options.output, options.spacing)
            failed += outcome != "done"
            report.writerow([path.name, outcome])
            file.flush()
    return failed


def reconstruct(path: Path, folder: Path, spacing: float) -> str:
    """Reconstruct one file into a folder; returns "done" or what was wrong."""
    from CaLIDSlicer import CaLIDSlicerLogic  # here: Slicer knows its modules when a script is run, not before

    try:
        if isCine(path):
            node, target = slicer.util.loadSequence(str(path)), folder / f"{stem(path)}.seq.nrrd"
        else:
            node, target = slicer.util.loadVolume(str(path)), folder / path.name
        job = CaLIDSlicerLogic().start(node, spacing)
        job.wait()
        if not slicer.util.saveNode(job.sequence or job.volume, str(target)):
            return f"{target} cannot be written"
    except (CalidError, RuntimeError) as error:  # RuntimeError: Slicer cannot load the file
        return " ".join(str(error).split())
    finally:
        slicer.mrmlScene.Clear()
    return "done"


def isCine(path: Path) -> bool:
    """Whether a file holds more than one phase: of those Slicer would load the first as a volume, and be silent."""
    import SimpleITK as sitk  # comes with Slicer

    if path.name.endswith(".seq.nrrd"):
        return True
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return any(size > 1 for size in reader.GetSize()[3:])


def stem(path: Path) -> str:
    """The name of a file without its ending, of several parts as it may be."""
    return path.name[: -len(next(ending for ending in (".seq.nrrd", *ENDINGS) if path.name.endswith(ending)))]


def run(arguments: list[str]) -> None:
    """Reconstruct every case, and end Slicer whatever happens: without a window nobody else could."""
    status = 1
    try:
        status = main(arguments)
    finally:
        slicer.util.exit(status)


if __name__ == "__main__":
    run(sys.argv[1:])
