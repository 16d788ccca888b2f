"""A result on the planes of the long axes of its study, beside these: rows of before, after and really acquired."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from CaLIDSlicerLib.Display import Layout as DisplayLayout
from CaLIDSlicerLib.Display import Showing as Display
from CaLIDSlicerLib.Display.Layout import LONG_AXES_LAYOUTS, LONG_AXIS_VIEWS, inputOf, sliceViews
from CaLIDSlicerLib.Scene.LongAxes import longAxesOf, nameLongAxes


def show(volume) -> bool:
    showing = Display.showLongAxes(volume)
    showing.finish()
    return Display.shownOf(volume).longAxes


@pytest.fixture
def held(makeDense, makeVolume):
    """A dense volume and some long axes of its input, across it through its middle."""

    def make(count: int):
        dense = makeDense()
        sparse = inputOf(dense)
        stack = slicer.util.arrayFromVTKMatrix(_matrixOf(sparse))
        longAxes = []
        for number in range(count):
            affine = np.eye(4)
            turn = np.radians(60 * number)
            across = np.cos(turn) * stack[:3, 0] / 4 + np.sin(turn) * stack[:3, 1] / 4
            through = stack[:3, 2] / 8
            affine[:3, :3] = np.column_stack([2 * across, 2 * through, 6 * np.cross(across, through)])
            affine[:3, 3] = (stack @ [23.5, 19.5, 1.5, 1])[:3] - affine[:3, :2] @ [31.5, 23.5]
            voxels = np.arange(48 * 64, dtype=np.int16).reshape(1, 48, 64)
            longAxes.append(makeVolume(voxels, affine, name=f"LAX {number}"))
        nameLongAxes(sparse, longAxes)
        return dense, sparse, longAxes

    return make


def _matrixOf(volume):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (2, 2), (5, 3)])
def test_each_has_a_row_of_before_after_and_acquired(views, held, scene, count, rows):
    dense, sparse, longAxes = held(count)
    assert longAxesOf(dense) == longAxes
    assert show(dense)
    assert DisplayLayout.arrangement(scene) == LONG_AXES_LAYOUTS[rows - 1]
    for names, longAxis in zip(LONG_AXIS_VIEWS[:rows], longAxes, strict=False):
        shown = [view.layers.GetBackgroundVolumeID() for view in sliceViews(scene, names)]
        assert shown == [sparse.GetID(), dense.GetID(), longAxis.GetID()]


def test_all_look_where_the_long_axis_was_acquired_at_one_scale(views, held, scene):
    dense, _sparse, longAxes = held(2)
    show(dense)
    for names, longAxis in zip(LONG_AXIS_VIEWS, longAxes, strict=False):
        affine = slicer.util.arrayFromVTKMatrix(_matrixOf(longAxis))
        for view in sliceViews(scene, names):
            plane = slicer.util.arrayFromVTKMatrix(view.plane.GetSliceToRAS())
            across, down = (affine[:3, n] / np.linalg.norm(affine[:3, n]) for n in range(2))
            np.testing.assert_allclose(plane[:3, :2], np.column_stack([across, -down]), atol=1e-6)
            away = (plane[:3, 3] - affine[:3, 3]) @ plane[:3, 2]
            assert abs(away) < 1e-6
    scales = {
        round(view.plane.GetFieldOfView()[0] / view.plane.GetDimensions()[0], 6)
        for names in LONG_AXIS_VIEWS[:2]
        for view in sliceViews(scene, names)
    }
    assert len(scales) == 1


def test_the_views_of_a_row_move_together(views, held, scene):
    dense, *_ = held(2)
    show(dense)
    first, second = (sliceViews(scene, names) for names in LONG_AXIS_VIEWS[:2])
    other = second[0].plane.GetSliceToRAS().GetElement(0, 3)
    first[0].plane.GetSliceToRAS().SetElement(0, 3, 77.0)
    first[0].plane.UpdateMatrices()
    assert [view.plane.GetSliceToRAS().GetElement(0, 3) for view in first] == [77.0] * 3
    assert second[0].plane.GetSliceToRAS().GetElement(0, 3) == other


def test_before_and_after_share_a_window_and_the_acquired_has_its_own(views, held):
    dense, sparse, (longAxis,) = held(1)
    show(dense)
    sparse.GetDisplayNode().SetWindowLevel(123, 45)
    assert (dense.GetDisplayNode().GetWindow(), dense.GetDisplayNode().GetLevel()) == (123, 45)
    assert longAxis.GetDisplayNode().GetWindow() != 123


def test_the_way_back_leads_to_what_was_seen_before(views, held, scene):
    dense, *_ = held(1)
    layoutNode = views.layout.GetLayoutNode()
    layoutNode.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    show(dense)
    assert Display.leave()
    assert layoutNode.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    Display.showResult(dense)
    show(dense)
    show(dense)  # while it is shown already
    assert not Display.shownOf(dense).comparison
    assert Display.leave()
    assert Display.shownOf(dense).comparison
    assert Display.leave()
    assert layoutNode.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_a_result_that_goes_gives_the_views_back(views, held, scene):
    dense, *_ = held(1)
    before = views.layout.GetLayoutNode().GetViewArrangement()
    show(dense)
    scene.RemoveNode(dense)
    assert views.layout.GetLayoutNode().GetViewArrangement() == before


def test_without_long_axes_nothing_is_shown(views, held, scene, makeVolume):
    dense, _sparse, (longAxis,) = held(1)
    before = views.layout.GetLayoutNode().GetViewArrangement()
    assert longAxesOf(None) == longAxesOf(makeVolume()) == []
    scene.RemoveNode(longAxis)
    assert longAxesOf(dense) == []
    assert not show(dense)
    assert views.layout.GetLayoutNode().GetViewArrangement() == before
