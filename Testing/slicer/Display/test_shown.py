"""What is pressed is what is shown: state read from the scene, and views that come back after any end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import slicer

from CaLIDSlicerLib.Display import Layout as DisplayLayout
from CaLIDSlicerLib.Display import Rendering
from CaLIDSlicerLib.Display import Showing as Display
from CaLIDSlicerLib.Display.Layout import DENSE_VIEWS, SPARSE_VIEWS, sliceViews
from CaLIDSlicerLib.Display.PhaseNote import phaseNote
from CaLIDSlicerLib.Display.Playback import isWhole
from CaLIDSlicerLib.Display.Shown import NOTHING
from CaLIDSlicerLib.Scene.Provenance import INPUT_ROLE, UNCERTAINTY_ROLE

from ..running import nodesOf, runToStall


def layers(scene, names):
    return [view.layers for view in sliceViews(scene, names)]


def backgrounds(scene, names=DENSE_VIEWS):
    return [view.GetBackgroundVolumeID() for view in layers(scene, names)]


def test_a_result_that_goes_leaves_what_was_seen_before_it(views, makeDense, scene):
    """A second result, shown over a first one with its overlays, is cancelled or deleted."""
    first = makeDense()
    Display.showResult(first)
    Display.showUncertainty(first)
    Display.showSynthesised(first)
    before = Display.shownOf(first)
    assert before.uncertainty
    assert before.synthesised
    second = makeDense()
    Display.showResult(second)
    assert Display.shownOf(first) == NOTHING
    scene.RemoveNode(second)
    assert Display.shownOf(first) == before
    assert backgrounds(scene) == [first.GetID()] * 3


def test_a_volume_that_is_loaded_has_no_colours_of_a_result_over_it(views, makeDense, makeVolume, scene):
    dense, other = makeDense(), makeVolume()
    Display.showResult(dense)
    Display.showUncertainty(dense)
    Display.showSynthesised(dense)
    assert Display.shownOf(dense).uncertainty
    for view in layers(scene, DENSE_VIEWS):
        view.SetBackgroundVolumeID(other.GetID())
        assert view.GetForegroundVolumeID() is None
        assert view.GetLabelVolumeID() is None


def test_a_view_may_show_the_input_or_the_uncertainty_below_the_colours(views, makeDense, scene):
    dense = makeDense()
    Display.showResult(dense)
    Display.showUncertainty(dense)
    spread = dense.GetNodeReferenceID(UNCERTAINTY_ROLE)
    for below in (dense.GetNodeReferenceID(INPUT_ROLE), spread, None):
        for view in layers(scene, DENSE_VIEWS):
            view.SetBackgroundVolumeID(below)
            assert view.GetForegroundVolumeID() == spread


def test_a_result_under_a_later_one_can_go_first(views, makeDense, scene):
    layoutNode = views.layout.GetLayoutNode()
    layoutNode.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    first, second = makeDense(), makeDense()
    Display.showResult(first)
    Display.showResult(second)
    scene.RemoveNode(first)
    assert backgrounds(scene) == [second.GetID()] * 3
    scene.RemoveNode(second)
    assert layoutNode.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert backgrounds(scene) == [None] * 3


def test_an_overwritten_result_gives_the_views_back_too(views, makeDense, scene):
    """Its node stays when a run is cancelled, so the run itself says so."""
    dense, layoutNode = makeDense(), views.layout.GetLayoutNode()
    before, arrangement = Display.remember(), layoutNode.GetViewArrangement()
    Display.showResult(dense)
    assert Display.putBack(before)
    assert layoutNode.GetViewArrangement() == arrangement


def test_in_the_users_own_views_the_input_takes_the_place_of_a_result(views, makeDense, scene):
    dense = makeDense()
    Display.begin(scene)
    red = layers(scene, ["Red"])[0]
    red.SetBackgroundVolumeID(dense.GetID())
    red.SetForegroundVolumeID(dense.GetNodeReferenceID("CaLID.uncertainty"))
    sparse = dense.GetNodeReferenceID("CaLID.input")
    scene.RemoveNode(dense)
    assert (red.GetBackgroundVolumeID(), red.GetForegroundVolumeID()) == (sparse, None)


def test_a_volume_chosen_in_one_view_stays_there(views, makeDense, makeVolume, scene):
    dense = makeDense()
    Display.showResult(dense)
    chosen = makeVolume(name="chosen")
    logic = next(logic for logic in views.logics if logic.GetSliceNode().GetLayoutName() == SPARSE_VIEWS[0])
    logic.StartSliceCompositeNodeInteraction(slicer.vtkMRMLSliceCompositeNode.BackgroundVolumeFlag)
    logic.GetSliceCompositeNode().SetBackgroundVolumeID(chosen.GetID())
    logic.EndSliceCompositeNodeInteraction()
    assert backgrounds(scene, SPARSE_VIEWS)[0] == chosen.GetID()
    assert backgrounds(scene) == [dense.GetID()] * 3


def test_a_closed_scene_leaves_our_layouts(views, makeDense, scene):
    layoutNode = views.layout.GetLayoutNode()
    layoutNode.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    Display.showResult(makeDense())
    scene.Clear(0)
    assert [volume or None for volume in backgrounds(scene)] == [None] * 3
    assert layoutNode.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def test_a_layout_that_nobody_came_from_is_left_for_four_views(views, makeDense, scene):
    """As when a scene was saved in it."""
    DisplayLayout.registerLayouts(scene)
    layoutNode = views.layout.GetLayoutNode()
    layoutNode.SetViewArrangement(DisplayLayout.COMPARISON_LAYOUT)
    Display.begin(scene)
    assert Display.leave()
    assert layoutNode.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


@pytest.mark.parametrize("show", [Display.showUncertainty, Display.showSynthesised])
def test_a_button_brings_its_result_up(views, makeDense, show):
    dense, other = makeDense(), makeDense()
    Display.showResult(other)
    assert show(dense)
    shown = Display.shownOf(dense)
    assert shown.comparison
    assert shown.uncertainty or shown.synthesised
    assert Display.shownOf(other) == NOTHING


def test_whoever_changes_the_views_is_heard(views, makeDense, scene):
    dense, heard = makeDense(), []
    Display.showResult(dense)
    layers(scene, DENSE_VIEWS)[1].SetForegroundVolumeID(dense.GetNodeReferenceID("CaLID.input"))
    Display.listen(lambda: heard.append(Display.shownOf(dense)))
    layers(scene, DENSE_VIEWS)[1].SetForegroundOpacity(0.25)
    assert heard[-1].fraction == 0.75
    views.layout.GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    assert not heard[-1].comparison
    assert len(heard) == 2


def test_a_single_phase_says_so_beside_an_input_that_moves_on(views, makeCine, reconstruct, sequencesLogic):
    cine = makeCine()
    cine.browser.SetSelectedItemNumber(1)
    dense = reconstruct(cine.proxy, phases="current").volume
    assert phaseNote(dense) == ""
    cine.browser.SetSelectedItemNumber(2)
    assert phaseNote(dense) == "This is phase 2,\nbefore is phase 3"


def test_a_phase_that_is_missing_is_said_to_be_missing(makeCine, stallingWorker, sequencesLogic):
    cine = makeCine()
    job = runToStall(cine.proxy, stallingWorker)
    job.cancel(keep=True)
    cine.browser.SetSelectedItemNumber(1)
    assert phaseNote(job.volume) == ""
    cine.browser.SetSelectedItemNumber(2)
    assert phaseNote(job.volume) == "Phase 3 of 3:\nnot reconstructed"
    assert not isWhole(job.volume)


def test_what_rendered_a_result_goes_with_it(views, makeDense, scene):
    logic = slicer.vtkSlicerVolumeRenderingLogic()
    logic.SetMRMLScene(scene)
    dense = makeDense()
    Display.begin(scene)
    before = nodesOf(scene)
    assert Rendering.showVolumeRendering(dense, True, logic)
    properties = slicer.util.getNodesByClass("vtkMRMLVolumePropertyNode", scene)
    assert [node.GetName() for node in properties] == ["SAX CaLID look"]
    scene.RemoveNode(dense)
    kinds = ("VolumeProperty", "VolumeRendering", "ROI")
    assert [node for node in nodesOf(scene) - before if any(kind in node for kind in kinds)] == []


@pytest.fixture
def report(views, makeVolume, scene):
    """The nodes of a self-check."""
    table, plot = (scene.AddNewNodeByClass(f"vtkMRML{kind}Node") for kind in ("Table", "PlotChart"))
    return SimpleNamespace(table=table, plot=plot, picture=(makeVolume(name="real"),), slices=[])


def test_a_self_check_is_left_for_what_was_seen_before_it(views, makeDense, report):
    dense = makeDense()
    Display.showResult(dense)
    Display.showUncertainty(dense)
    before = Display.shownOf(dense)
    assert Display.showReport(report)
    assert Display.isReportShown(report)
    assert Display.leave()
    assert Display.shownOf(dense) == before
    assert not Display.isReportShown(report)


def test_a_self_check_that_is_deleted_leaves_no_empty_page(views, report, scene):
    layoutNode = views.layout.GetLayoutNode()
    layoutNode.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    Display.showReport(report)
    scene.RemoveNode(report.plot)
    assert layoutNode.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert not Display.isReportShown(report)


def test_what_the_user_renders_is_not_hidden_with_a_result(views, makeDense, makeVolume, scene):
    logic = slicer.vtkSlicerVolumeRenderingLogic()
    logic.SetMRMLScene(scene)
    dense, own = makeDense(), makeVolume(name="own")
    Display.showResult(dense)
    Display.showVolumeRendering(dense, True, logic)
    rendering = logic.CreateDefaultVolumeRenderingNodes(own)
    rendering.SetVisibility(True)
    Display.leave()
    assert rendering.GetVisibility()
    assert not logic.GetFirstVolumeRenderingDisplayNode(dense).GetVisibility()
