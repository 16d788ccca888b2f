"""What the panel says of an input: in numbers, with warnings on clear evidence only."""

from __future__ import annotations

import re

import numpy as np
import pytest
import vtk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calid.phantom.beating_heart import make_phantom
from calid.stacks.check import check_stack
from calid.stacks.stack import SliceStack
from CaLIDSlicerLib.Panel.Understanding import describe, understand


@pytest.fixture(scope="module")
def phantom() -> np.ndarray:
    return make_phantom(slices=10, gap=8.0, matrix=(96, 96), pixel=2.4, noise=0.02).sparse.voxels[0]


def warningsOf(voxels: np.ndarray, gaps: np.ndarray | None = None) -> list[str]:
    gaps = np.full(len(voxels) - 1, 8.0) if gaps is None else gaps
    stack = SliceStack(voxels[np.newaxis], np.diag([2.4, 2.4, 1, 1]), np.concatenate([[0], np.cumsum(gaps)]))
    return [str(finding) for finding in check_stack(stack)]


def test_a_still(makeVolume):
    found = understand(makeVolume())
    assert found.text == "4 slices, 8.0 mm apart, 1.4 mm in-plane"
    assert (found.phases, found.warnings, found.error) == (1, [], None)
    assert found.stack.voxels.shape == (1, 4, 40, 48)


def test_a_cine(makeCine):
    cine = makeCine()
    for node in (cine.proxy, cine.sequence, cine.browser):
        found = understand(node)
        assert found.text == "4 slices, 8.0 mm apart, 3 phases, 1.4 mm in-plane"
        assert found.phases == 3
        np.testing.assert_array_equal(found.stack.voxels, cine.voxels[:1])


def test_pixels_that_are_not_square(makeVolume):
    found = understand(makeVolume(ijkToRas=np.diag([1.2, 1.5, 8.0, 1.0])))
    assert found.text == "4 slices, 8.0 mm apart, 1.5 x 1.2 mm in-plane"


def test_what_cannot_be_used_is_an_error_and_no_exception(makeCine, scene):
    cine = makeCine()
    cine.sequence.GetNthDataNode(2).SetOrigin(9, 0, 0)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    for node, said in ((None, "nothing"), (transform, "LinearTransform"), (cine.proxy, "phase 3 is up to 9 mm away")):
        found = understand(node)
        assert said in found.error
        assert (found.text, found.phases, found.stack) == ("", 0, None)


def test_too_many_phases_are_a_warning(makeCine):
    voxels = np.random.default_rng(0).integers(0, 9, (201, 3, 4, 4)).astype(np.int16)
    found = understand(makeCine(voxels, values=[str(number) for number in range(201)]).proxy)
    assert "201 phases; only the current one" in found.warnings[-1]
    assert found.error is None


def test_a_missing_slice_shows_in_the_transform_that_slicer_loads_with_the_series(makeVolume, scene):
    """The slices are at 0, 8, 24 and 32 mm: even ones 32 / 3 mm apart in the volume, moved by a grid transform."""
    volume = makeVolume(ijkToRas=np.diag([1.4, 1.4, 32 / 3, 1.0]))
    grid = vtk.vtkImageData()
    grid.SetDimensions(2, 2, 4)
    grid.SetOrigin(-10, -10, 0)
    grid.SetSpacing(200, 200, 32 / 3)
    grid.AllocateScalars(vtk.VTK_DOUBLE, 3)
    for k, place in enumerate((0, 8, 24, 32)):
        for j, i in np.ndindex(2, 2):
            for axis, move in enumerate((0, 0, place - 32 / 3 * k)):
                grid.SetScalarComponentFromDouble(i, j, k, axis, move)
    warp = vtk.vtkGridTransform()
    warp.SetDisplacementGridData(grid)
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode", "SAX acquisition transform")
    transform.SetAndObserveTransformToParent(warp)
    volume.SetAndObserveTransformNodeID(transform.GetID())

    found = understand(volume)
    assert found.text == "4 slices, 8.0 mm apart (one gap of 16 mm), 1.4 mm in-plane"
    assert found.warnings[0] == "A slice seems to be missing between slices 2 and 3, which are 16 mm apart."
    assert found.warnings[-1] == (
        '"SAX acquisition transform" moves the slices apart after they are filled in: in the widest gap the new ones '
        "are 50 % further apart than asked for."
    )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gap=st.floats(3, 15), angle=st.floats(-180, 180))
def test_a_turned_stack_reads_the_same(makeVolume, scene, gap, angle):
    volume = makeVolume(ijkToRas=np.diag([1.4, 1.4, gap, 1.0]))
    turn = vtk.vtkTransform()
    turn.RotateWXYZ(angle, 1, 2, 3)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(turn.GetMatrix())
    volume.SetAndObserveTransformNodeID(transform.GetID())
    found = understand(volume)
    assert found.text == f"4 slices, {gap:.1f} mm apart, 1.4 mm in-plane"
    assert found.warnings == []


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        ([8, 8, 8, 16], " (one gap of 16 mm)"),
        ([8, 8, 8, 16, 16], " (2 gaps of 16 mm)"),
        ([8, 8, 8, 16, 12], " (one gap of 16 mm, one gap of 12 mm)"),
        ([8, 8.1, 7.9], ""),
    ],
)
def test_gaps_that_differ_are_named(makeVolume, gaps, said):
    stack = understand(makeVolume()).stack
    assert f"8.0 mm apart{said}, 30 phases" in describe(stack, np.array(gaps, float), 30)


def test_nothing_is_said_of_a_sound_stack(phantom):
    assert warningsOf(phantom) == []
    assert warningsOf(phantom[::-1]) == []


def test_a_gap_that_is_no_multiple_is_not_called_a_missing_slice(phantom):
    gaps = np.full(9, 8.0)
    gaps[3] = 12.0
    assert warningsOf(phantom, gaps) == []


def test_a_duplicated_slice(phantom):
    doubled = phantom.copy()
    doubled[4] = doubled[3]
    assert "Slices 4 and 5 are the same image." in warningsOf(doubled)


@pytest.mark.parametrize("shift", [(0, 4), (-3, 3)])
def test_a_slice_shifted_by_another_breath_hold(phantom, shift):
    moved = phantom.copy()
    moved[4] = np.roll(moved[4], shift, (0, 1))
    (said,) = warningsOf(moved)
    size = re.fullmatch(r"Slice 5 seems to be shifted by (\d+) mm in its plane\.", said)
    assert float(size[1]) == pytest.approx(2.4 * np.linalg.norm(shift), abs=2.4)


def test_breath_holds_of_the_phantom_are_seen():
    bad = make_phantom(slices=10, gap=8.0, matrix=(96, 96), pixel=2.4, breath_hold_shift=6.0, seed=0)
    assert any("shifted" in said for said in warningsOf(bad.sparse.voxels[0]))


def test_a_small_shift_is_no_clear_evidence(phantom):
    moved = phantom.copy()
    moved[4] = np.roll(moved[4], 1, 0)
    assert warningsOf(moved) == []


def test_two_slices_in_the_wrong_order(phantom):
    assert "Slices 5 and 6 seem to be in the wrong order." in warningsOf(phantom[[0, 1, 2, 3, 5, 4, 6, 7, 8, 9]])


def test_slices_in_no_order(phantom):
    assert "out of order" in warningsOf(phantom[[0, 5, 1, 6, 2, 7, 3, 8, 4, 9]])[0]
