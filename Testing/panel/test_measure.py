"""The section "Measure": what its button starts, what it says of the numbers, and where they go."""

from __future__ import annotations

import json

import pytest
import slicer
import vtk
from looking import textOf

NUMBERS = {
    "lv": {"edv_ml": 143.6, "ef_percent": 54.4, "output_l_min": 5.27, "mass_g": 98.6},
    "rv": {"edv_ml": 209.2, "ef_percent": None},
    "intervals": {"lv": {"edv_ml": [128.2, 159.9]}, "rv": {}},
    "phases": {"lv_ml": [143.6], "rv_ml": [209.2], "wall_ml": [90.0]},
    "segments": [{"number": 1, "end_diastole_mm": 8.1, "thickening_percent": None}],
    "notes": ["The base is not below slice 8."],
}


@pytest.fixture
def result(widget, makeResult):
    """A dense volume, chosen in the panel."""
    dense = makeResult(widget.ui.inputSelector.currentNode())
    widget.ui.resultSelector.setCurrentNode(dense)
    return dense


@pytest.fixture
def addMeasures(lib, scene):
    def add(volume) -> None:
        table = scene.AddNewNodeByClass("vtkMRMLTableNode", "measures")
        for name, value in {"measure": "EDV", "value": "143.6"}.items():
            column = vtk.vtkStringArray()
            column.SetName(name)
            column.InsertNextValue(value)
            table.AddColumn(column)
        table.SetAttribute("CaLID.numbers", json.dumps(NUMBERS))
        page = scene.AddNewNodeByClass("vtkMRMLTextNode", "page")
        page.SetText("<html></html>")
        table.SetNodeReferenceID(lib("Scene.Measures").PAGE_ROLE, page.GetID())
        volume.SetNodeReferenceID(lib("Scene.Measures").MEASURES_ROLE, table.GetID())

    return add


def finish(widget, services, result, addMeasures) -> None:
    addMeasures(result)
    services.logic.job.volume = result
    services.logic.job.end()


def test_the_button_measures_the_chosen_volume_with_what_is_known(widget, services, result, addMeasures):
    ui = widget.ui
    ui.heightSpinBox.setValue(180)
    ui.rrSpinBox.setValue(900)
    ui.papillaryComboBox.setCurrentIndex(1)
    ui.measureButton.click()
    job = services.logic.job
    assert job.node is result
    told = {name: job.options[name] for name in ("height_cm", "weight_kg", "rr_ms", "papillary")}
    assert told == {"height_cm": 180, "weight_kg": None, "rr_ms": 900, "papillary": "wall"}
    assert textOf(ui.applyButton) == "Cancel"
    assert not ui.measureButton.isEnabled()
    finish(widget, services, result, addMeasures)
    assert textOf(ui.statusLabel) == f"{result.GetName()} is measured."
    assert services.display.calls == [("showMeasures", result)]
    assert ui.showMeasuresButton.isChecked()
    assert textOf(ui.measureButton) == "Update"


def test_numbers_stand_side_by_side_with_their_intervals(widget, services, result, addMeasures):
    assert textOf(widget.ui.measuresLabel) == "Nothing was measured yet."
    widget.ui.measureButton.click()
    finish(widget, services, result, addMeasures)
    text = textOf(widget.ui.measuresLabel)
    for part in ("144 (128 - 160)", "209", "EF (%)", "54", "5.3", "Mass (g)"):
        assert part in text
    assert "ESV" not in text  # of one phase there is none
    assert textOf(widget.ui.measureNotesLabel) == NUMBERS["notes"][0]
    assert not widget.ui.thicknessLabel.pixmap().isNull()
    assert not widget.ui.thickeningLabel.isVisibleTo(widget.parent)


def test_without_a_result_it_is_made_first(widget, services, makeResult, addMeasures):
    ui = widget.ui
    assert "Reconstruct the stack" in ui.measureButton.toolTip()
    ui.measureButton.click()
    first = services.logic.job
    assert first.node is ui.inputSelector.currentNode()
    first.volume = makeResult(first.node)
    first.end()
    assert services.logic.job is not first
    assert services.logic.job.node is first.volume


@pytest.mark.parametrize("end", ["fails", "is cancelled"])
def test_a_result_that_does_not_come_is_not_measured(widget, services, end):
    from calid.errors import Cancelled, OutOfResources

    widget.ui.measureButton.click()
    services.logic.job.end(Cancelled("cancelled") if end == "is cancelled" else OutOfResources("no memory", "less"))
    assert len(services.logic.jobs) == 1
    widget.ui.applyButton.click()  # and the next run is not measured either
    services.logic.job.volume = None
    services.logic.job.end(Cancelled("cancelled"))
    assert len(services.logic.jobs) == 2


def test_a_user_who_is_elsewhere_keeps_the_views(widget, services, result, addMeasures):
    widget.ui.measureButton.click()
    services.inFront = False
    finish(widget, services, result, addMeasures)
    assert services.display.calls == []
    assert services.noticed == [f"{result.GetName()} is measured."]


def test_the_page_goes_with_its_button(widget, services, result, addMeasures):
    widget.ui.measureButton.click()
    finish(widget, services, result, addMeasures)
    widget.ui.showMeasuresButton.click()
    assert services.display.calls[-1] == ("leave",)
    assert not widget.ui.showMeasuresButton.isChecked()


def test_nothing_can_be_taken_before_there_is_something(widget, services, result, addMeasures):
    buttons = [
        getattr(widget.ui, f"{name}Button")
        for name in ("copyMeasures", "saveMeasures", "measureReport", "showMeasures")
    ]
    assert not any(button.isEnabled() for button in buttons)
    widget.ui.measureButton.click()
    finish(widget, services, result, addMeasures)
    assert all(button.isEnabled() for button in buttons)


def test_all_numbers_are_copied_and_saved(widget, services, result, addMeasures, tmp_path, app):
    from PySide6.QtWidgets import QApplication

    widget.ui.measureButton.click()
    finish(widget, services, result, addMeasures)
    widget.ui.copyMeasuresButton.click()
    assert QApplication.clipboard().text().splitlines()[:2] == ["measure\tvalue", "EDV\t143.6"]
    widget.ui.saveMeasuresButton.click()  # no file is chosen
    services.file = str(tmp_path / "measures.csv")
    widget.ui.saveMeasuresButton.click()
    assert (tmp_path / "measures.csv").read_text().splitlines()[1] == "EDV,143.6"
    services.file = str(tmp_path / "missing" / "measures.csv")
    widget.ui.saveMeasuresButton.click()
    assert "missing" in services.told[-1]
    widget.ui.measureReportButton.click()
    assert services.opened == []
    services.file = str(tmp_path / "report.html")
    widget.ui.measureReportButton.click()
    assert services.opened == [services.file]
    assert (tmp_path / "report.html").read_text() == "<html></html>"


def test_what_is_known_of_a_patient_goes_with_the_stack(widget, services, makeVolume, lib):
    ui = widget.ui
    ui.heightSpinBox.setValue(180)
    other = makeVolume("of a study")
    report = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    report.SetAttribute("CaLID.patient", json.dumps({"weight_kg": 70.0, "rr_ms": 880.0}))
    other.SetNodeReferenceID(lib("Dicom.Nodes").REPORT_ROLE, report.GetID())
    ui.inputSelector.setCurrentNode(other)
    assert (ui.heightSpinBox.value(), ui.weightSpinBox.value(), ui.rrSpinBox.value()) == (0, 70, 880)


def test_the_verdict_of_a_self_check_goes_into_the_report(widget, services, result):
    from types import SimpleNamespace

    widget.ui.selfCheckButton.click()
    services.logic.job.result = SimpleNamespace(verdict="Better on 5 of 6 slices.", table=None, plot=None)
    services.logic.job.end()
    widget.ui.measureButton.click()
    assert services.logic.job.options["verdict"] == "Better on 5 of 6 slices."


def test_a_phase_is_said_while_it_runs(widget, services, result):
    from calid.protocol import Progress

    widget.ui.measureButton.click()
    services.logic.job.say(Progress(2, 12, 3, 12, 0.25, 9.0))
    assert textOf(widget.ui.statusLabel) == "Phase 3 of 12, 9 s left"
