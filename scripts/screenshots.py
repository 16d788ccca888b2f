"""Take the README's screenshots anew: ``make screenshots SLICER=...``.

The application test of the tutorial takes them, inside Slicer; here they are made small, as JPEG: the few
colours of a small PNG would tint grey voxels.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SCREENSHOTS = ROOT / "Resources" / "Screenshots"
TESTS = ROOT / "Testing" / "application"
NAMES = ("start", "run", "comparison", "uncertainty", "measures", "self_check")
QUALITY = 82


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if the tutorial went as the README says, and all pictures were taken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slicer", required=True, metavar="LAUNCHER")
    with tempfile.TemporaryDirectory() as folder:
        options = ["--slicer", parser.parse_args(arguments).slicer, "--pictures", folder]
        command = [sys.executable, str(TESTS / "run.py"), *options, str(TESTS / "test_tutorial.py")]
        status = subprocess.run(command, check=False).returncode
        if status == 0:
            for name in NAMES:
                (taken,) = Path(folder).glob(f"test_tutorial_*_{name}_*.png")
                shrink(taken, SCREENSHOTS / f"{name}.jpg")
    return status


def shrink(taken: Path, kept: Path) -> None:
    """Save a picture as JPEG with all of its colour, and say how large it is."""
    with Image.open(taken) as picture:
        picture.convert("RGB").save(kept, quality=QUALITY, subsampling=0, optimize=True)
        print(f"{kept.relative_to(ROOT)}: {picture.width} x {picture.height}, {kept.stat().st_size // 1024} KB")


if __name__ == "__main__":
    sys.exit(main())
