"""A heart is measured by one press: numbers in the panel, outlines, surfaces that beat, and the volumes in a plot."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import slicer
from driving import layoutNode, loadSample, needsModel, panel, parameters, picture, spin, ui, waitForRun
from looking import checkWindow, cutOffInPanel, visibleViews
from obedience import reconstructed, worker
from watching import Silence

SIZES = ("1366x768",)
MEASURES = 27183
FOUR_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def press() -> Any:
    """Press *Measure*, wait for the end, and return the measures."""
    from CaLIDSlicerLib.Scene.Measures import measuresOf

    ui().measureButton.click()
    waitForRun()
    spin(0.5)
    assert measuresOf(parameters().result) is not None, ui().statusLabel.text
    return measuresOf(parameters().result)


def measured(phases: int = 6) -> Any:
    """The measures of a cine, whose labels are rings; nothing plays."""
    loadSample(phases=phases)
    dense = reconstructed()
    with worker():
        measures = press()
    browserOf(dense).SetPlaybackActive(False)
    spin(0.3)
    return measures


def browserOf(volume: Any) -> Any:
    return slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(volume)


def drawnPhases(measures: Any) -> list[int]:
    from CaLIDSlicerLib.Scene.Labels import isDrawn
    from CaLIDSlicerLib.Scene.Measures import labelNodes

    return [number for number, node in enumerate(labelNodes(measures.labels)) if isDrawn(node)]


def test_without_a_result_it_reconstructs_first_and_shows_what_it_measured() -> None:
    needsModel()
    loadSample(phases=3)
    for name, value in {"spacing": 5.0, "steps": 1, "samples": 1, "rr": 900.0}.items():
        setattr(parameters(), name, value)
    spin(0.2)
    ui().measureButton.click()
    spin(lambda: parameters().result is not None, 240)
    waitForRun()
    spin(lambda: layoutNode().GetViewArrangement() == MEASURES, 240)
    measures = press()  # again: the same
    picture("measured")
    assert measures.numbers["lv"]["output_l_min"] > 0
    assert f"{measures.numbers['lv']['ef_percent']:.0f} (" in ui().measuresLabel.text
    checkWindow()
    assert cutOffInPanel() == []


def test_the_page_comes_and_goes_with_its_button() -> None:
    measures = measured()
    checkWindow()
    assert layoutNode().GetViewArrangement() == MEASURES
    assert ui().showMeasuresButton.checked
    assert measures.labels.GetDisplayVisibility()
    assert sum(view.node is not None and view.node.IsA("vtkMRMLSliceNode") for view in visibleViews()) == 3
    assert len(visibleViews()) == 5  # and 3D, and the plot
    ui().beforeAfterButton.click()
    spin(1)
    assert not ui().showMeasuresButton.checked
    assert not measures.labels.GetDisplayVisibility()  # they would lie inside of what is rendered
    ui().showMeasuresButton.click()
    spin(1)
    assert ui().showMeasuresButton.checked
    assert not ui().renderingButton.checked
    ui().showMeasuresButton.click()
    spin(0.3)
    assert not ui().showMeasuresButton.checked
    assert not measures.labels.GetDisplayVisibility()
    assert layoutNode().GetViewArrangement() == FOUR_UP


def test_the_mark_and_the_surfaces_follow_the_phase() -> None:
    measures = measured()
    seen = []
    for number in (1, 4):
        browserOf(parameters().result).SetSelectedItemNumber(number)
        spin(0.3)
        mark, times = (table.GetTable().GetColumn(0) for table in (measures.now, measures.curve))
        assert mark.GetValue(0) == mark.GetValue(1) == times.GetValue(number)
        surface = measures.labels.GetSegmentation().GetSegment("LeftCavity").GetRepresentation("Closed surface")
        seen.append(surface.GetBounds())
    assert seen[0] != seen[1]


def test_what_a_person_draws_counts_and_is_marked() -> None:
    from CaLIDSlicerLib.Scene.Measures import measuresOf

    measures, dense = measured(), parameters().result
    browserOf(dense).SetSelectedItemNumber(2)
    spin(0.3)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(measures.labels, "LeftCavity", dense)
    array[: len(array) // 2] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, measures.labels, "LeftCavity", dense)
    before = measures.numbers["phases"]["lv_ml"]
    assert drawnPhases(measures) == [2]
    assert ui().measureButton.text == "Update"
    with worker():
        measures = press()
    after = measuresOf(dense).numbers["phases"]["lv_ml"]
    assert after[2] == array.sum() < before[2]
    assert after[:2] + after[3:] == before[:2] + before[3:]
    assert "Drawn: [2]" in ui().measureNotesLabel.text
    assert drawnPhases(measures) == [2]
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 1


def test_measures_come_back_with_the_scene_and_go_with_the_folder() -> None:
    from CaLIDSlicerLib.Scene.Measures import measuresOf

    measures, name = measured(), parameters().result.GetName()
    numbers = measures.numbers
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "scene.mrb")
        assert slicer.util.saveScene(file)
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(file)
        spin(1)
    dense = slicer.util.getNode(name)
    assert measuresOf(dense).numbers == numbers
    assert drawnPhases(measuresOf(dense)) == []
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    hierarchy.RemoveItem(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(dense)))
    spin(0.5)
    for className in ("vtkMRMLSegmentationNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode"):
        assert slicer.util.getNodesByClass(className) == [], className


def test_a_cancel_leaves_no_measures() -> None:
    from CaLIDSlicerLib.Scene.Measures import measuresOf

    loadSample(phases=4)
    dense = reconstructed()
    before = slicer.mrmlScene.GetNumberOfNodes()
    with worker("wait", 2):
        ui().measureButton.click()
        spin(lambda: panel().run.fraction > 0.2, 120)
        spin(0.6)  # a second click comes too soon before
        ui().applyButton.click()
        spin(0.5)
    assert "cancelled" in ui().statusLabel.text
    assert measuresOf(dense) is None
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_the_window_answers_while_thirty_phases_become_surfaces() -> None:
    loadSample(phases=30)
    dense = reconstructed()
    browserOf(dense).SetPlaybackActive(False)
    spin(1)
    with worker(), Silence() as silence:
        press()
    assert silence.cpu < 0.2, f"{silence.cpu:.2f} s"
