"""A heart to scan, small enough that hundreds of files take no time."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from calid.phantom.beating_heart import Phantom
from calid.stacks.stack import SliceStack

sys.path.insert(0, str(Path(__file__).parent))  # for the helper files of this folder


@pytest.fixture(scope="session")
def heart() -> SliceStack:
    """Six slices 10 mm apart, eight phases."""
    return Phantom(phases=8, slices=6, gap=10.0, pixel=2.5, matrix=(64, 56), seed=3).sparse


@pytest.fixture(scope="session")
def long_axis(heart: SliceStack) -> SliceStack:
    """A plane across the short axis through its middle, as a stack of two from which one slice is taken."""
    frame = np.eye(4)
    frame[:3, 0], frame[:3, 1], frame[:3, 2] = heart.frame[:3, 2] * 2.5, heart.frame[:3, 1], heart.frame[:3, 0] / 2.5
    frame[:3, 3] = heart.frame[:3, 3]
    return SliceStack(heart.voxels[:, :2], frame, np.array([0.0, 10.0]))


@pytest.fixture(scope="session")
def sunnybrook() -> Path:
    """Real studies of a GE scanner."""
    for above in Path(__file__).parents:
        folder = above / "shared" / "data" / "sunnybrook" / "dicom"
        if folder.is_dir():
            return folder
    pytest.skip("needs shared/data/sunnybrook beside the clone")
