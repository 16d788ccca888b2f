"""The views of a result, on the real layout, slice and volume rendering logics: layers, planes, window, playback."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import slicer

from CaLIDSlicerLib.Display import Layout as DisplayLayout
from CaLIDSlicerLib.Display import Showing as Display
from CaLIDSlicerLib.Display.Geometry import planesOf, towardsApex, worldMatrix
from CaLIDSlicerLib.Display.Heart import heartOf
from CaLIDSlicerLib.Display.Layout import DENSE_VIEWS, SPARSE_VIEWS, sliceViews


def layers(scene, names):
    return [view.layers for view in sliceViews(scene, names)]


def planesThroughHeart(volume):
    return planesOf(volume, heartOf(volume))


def matrixOf(sliceNode) -> np.ndarray:
    return slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())


def test_sparse_is_above_dense_in_a_layout_of_its_own(views, makeDense, scene):
    dense = makeDense()
    sparse = dense.GetNodeReference("CaLID.input")
    assert Display.showResult(dense)
    assert views.layout.GetLayoutNode().GetViewArrangement() == DisplayLayout.COMPARISON_LAYOUT
    assert [view.GetBackgroundVolumeID() for view in layers(scene, SPARSE_VIEWS)] == [sparse.GetID()] * 3
    assert [view.GetForegroundVolumeID() for view in layers(scene, SPARSE_VIEWS)] == [None] * 3
    assert [view.GetBackgroundVolumeID() for view in layers(scene, DENSE_VIEWS)] == [dense.GetID()] * 3
    assert {view.GetForegroundOpacity() for view in layers(scene, DENSE_VIEWS)} == {0.0}


def test_the_layout_is_registered_once_and_comes_back_after_another(views, makeDense):
    dense, layoutNode = makeDense(), views.layout.GetLayoutNode()
    Display.showResult(dense)
    layouts = list(layoutNode.GetLayoutIndices())
    layoutNode.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    Display.showResult(dense)
    assert list(layoutNode.GetLayoutIndices()) == layouts
    assert layoutNode.GetViewArrangement() == DisplayLayout.COMPARISON_LAYOUT


def test_an_arrangement_restored_before_its_layout_was_known_gets_its_views(views, scene):
    """So it is for a scene that was saved with it, and at the start of an application that restores its window."""
    layoutNode = views.layout.GetLayoutNode()
    layoutNode.SetViewArrangement(DisplayLayout.COMPARISON_LAYOUT)
    assert sliceViews(scene, DENSE_VIEWS) == []
    assert DisplayLayout.registerLayouts(scene)
    assert len(sliceViews(scene, DENSE_VIEWS)) == 3
    assert layoutNode.IsLayoutDescription(DisplayLayout.SELF_CHECK_LAYOUT)


def test_views_that_the_toolbar_brings_up_are_in_groups_of_their_own(views, scene):
    Display.begin(scene)
    try:
        assert DisplayLayout.registerLayouts(scene)
        scene.GetFirstNodeByClass("vtkMRMLLayoutNode").SetViewArrangement(DisplayLayout.COMPARISON_LAYOUT)
        rows = [[view.plane.GetViewGroup() for view in sliceViews(scene, row)] for row in (SPARSE_VIEWS, DENSE_VIEWS)]
        assert [len(set(row)) for row in rows] == [1, 1]
        assert not set(rows[0]) & set(rows[1])
    finally:
        Display.end()


def test_registering_the_layouts_leaves_the_users_own_alone(views, scene):
    layoutNode = views.layout.GetLayoutNode()
    before = layoutNode.GetViewArrangement()
    DisplayLayout.registerLayouts(scene)
    assert layoutNode.GetViewArrangement() == before
    assert sliceViews(scene, DENSE_VIEWS) == []


def test_the_way_back_leads_to_the_users_own_layout(views, makeDense, scene):
    layoutNode = views.layout.GetLayoutNode()
    layoutNode.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert not Display.leave()
    dense = makeDense()
    Display.showResult(dense)
    Display.showResult(dense)  # while it is shown already
    assert Display.shownOf(dense).comparison
    assert Display.leave()
    assert layoutNode.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    assert not Display.shownOf(dense).comparison


def test_a_layout_that_was_chosen_meanwhile_is_kept(views, makeDense):
    before = Display.remember()
    Display.showResult(makeDense())
    layoutNode = views.layout.GetLayoutNode()
    layoutNode.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert not Display.putBack(before)
    assert not Display.leave()
    assert layoutNode.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_views_look_along_the_axes_of_the_volume_and_through_its_middle_gap(views, makeDense, scene):
    dense = makeDense()
    sparse = dense.GetNodeReference("CaLID.input")
    Display.showResult(dense)
    axes = worldMatrix(sparse)[:3, :3] / np.linalg.norm(worldMatrix(sparse)[:3, :3], axis=0)
    centre = worldMatrix(sparse) @ [23.5, 19.5, 1.5, 1]
    for names in (SPARSE_VIEWS, DENSE_VIEWS):
        for view, axis in zip(sliceViews(scene, names), (2, 1, 0), strict=True):
            matrix = matrixOf(view.plane)
            np.testing.assert_allclose(np.abs(matrix[:3, 2] @ axes), np.eye(3)[axis], atol=1e-3)
            np.testing.assert_allclose(matrix[:3, 3], centre[:3], atol=1e-4)
    scales = {view.plane.GetFieldOfView()[0] / view.plane.GetDimensions()[0] for view in sliceViews(scene, DENSE_VIEWS)}
    assert len({round(scale, 6) for scale in scales}) == 1


def test_left_is_on_the_right_the_front_is_up_and_the_apex_is_up(makeDense):
    short, rows, columns = planesThroughHeart(makeDense().GetNodeReference("CaLID.input"))
    assert short[0, 0] < 0
    assert short[1, 1] + short[2, 1] > 0
    for plane in (rows, columns):
        assert plane[:3, 1] @ (-1, 1, -1) > 0


@pytest.mark.parametrize("flipped", [False, True])
def test_a_flipped_stack_is_shown_the_same_way_up(makeVolume, flipped):
    volume = makeVolume(ijkToRas=np.diag([-1.4, 1.4, -8.0, 1.0]) @ np.diag([1, 1, -1 if flipped else 1, 1]))
    short, rows, _ = planesThroughHeart(volume)
    np.testing.assert_allclose(short[:3, 0], [-1, 0, 0])
    np.testing.assert_allclose(short[:3, 1], [0, 1, 0])
    np.testing.assert_allclose(rows[:3, 1], [0, 0, -1])
    assert towardsApex(volume) != flipped


def test_a_parent_transform_is_followed(makeVolume, scene):
    volume = makeVolume()
    before = planesThroughHeart(volume)[0]
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn = np.array([[0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1.0]])
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(turn))
    volume.SetAndObserveTransformNodeID(transform.GetID())
    np.testing.assert_allclose(planesThroughHeart(volume)[0][:3, 3], (turn @ before)[:3, 3])


def test_rows_scroll_and_zoom_together(views, makeDense, scene):
    Display.showResult(makeDense())
    (sparse, *_), (dense, *_) = (sliceViews(scene, names) for names in (SPARSE_VIEWS, DENSE_VIEWS))
    logic = next(logic for logic in views.logics if logic.GetSliceNode().GetLayoutName() == SPARSE_VIEWS[0])
    logic.StartSliceNodeInteraction(slicer.vtkMRMLSliceNode.SliceToRASFlag)
    sparse.plane.SetSliceOffset(sparse.plane.GetSliceOffset() + 3)
    logic.EndSliceNodeInteraction()
    np.testing.assert_allclose(matrixOf(dense.plane), matrixOf(sparse.plane), atol=1e-6)


def test_window_and_level_stay_shared(views, makeDense):
    dense = makeDense()
    first, second = dense.GetNodeReference("CaLID.input").GetDisplayNode(), dense.GetDisplayNode()
    first.AutoWindowLevelOff()
    first.SetWindowLevel(300, 120)
    Display.showResult(dense)
    assert (second.GetWindow(), second.GetLevel()) == (300, 120)
    second.SetWindowLevel(250, 90)
    assert (first.GetWindow(), first.GetLevel()) == (250, 90)
    first.SetWindowLevel(400, 200)
    assert (second.GetWindow(), second.GetLevel()) == (400, 200)


def test_an_automatic_window_is_kept_and_shared(views, makeDense):
    dense = makeDense()
    first = dense.GetNodeReference("CaLID.input").GetDisplayNode()
    first.SetWindowLevel(300, 120)
    first.AutoWindowLevelOn()
    first.SetWindowLevel(310, 130)
    Display.showResult(dense)
    assert not first.GetAutoWindowLevel()
    assert first.GetWindow() == dense.GetDisplayNode().GetWindow() > 0


def test_fading(views, makeDense, scene):
    dense = makeDense()
    Display.showResult(dense)
    assert Display.showBeforeAfter(dense, 0.25)
    sparse = dense.GetNodeReference("CaLID.input")
    assert {view.GetForegroundVolumeID() for view in layers(scene, DENSE_VIEWS)} == {sparse.GetID()}
    assert {view.GetForegroundOpacity() for view in layers(scene, DENSE_VIEWS)} == {0.75}


def test_uncertainty_is_a_colour_overlay_with_a_legend(views, makeDense, scene):
    logic = slicer.vtkSlicerColorLogic()
    logic.SetMRMLScene(scene)
    dense = makeDense()
    spread = dense.GetNodeReference("CaLID.uncertainty")
    slicer.util.arrayFromVolume(spread)[1] = 4.0
    Display.showResult(dense)

    assert Display.showUncertainty(dense, True, logic)
    assert {view.GetForegroundVolumeID() for view in layers(scene, DENSE_VIEWS)} == {spread.GetID()}
    assert {view.GetForegroundVolumeID() for view in layers(scene, SPARSE_VIEWS)} == {None}
    display = spread.GetDisplayNode()
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeFileInferno.txt"
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 4)
    assert display.GetApplyThreshold()
    assert 0.5 < display.GetLowerThreshold() < 4 <= display.GetUpperThreshold()
    legend = logic.GetColorLegendDisplayNode(spread)
    assert legend.GetVisibility()
    assert "Uncertainty" in legend.GetTitleText()

    assert Display.showUncertainty(dense, False, logic)
    assert {view.GetForegroundVolumeID() for view in layers(scene, DENSE_VIEWS)} == {None}  # else each view names it
    assert {view.GetForegroundOpacity() for view in layers(scene, DENSE_VIEWS)} == {0.0}
    assert not legend.GetVisibility()


@pytest.mark.parametrize(("high", "expected"), [(300.0, "%.0f"), (4.0, "%.1f"), (0.03, "%.3f")])
def test_the_legend_has_the_digits_that_the_intensities_need(views, makeDense, scene, high, expected):
    logic = slicer.vtkSlicerColorLogic()
    logic.SetMRMLScene(scene)
    dense = makeDense()
    spread = dense.GetNodeReference("CaLID.uncertainty")
    slicer.util.arrayFromVolume(spread)[:] = high
    Display.showUncertainty(dense, True, logic)
    assert logic.GetColorLegendDisplayNode(spread).GetLabelFormat() == expected


def test_synthesised_slices_are_marked_where_slices_are_seen_from_the_side(views, makeDense, scene):
    dense = makeDense()
    mask = dense.GetNodeReference("CaLID.synthesised")
    Display.showResult(dense)
    assert Display.showSynthesised(dense)
    marked = [view.GetLabelVolumeID() for view in layers(scene, DENSE_VIEWS)]
    assert marked == [None, mask.GetID(), mask.GetID()]
    assert Display.showSynthesised(dense, False)
    assert [view.GetLabelVolumeID() for view in layers(scene, DENSE_VIEWS)] == [None] * 3


def test_overlays_follow_the_volume_into_the_users_own_layout(views, makeDense, scene):
    dense = makeDense()
    red = layers(scene, ["Red"])[0]
    red.SetBackgroundVolumeID(dense.GetID())
    assert Display.showSynthesised(dense)
    assert red.GetLabelVolumeID() == dense.GetNodeReferenceID("CaLID.synthesised")


def test_what_a_volume_does_not_have_is_not_shown(views, makeVolume, scene):
    plain = makeVolume()
    assert Display.showResult(plain)
    assert [view.GetBackgroundVolumeID() for view in layers(scene, SPARSE_VIEWS)] == [None] * 3
    assert not Display.showBeforeAfter(plain, 0.5)
    assert not Display.showUncertainty(plain)
    assert not Display.showSynthesised(plain)


def test_a_cine_that_no_volume_shows_leaves_its_row_empty(views, makeDense, scene):
    dense, sequence = makeDense(), scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    dense.SetNodeReferenceID("CaLID.input", sequence.GetID())
    assert Display.showResult(dense)
    assert [view.GetBackgroundVolumeID() for view in layers(scene, SPARSE_VIEWS)] == [None] * 3
    assert not Display.showBeforeAfter(dense, 0.5)


def test_a_self_check_is_shown_with_its_worst_slice_plot_and_table(views, makeVolume, scene):
    pictures = [makeVolume(np.full((1, 20, 24), n, np.int16), name=str(n)) for n in range(3)]
    table, plot = (scene.AddNewNodeByClass(f"vtkMRML{kind}Node") for kind in ("Table", "PlotChart"))
    report = SimpleNamespace(table=table, plot=plot, picture=tuple(pictures), slices=[])
    assert Display.showReport(report)
    assert views.layout.GetLayoutNode().GetViewArrangement() == DisplayLayout.SELF_CHECK_LAYOUT
    shown = sliceViews(scene, DisplayLayout.PICTURE_VIEWS)
    assert [view.layers.GetBackgroundVolumeID() for view in shown] == [picture.GetID() for picture in pictures]
    for view in shown:
        np.testing.assert_allclose(matrixOf(view.plane)[:3, 3], worldMatrix(pictures[0])[:3] @ [11.5, 9.5, 0, 1])
    plotView = scene.GetSingletonNode(DisplayLayout.PLOT_VIEW, "vtkMRMLPlotViewNode")
    tableView = scene.GetSingletonNode(DisplayLayout.TABLE_VIEW, "vtkMRMLTableViewNode")
    assert (plotView.GetPlotChartNodeID(), tableView.GetTableNodeID()) == (plot.GetID(), table.GetID())


def test_a_self_check_whose_nodes_were_deleted_is_not_shown(views, makeVolume, scene):
    table, plot = (scene.AddNewNodeByClass(f"vtkMRML{kind}Node") for kind in ("Table", "PlotChart"))
    scene.RemoveNode(table)
    scene.RemoveNode(plot)
    assert not Display.showReport(SimpleNamespace(table=table, plot=plot, picture=()))


def test_a_layout_without_views_is_no_obstacle(makeDense, scene):
    scene.AddNewNodeByClass("vtkMRMLLayoutNode")  # as in a saved scene that is opened with --no-main-window
    assert not Display.showResult(makeDense())


def test_without_views_nothing_is_shown_and_nothing_fails(makeDense, scene):
    dense = makeDense()
    before = scene.GetNumberOfNodes()
    shown = [
        Display.showResult(dense),
        Display.showBeforeAfter(dense, 0.5),
        Display.showUncertainty(dense),
        Display.showSynthesised(dense),
        Display.showVolumeRendering(dense),
        Display.play(dense),
        Display.leave(),
    ]
    assert not any(shown)
    assert scene.GetNumberOfNodes() == before


def test_at_its_end_it_lets_go_of_the_window(views, makeDense):
    dense = makeDense()
    Display.showResult(dense)
    Display.end()
    sparse = dense.GetNodeReference("CaLID.input")
    dense.GetDisplayNode().SetWindowLevel(777, 333)
    assert sparse.GetDisplayNode().GetWindow() != 777


def test_a_result_that_goes_while_the_views_settle_is_no_obstacle(views, makeDense, scene, monkeypatch):
    dense = makeDense()
    monkeypatch.setattr(Display, "settleViews", lambda: scene.RemoveNode(dense))  # a click on Cancel
    assert not Display.showResult(dense)
    assert not Display.showResult(dense)
