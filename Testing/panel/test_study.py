"""From the folder of a study to the chosen input: by the button, and by a drop onto the panel."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from looking import isShown, textOf
from PySide6 import QtCore, QtGui

from calid.errors import UnusableInput
from calid.protocol import Progress, StudyRead, ViewRead

STACKS = [(1, "rest: short-axis cine, 4 slices x 2 phases"), (2, "stress: short-axis cine, 4 slices x 2 phases")]
REMARK = "Stack 1 was taken of 2 short-axis cines"


@pytest.fixture
def opened(lib):
    """What a study of four slices and two phases brings, with one long axis."""

    def make(number: int = 1):
        voxels = np.arange(2 * 4 * 6 * 5, dtype=np.int16).reshape(2, 4, 6, 5)
        stack = ViewRead(
            "", "short-axis cine, 4 slices x 2 phases", "", np.eye(4).tolist(), [0.0, 8.0, 16.0, 24.0], [0.0, 400.0], 6
        )
        across = ViewRead("", "long-axis cine, 1 slice x 2 phases", "4CH", np.eye(4).tolist(), [0.0], [0.0, 400.0], 6)
        choices = [what for _number, what in STACKS]
        read = StudyRead(number, 2, [REMARK], "240 files, 1 patient", choices=choices)
        return lib("Dicom.Nodes").addStudy([(stack, voxels), (across, voxels[:, :1])], read)

    return make


@pytest.fixture
def empty(makeWidget):
    return makeWidget()


def press(widget, services, folder: str = "/somewhere"):
    services.folder = folder
    widget.ui.openStudyButton.click()


def test_the_stack_of_a_study_becomes_the_input(empty, services, opened):
    press(empty, services)
    job = services.logic.job
    assert job.node == ["/somewhere"]
    assert empty.ui.applyButton.text() == "Cancel"
    assert not empty.ui.openStudyButton.isEnabled()
    job.result = study = opened()
    job.end()
    assert empty.ui.inputSelector.currentNode() is study.volume
    assert textOf(empty.ui.understoodLabel) == "4 slices, 8.0 mm apart, 6 mm thick, 2 phases, 1.0 mm in-plane"
    said = textOf(empty.ui.statusLabel)
    assert said == "Found: short-axis cine, 4 slices x 2 phases, stack 1 of 2, with a long-axis view."
    assert textOf(empty.ui.notesLabel) == f"{REMARK}."
    assert empty.ui.openStudyButton.isEnabled()
    assert empty.ui.applyButton.text() == "Apply"


def test_the_report_is_on_hand_as_long_as_the_stack_is_chosen(empty, services, opened, makeVolume):
    assert not isShown(empty.ui.studyReportButton)
    press(empty, services)
    services.logic.job.result = opened()
    services.logic.job.end()
    assert isShown(empty.ui.studyReportButton)
    empty.ui.studyReportButton.click()
    assert services.texts == ["240 files, 1 patient"]
    empty.ui.inputSelector.setCurrentNode(makeVolume())
    assert not isShown(empty.ui.studyReportButton)


def test_all_of_a_study_is_in_one_place_that_has_not_the_patients_name(empty, services, opened):
    press(empty, services)
    services.logic.job.result = study = opened()
    services.logic.job.end()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    parents = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in study.nodes}
    assert [hierarchy.GetItemName(parent) for parent in parents] == ["Cardiac MR study"]
    assert len(study.nodes) == 5


def test_the_long_axis_plays_in_step_with_the_stack(opened, lib):
    study = opened()
    browser = lib("Scene.NewCine").browserOf(study.volume)
    (longAxis,) = study.longAxes
    assert browser.GetProxyNode(browser.GetSequenceNode(longAxis)) is longAxis
    assert browser.GetMasterSequenceNode() is browser.GetSequenceNode(study.volume)
    assert longAxis.GetSpacing() == (1.0, 1.0, 6.0)


def test_the_progress_says_how_far_it_is(empty, services):
    press(empty, services)
    services.logic.job.say(Progress(0, 1, 150, 0, 0.0))
    assert textOf(empty.ui.statusLabel) == "150 files so far ..."
    services.logic.job.say(Progress(0, 1, 3, 12, 0.4))
    assert textOf(empty.ui.statusLabel) == "Reading slice 3 of 12 ..."
    assert empty.ui.progressBar.value() == 400


def test_a_study_that_cannot_be_used_leaves_the_input_and_says_why(widget, services):
    before = widget.ui.inputSelector.currentNode()
    press(widget, services)
    services.logic.job.end(UnusableInput("x: there is no short-axis cine", "pass the folder"))
    assert widget.ui.inputSelector.currentNode() is before
    assert services.told == ["X: there is no short-axis cine. Pass the folder."]


def test_a_choice_that_is_called_off_starts_nothing(empty, services):
    press(empty, services, folder="")
    assert services.logic.jobs == []


def drop(widget, *paths: str) -> list[bool]:
    """What Qt sends to the panel when something is dragged onto it and dropped; whether each was accepted."""
    data = QtCore.QMimeData()
    data.setUrls([QtCore.QUrl.fromLocalFile(path) for path in paths])
    target, accepted = widget.layout.itemAt(0).widget(), []
    for kind, point in ((QtGui.QDragEnterEvent, QtCore.QPoint(5, 5)), (QtGui.QDropEvent, QtCore.QPointF(5, 5))):
        buttons, keys = QtCore.Qt.MouseButton.LeftButton, QtCore.Qt.KeyboardModifier.NoModifier
        event = kind(point, QtCore.Qt.DropAction.CopyAction, data, buttons, keys)
        QtCore.QCoreApplication.sendEvent(target, event)
        accepted.append(event.isAccepted())
    return accepted


def test_another_stack_of_the_study_can_be_chosen(empty, services, opened):
    choice = empty.ui.stackComboBox
    assert not isShown(choice)
    press(empty, services)
    services.logic.job.result = first = opened()
    services.logic.job.end()
    assert isShown(choice)
    assert [choice.itemText(row) for row in range(choice.count())] == [f"Stack {n}: {what}" for n, what in STACKS]
    assert choice.currentIndex() == 0
    choice.setCurrentIndex(1)
    choice.activated.emit(1)
    assert services.logic.job.node == ["/somewhere"]
    assert services.logic.job.options["stack"] == 2
    assert not choice.isEnabled()
    services.logic.job.result = second = opened(2)
    services.logic.job.end()
    assert empty.ui.inputSelector.currentNode() is second.volume
    assert choice.currentIndex() == 1
    choice.activated.emit(0)  # it is in the scene already
    assert len(services.logic.jobs) == 2
    assert empty.ui.inputSelector.currentNode() is first.volume
    assert choice.currentIndex() == 0


def test_a_choice_that_fails_leaves_the_stack_that_is_there(empty, services, opened):
    press(empty, services)
    services.logic.job.result = first = opened()
    services.logic.job.end()
    empty.ui.stackComboBox.setCurrentIndex(1)
    empty.ui.stackComboBox.activated.emit(1)
    services.logic.job.end(UnusableInput("x: too few slices can be read", ""))
    assert empty.ui.inputSelector.currentNode() is first.volume
    assert empty.ui.stackComboBox.currentIndex() == 0


def test_there_is_no_choice_of_stacks_for_what_is_from_no_study(empty, services, opened, makeVolume):
    press(empty, services)
    services.logic.job.result = opened()
    services.logic.job.end()
    empty.ui.inputSelector.setCurrentNode(makeVolume())
    assert not isShown(empty.ui.stackComboBox)


def test_a_folder_that_is_dropped_is_opened_when_the_drop_is_over(empty, services, pumpUntil):
    assert drop(empty, "/export/one", "/export/two.zip") == [True, True]
    assert services.logic.jobs == []
    pumpUntil(lambda: services.logic.jobs)
    assert services.logic.job.node == ["/export/one", "/export/two.zip"]


def test_what_is_no_file_is_left_to_others(empty, services, lib):
    assert lib("Panel.Dropping").pathsIn(QtCore.QMimeData()) == []
    web = QtCore.QMimeData()
    web.setUrls([QtCore.QUrl("https://example.org/a")])
    assert lib("Panel.Dropping").pathsIn(web) == []


def test_a_study_is_not_opened_while_something_runs(widget, services):
    widget.ui.applyButton.click()
    widget.panel.openStudy(["/somewhere"])
    assert [job.node for job in services.logic.jobs] == [widget.ui.inputSelector.currentNode()]


def test_closing_the_scene_ends_it(empty, services):
    press(empty, services)
    empty.panel.close()
    assert services.logic.job.error is not None
    assert textOf(empty.ui.statusLabel) == ""
