"""Reconstruct a folder of cases inside Slicer, without a window.

    Slicer --no-main-window --python-script docs/batch_in_slicer.py IN OUT --spacing 2

``IN`` holds stacks (.nrrd, .nii.gz, .nii, .mha) and cines (.seq.nrrd). For each, ``OUT`` gets a file of the same name,
and ``report.csv`` a line that says "done" or what was wrong: read it rather than the exit code, which Slicer's launcher
does not always hand on. A case that fails does not stop the others.
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
            outcome = reconstruct(path, options.output / path.name, options.spacing)
            failed += outcome != "done"
            report.writerow([path.name, outcome])
            file.flush()
    return failed


def reconstruct(path: Path, target: Path, spacing: float) -> str:
    """Reconstruct one file into another; returns "done" or what was wrong."""
    from CaLIDSlicer import CaLIDSlicerLogic  # here: Slicer knows its modules when a script is run, not before

    isCine = path.name.endswith(".seq.nrrd")
    try:
        node = slicer.util.loadSequence(str(path)) if isCine else slicer.util.loadVolume(str(path))
        job = CaLIDSlicerLogic().start(node, spacing)
        volume = job.wait()
        if not slicer.util.saveNode(job.sequence if isCine else volume, str(target)):
            return f"{target} cannot be written"
    except (CalidError, RuntimeError) as error:  # RuntimeError: Slicer cannot load the file
        return " ".join(str(error).split())
    finally:
        slicer.mrmlScene.Clear()
    return "done"


if __name__ == "__main__":
    slicer.util.exit(main(sys.argv[1:]))
