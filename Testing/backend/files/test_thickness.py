"""How thick slices are survives a file, in any order of its axes, and reaches the reconstruction."""

from __future__ import annotations

from dataclasses import replace

import nrrd
import numpy as np
import pytest

from calid.files.reading import read_stack
from calid.files.writing import lost_in, write_stack
from calid.phantom.beating_heart import Phantom
from calid.stacks.layout import Layout
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import Thickness, choose_thickness


@pytest.fixture(scope="module")
def cine() -> SliceStack:
    made = Phantom(phases=2, slices=4, gap=10.0, pixel=5.0, matrix=(24, 20), seed=3).sparse
    return replace(made, thickness=6.5)


@pytest.mark.parametrize("name", ["a.nrrd", "a.seq.nrrd", "a.mha"])
@pytest.mark.parametrize("phases", [1, 2])
def test_it_comes_back(cine, tmp_path, name, phases):
    stack = cine if phases == 2 else cine.phase(0)
    write_stack(stack, tmp_path / name)
    assert read_stack(tmp_path / name).thickness == 6.5
    assert choose_thickness(read_stack(tmp_path / name)) == Thickness(6.5, "file")


def test_nrrd_has_it_in_its_own_field_and_in_a_key_that_slicer_keeps(cine, tmp_path):
    write_stack(cine, tmp_path / "a.seq.nrrd")
    header = nrrd.read_header(str(tmp_path / "a.seq.nrrd"))
    np.testing.assert_array_equal(header["thicknesses"], [np.nan, np.nan, 6.5, np.nan])
    assert header["slice_thickness_mm"] == "6.5"


def test_it_stays_with_the_axis_of_the_slices(cine, tmp_path):
    """Slices along the first axis of the file."""
    write_stack(replace(cine, order=(1, 2, 0)), tmp_path / "a.nrrd")
    header = nrrd.read_header(str(tmp_path / "a.nrrd"))
    at = int(np.flatnonzero(np.isfinite(header["thicknesses"]))[0])
    assert header["sizes"][at] == 4
    found = read_stack(tmp_path / "a.nrrd")
    assert found.voxels.shape[1] == 4
    assert found.thickness == 6.5


@pytest.mark.parametrize("said", ["", "thick", "-1", "inf", "30.5"])
def test_what_cannot_be_a_thickness_is_not_believed(cine, tmp_path, said):
    write_stack(replace(cine, thickness=None), tmp_path / "a.nrrd", {"slice_thickness_mm": said})
    assert read_stack(tmp_path / "a.nrrd").thickness is None


def test_nifti_says_that_it_is_lost(cine, tmp_path):
    (lost,) = (text for text in lost_in("a.nii.gz", Layout.of(cine)) if "thick" in text)
    assert lost == ".nii.gz cannot hold that the slices are 6.5 mm thick; .nrrd and .mha can"
    assert not [text for text in lost_in("a.nii.gz", Layout.of(replace(cine, thickness=None))) if "thick" in text]


def test_a_dense_stack_does_not_claim_the_thickness_of_the_acquired_slices(cine):
    assert Layout.of(cine, np.arange(13) * 2.5).thickness is None
