"""What the tests of studies share with those of ``calid.dicom``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))  # for its scanner
