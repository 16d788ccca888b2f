"""A heart is measured by one press: numbers in the panel, outlines, surfaces that beat, and the volumes in a plot."""

from __future__ import annotations

import time

import slicer
from driving import (
    layoutNode,
    loadSample,
    panel,
    parameters,
    picture,
    reconstruct,
    spin,
    ui,
    waitForRun,
)
from looking import checkWindow, cutOffInPanel, visibleViews
from watching import Silence

SIZES = ("1366x768",)
MEASURES = 27183


def measured() -> tuple:
    """A dense cine of the phantom and its measures, as the panel's button leaves them."""
    from CaLIDSlicerLib.Scene.Measures import measuresOf

    loadSample(phases=6)
    dense = reconstruct(spacing=5.0)
    ui().measureButton.click()
    waitForRun()
    spin(lambda: layoutNode().GetViewArrangement() == MEASURES)
    spin(1)
    measures = measuresOf(dense)
    assert measures is not None, ui().statusLabel.text
    return dense, measures


def test_one_press_shows_numbers_outlines_surfaces_and_volumes() -> None:
    _dense, measures = measured()
    picture("measured")
    checkWindow()
    assert cutOffInPanel() == []
    assert ui().showMeasuresButton.checked
    assert f"{measures.numbers['lv']['ef_percent']:.0f}" in ui().measuresLabel.text
    assert measures.labels.GetDisplayVisibility()
    assert sum(view.node is not None and view.node.IsA("vtkMRMLSliceNode") for view in visibleViews()) == 3
    assert len(visibleViews()) == 5  # and 3D, and the plot
    assert measures.labels.GetSegmentation().GetSegment("LeftCavity").GetRepresentation("Closed surface")
    ui().showMeasuresButton.click()
    spin(0.3)
    assert not ui().showMeasuresButton.checked
    assert not measures.labels.GetDisplayVisibility()
    assert layoutNode().GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def test_the_mark_and_the_labels_follow_the_phase() -> None:
    dense, measures = measured()
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(dense)
    browser.SetPlaybackActive(False)
    seen = []
    for number in (1, 4):
        browser.SetSelectedItemNumber(number)
        spin(0.3)
        at = measures.now.GetTable().GetColumn(0).GetValue(0)
        assert at == measures.curve.GetTable().GetColumn(0).GetValue(number)
        surface = measures.labels.GetSegmentation().GetSegment("LeftCavity").GetRepresentation("Closed surface")
        seen.append(surface.GetBounds())
    assert seen[0] != seen[1]


def test_what_a_person_draws_counts_and_is_marked() -> None:
    from CaLIDSlicerLib.Scene.Labels import isDrawn
    from CaLIDSlicerLib.Scene.Measures import labelNodes, measuresOf

    dense, measures = measured()
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(dense)
    browser.SetPlaybackActive(False)
    browser.SetSelectedItemNumber(2)
    spin(0.3)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(measures.labels, "LeftCavity", dense)
    array[: len(array) // 2] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, measures.labels, "LeftCavity", dense)
    before = measures.numbers["phases"]["lv_ml"]
    assert [isDrawn(node) for node in labelNodes(measures.labels)] == [False, False, True, False, False, False]
    assert ui().measureButton.text == "Update"
    ui().measureButton.click()
    waitForRun()
    spin(0.5)
    after = measuresOf(dense).numbers["phases"]["lv_ml"]
    assert after[2] < 0.7 * before[2]
    assert after[:2] == before[:2]
    assert after[3:] == before[3:]
    assert "phase 3 were drawn by a person" in ui().measureNotesLabel.text
    kept = [isDrawn(node) for node in labelNodes(measuresOf(dense).labels)]
    assert kept == [False, False, True, False, False, False]
    picture("drawn")


def test_measures_come_back_with_the_scene_and_go_with_the_folder() -> None:
    import tempfile
    from pathlib import Path

    from CaLIDSlicerLib.Scene.Labels import isDrawn
    from CaLIDSlicerLib.Scene.Measures import labelNodes, measuresOf

    dense, measures = measured()
    numbers, name = measures.numbers, dense.GetName()
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "scene.mrb")
        assert slicer.util.saveScene(file)
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(file)
        spin(1)
    dense = slicer.util.getNode(name)
    measures = measuresOf(dense)
    assert measures.numbers == numbers
    assert [isDrawn(node) for node in labelNodes(measures.labels)] == [False] * 6
    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    hierarchy.RemoveItem(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(dense)))
    spin(0.5)
    for className in ("vtkMRMLSegmentationNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode"):
        assert slicer.util.getNodesByClass(className) == [], className


def test_measuring_without_a_result_reconstructs_first() -> None:
    from CaLIDSlicerLib.Scene.Measures import measuresOf

    loadSample(phases=2)
    for name, value in {"spacing": 5.0, "steps": 1, "samples": 1, "rr": 900.0}.items():
        setattr(parameters(), name, value)
    spin(0.2)
    ui().measureButton.click()
    spin(lambda: parameters().result is not None and measuresOf(parameters().result) is not None, 240)
    assert measuresOf(parameters().result).numbers["lv"]["output_l_min"] > 0


def test_a_cancel_leaves_no_measures() -> None:
    from CaLIDSlicerLib.Scene.Measures import measuresOf

    loadSample(phases=4)
    dense = reconstruct(spacing=5.0)
    before = slicer.mrmlScene.GetNumberOfNodes()
    ui().measureButton.click()
    spin(lambda: panel().run.fraction > 0.2, 120)
    ui().applyButton.click()
    spin(0.5)
    assert "cancelled" in ui().statusLabel.text
    assert measuresOf(dense) is None
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_the_window_answers_meanwhile_and_the_heart_beats() -> None:
    """As many phases as a scanner gives, at 10 frames in a second or more; and no call of ours holds the window."""
    loadSample(phases=30)
    dense = reconstruct(spacing=5.0)
    slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(dense).SetPlaybackActive(False)
    spin(1)
    with Silence() as silence:
        ui().measureButton.click()
        waitForRun()
        spin(1)
    print("silence", silence.cpu)
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(dense)
    browser.SetPlaybackActive(False)
    spin(1)
    started, cpu = time.monotonic(), time.thread_time()
    for number in range(30):
        browser.SetSelectedItemNumber(number)
        slicer.app.processEvents()
    raise AssertionError(f"{30 / (time.monotonic() - started):.1f} {30 / (time.thread_time() - cpu):.1f} {silence.cpu}")
