"""The real heart of the sample data: small, cited, and voxel for voxel what the scanner wrote."""

from __future__ import annotations

from pathlib import Path

import nrrd
import numpy as np
import pytest

from calid.dicom.study import read_study
from calid.files.reading import read_stack

SAMPLE = Path(__file__).parents[3] / "CaLIDSlicer" / "Resources" / "SampleData" / "SunnybrookCine.seq.nrrd"


@pytest.fixture(scope="module")
def sample():
    return read_stack(SAMPLE)


def test_it_is_a_small_sparse_cine(sample):
    assert SAMPLE.stat().st_size <= 4_000_000
    assert sample.voxels.shape == (20, 12, 114, 118)
    np.testing.assert_allclose(sample.gaps, 10, atol=0.001)
    np.testing.assert_allclose(sample.pixel_spacing, 1.367188, rtol=1e-5)
    np.testing.assert_allclose(np.diff(sample.times), 0.03795, atol=1e-5)


def test_it_says_where_it_is_from():
    header = nrrd.read_header(str(SAMPLE))
    assert header["licence"] == "CC0 1.0"
    assert "Radau" in header["citation"]


def test_it_is_what_the_scanner_wrote(sample, sunnybrook):
    made = read_study(sunnybrook / "SCD0000101").assemble().stack
    np.testing.assert_array_equal(sample.voxels, made.voxels[:, :, 76:190, 72:190])
    corner = made.frame @ [72, 76, 0, 1]
    np.testing.assert_allclose(sample.frame[:, 3], corner, atol=1e-6)
