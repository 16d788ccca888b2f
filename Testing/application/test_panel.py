"""The panel in the application: nothing cut off, no wider by what it says, and an input that is never a result."""

from __future__ import annotations

import tempfile
from pathlib import Path

import qt
import slicer
from driving import (
    addResult,
    loadSample,
    needsModel,
    panel,
    parameters,
    picture,
    reconstruct,
    spin,
    ui,
    waitForRun,
    widget,
)
from looking import ARROW, cutOffChoices, cutOffInPanel, isInSight, panelWidth

LONG = "Trust its slices no more than interpolated ones, and treat those next to it with caution. " * 6
SIZES = ("1280x720", "1366x768")
SMALL = {"slices": 5, "pixel": 3.0, "matrix": (64, 64)}


def test_no_text_is_cut_off_however_long_it_is():
    from CaLIDSlicerLib.Panel.Labels import say

    loadSample(**SMALL)
    labels = [label for name, label in vars(ui()).items() if name.endswith("Label") and label.wordWrap]
    assert len(labels) > 8
    before = panelWidth()[1]
    for isCollapsed in (True, False):
        ui().advancedSection.collapsed = isCollapsed
        for text in (LONG, "Short.", LONG):
            for label in labels:
                say(label, text)
            assert cutOffInPanel() == []
            assert panelWidth()[1] <= before + 10
    for label in labels:
        say(label, "Short.")
    spin(0.3)
    assert ui().verdictLabel.height < 40
    ui().advancedSection.collapsed = True


def test_what_is_assumed_of_the_slices_can_be_chosen():
    volume = loadSample(**SMALL)
    ui().outputSection.collapsed, ui().advancedSection.collapsed = True, False
    spin(0.3)
    assert whole(ui().thicknessSpinBox) == "Automatic: 6 mm, from the file"
    volume.RemoveAttribute("slice_thickness_mm")
    panel().enter()
    spin(0.3)
    assert whole(ui().thicknessSpinBox) == "Automatic: 8 mm, assumed"
    assert cutOffInPanel() == []
    assert cutOffChoices() == []
    bringIntoView(ui().acquiredComboBox)
    picture("advanced")
    ui().outputSection.collapsed, ui().advancedSection.collapsed = False, True


def test_a_shift_is_taken_back_by_a_tick_and_stays_so_in_a_saved_scene():
    dense = addResult(loadSample(**SMALL))
    before = panelWidth()[1]
    assert not ui().shiftsList.visible
    dense.SetAttribute("CaLID.shifts_mm", "[[0, 0], [3.5, 4.5], [0, 0], [0.9, 1.2], [0, 0]]")
    panel().enter()
    bringIntoView(ui().shiftsList)
    assert isInSight(ui().shiftsList)
    assert shiftRows() == [("Warning: slice 2 by 5.7 mm", True), ("Slice 4 by 1.5 mm", True)]
    clickRow(0)
    spin(0.3)
    assert shiftRows()[0] == ("Warning: slice 2 by 5.7 mm", False)
    assert ui().planLabel.text.endswith("; slice 2 stays in place")
    assert list(parameters().inPlace) == [2]
    assert cutOffInPanel() == []
    assert panelWidth()[1] <= before + 10
    picture("shifts")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "scene.mrb")
        assert slicer.util.saveScene(path)
        slicer.mrmlScene.Clear()
        spin(0.3)
        assert not ui().shiftsList.visible
        assert slicer.util.loadScene(path)
        spin(0.5)
    assert [isTicked for _text, isTicked in shiftRows()] == [False, True]
    assert ui().planLabel.text.endswith("; slice 2 stays in place")


def whole(box) -> str:
    """The text of a spin box, that must have room for it."""
    assert box.fontMetrics().boundingRect(box.text).width() < box.width - ARROW, box.text
    return box.text


def bringIntoView(item) -> None:
    """Scroll the panel to one of its widgets."""
    from CaLIDSlicerLib.Panel.Labels import bringIntoView as scroll

    scroll(item)
    spin(0.3)


def shiftRows() -> list[tuple[str, bool]]:
    """Text and tick of each row of the list of shifts."""
    items = [ui().shiftsList.item(row) for row in range(ui().shiftsList.count)]
    return [(item.text(), item.checkState() == qt.Qt.Checked) for item in items]


def clickRow(row: int) -> None:
    """Click the box of a row of the list of shifts."""
    shown = ui().shiftsList
    place = shown.visualItemRect(shown.item(row))
    at, none = qt.QPointF(place.left() + 9, place.center().y()), qt.Qt.NoModifier
    for kind, down in ((qt.QEvent.MouseButtonPress, qt.Qt.LeftButton), (qt.QEvent.MouseButtonRelease, qt.Qt.NoButton)):
        event = qt.QMouseEvent(kind, at, qt.Qt.LeftButton, down, none)
        qt.QCoreApplication.sendEvent(shown.viewport(), event)


def test_the_verdict_of_a_self_check_is_whole():
    needsModel()
    loadSample(**SMALL)
    ui().selfCheckButton.click()
    assert "done" in waitForRun()
    assert any(f"Slice {number} " in ui().verdictLabel.text for number in (2, 3, 4))
    assert cutOffInPanel() == []
    assert isInSight(ui().verdictLabel), "the verdict is to be scrolled to"
    assert ticksOfPlot() == ["2", "3", "4"]
    table = slicer.app.layoutManager().tableWidget(0).tableView()
    assert table.horizontalHeader().length() <= table.viewport().width, "columns are beyond the edge"


def ticksOfPlot() -> list[str]:
    """What stands below the axis of the slices."""
    import vtk

    manager = slicer.app.layoutManager()
    widgets = [manager.plotWidget(index) for index in range(manager.plotViewCount)]
    (plot,) = (each.plotView() for each in widgets if each.mrmlPlotViewNode().GetLayoutName() == "CaLIDScores")
    labels = plot.chart().GetAxis(vtk.vtkAxis.BOTTOM).GetTickLabels()
    return [labels.GetValue(index) for index in range(labels.GetNumberOfValues())]


def test_an_input_that_is_deleted_is_not_replaced_by_its_result():
    volume = loadSample(**SMALL)
    dense = reconstruct()
    slicer.mrmlScene.RemoveNode(volume)
    spin(0.3)
    assert ui().inputSelector.currentNode() is None
    assert parameters().input is None
    assert dense.GetScene() is slicer.mrmlScene
    panel().enter()
    spin(0.2)
    assert ui().inputSelector.currentNode() is None
    other = loadSample(**SMALL)
    assert ui().inputSelector.currentNode() is other


def test_the_input_cannot_be_the_output():
    volume = loadSample(**SMALL)
    ui().outputSelector.setCurrentNode(volume)
    spin(0.2)
    assert not ui().applyButton.enabled
    assert "which is never overwritten" in ui().planLabel.text
    assert "Create new" in ui().applyButton.toolTip
    ui().outputSelector.setCurrentNode(None)
    spin(0.2)
    assert ui().applyButton.enabled


def test_the_toolbar_acts_on_the_cine_that_is_shown():
    from CaLIDSlicerLib.Scene.SampleData import SampleShape, addCine

    loadSample(phases=3, **SMALL)
    cine = addCine(SampleShape(phases=3, **SMALL))  # as a script adds it, which tells no toolbar
    parameters().input = cine
    dense = reconstruct()
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(dense)
    bars = slicer.util.findChildren(slicer.util.mainWindow(), className="qMRMLSequenceBrowserToolBar")
    assert [bar.activeBrowserNode() for bar in bars if bar.visible] == [browser]


def test_errors_of_the_console_name_what_was_given_and_a_remedy_that_works_there():
    logic, volume = widget().logic, loadSample(**SMALL)
    for node, options, said in (
        ("CaLIDPhantom", {}, 'the text "CaLIDPhantom", not a node'),
        (volume, {"spacing": "2"}, "spacing is '2'"),
        (volume, {"output": volume}, "never overwritten"),
        (volume, {"phases": "first"}, "phases is 'first'"),
    ):
        error = refusal(logic, node, **options)
        assert said in str(error), error
        assert error.remedy, error
        assert "--" not in error.remedy, error.remedy


def refusal(logic, node, **options):
    """Why a run is not started."""
    from calid.errors import UnusableInput

    try:
        logic.start(node, **options).cancel()
    except UnusableInput as error:
        return error
    raise AssertionError(f"{options} was taken")
