"""The list of breath-hold shifts, and what its ticks make of the next run."""

from __future__ import annotations

import json

import pytest
from looking import isShown, textOf
from PySide6.QtCore import Qt

from calid.errors import Cancelled

MM = [[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [-0.6, 0.8]]
PLAN = "4 slices become 13, 2.00 mm apart"


@pytest.fixture
def makeShifted(makeResult):
    """A result in whose provenance slices 2 and 4 are shifted by 5 and 1 mm."""

    def make(sparse, inPlace=(), name: str = "SAX CaLID"):
        dense = makeResult(sparse, name)
        dense.SetAttribute("CaLID.shifts_mm", json.dumps(MM))
        dense.SetAttribute("CaLID.in_place", json.dumps(list(inPlace)))
        return dense

    return make


@pytest.fixture
def shifted(widget, makeShifted):
    dense = makeShifted(widget.ui.inputSelector.currentNode())
    widget.ui.resultSelector.setCurrentNode(dense)
    return dense


def rows(widget) -> list[tuple[str, bool]]:
    """Text and tick of each row; nothing where the list is not shown."""
    shown = widget.ui.shiftsList
    items = [shown.item(row) for row in range(shown.count())] if isShown(shown) else []
    return [(item.text(), item.checkState() == Qt.CheckState.Checked) for item in items]


def tick(widget, row: int, isTicked: bool) -> None:
    state = Qt.CheckState.Checked if isTicked else Qt.CheckState.Unchecked
    widget.ui.shiftsList.item(row).setCheckState(state)


def test_shifts_are_listed_and_from_3_mm_on_warned_of(widget, shifted):
    assert rows(widget) == [("Warning: slice 2 by 5.0 mm", True), ("Slice 4 by 1.0 mm", True)]
    assert isShown(widget.ui.shiftsCaption)
    assert textOf(widget.ui.planLabel) == PLAN


def test_nothing_is_listed_where_nothing_is_shifted(widget, shifted, makeResult):
    widget.ui.resultSelector.setCurrentNode(makeResult(widget.ui.inputSelector.currentNode(), "other"))
    assert rows(widget) == []
    assert not isShown(widget.ui.shiftsCaption)
    widget.ui.resultSelector.setCurrentNode(shifted)
    assert len(rows(widget)) == 2


def test_a_slice_without_a_tick_stays_in_place_on_the_next_apply(widget, shifted, services):
    tick(widget, 0, False)
    assert [isTicked for _text, isTicked in rows(widget)] == [False, True]
    assert textOf(widget.ui.planLabel) == f"{PLAN}; slice 2 stays in place"
    tick(widget, 1, False)
    assert textOf(widget.ui.planLabel) == f"{PLAN}; slices 2, 4 stay in place"
    widget.ui.applyButton.click()
    assert services.logic.job.options["in_place"] == (2, 4)
    assert not widget.ui.shiftsList.isEnabled()
    assert [isTicked for _text, isTicked in rows(widget)] == [False, False]
    services.logic.job.end(Cancelled("the job was cancelled"))
    assert widget.ui.shiftsList.isEnabled()
    tick(widget, 0, True)
    widget.ui.applyButton.click()
    assert services.logic.job.options["in_place"] == (4,)


def test_a_result_says_which_slices_it_has_left_in_place(widget, shifted, makeShifted):
    tick(widget, 0, False)
    widget.ui.resultSelector.setCurrentNode(makeShifted(widget.ui.inputSelector.currentNode(), [2], "second"))
    assert rows(widget) == [("Warning: slice 2 by 5.0 mm, left in place here", False), ("Slice 4 by 1.0 mm", True)]


def test_where_no_shifts_are_looked_for_none_is_taken_back(widget, shifted):
    tick(widget, 0, False)
    widget.ui.alignComboBox.setCurrentIndex(2)
    assert textOf(widget.ui.planLabel) == PLAN


def test_the_shifts_of_another_stack_cannot_be_taken_back(widget, shifted, makeVolume, services):
    tick(widget, 0, False)
    shifted.SetAttribute("CaLID.in_place", "[4]")
    widget.ui.inputSelector.setCurrentNode(makeVolume("other"))
    assert rows(widget) == [("Warning: slice 2 by 5.0 mm", True), ("Slice 4 by 1.0 mm, left in place here", False)]
    assert not widget.ui.shiftsList.isEnabled()
    assert textOf(widget.ui.planLabel) == PLAN
    widget.ui.applyButton.click()
    assert services.logic.job.options["in_place"] == ()


def test_what_was_taken_back_is_saved_with_the_scene(widget, shifted, scene, makeWidget):
    tick(widget, 1, False)
    text = scene.GetSingletonNode("CaLIDSlicer", "vtkMRMLScriptedModuleNode").GetParameter("inPlace")
    assert json.loads(text) == [4]
    again = makeWidget()
    again.enter()
    assert [isTicked for _text, isTicked in rows(again)] == [True, False]


def test_many_shifts_leave_room_for_the_sections_below(widget, shifted):
    few = widget.ui.shiftsList.height()
    shifted.SetAttribute("CaLID.shifts_mm", json.dumps([[2.0, 0.0]] * 30))
    widget.panel.enter()
    assert len(rows(widget)) == 30
    assert few < widget.ui.shiftsList.height() < 4 * few
