"""What the panel shows in each of its states: empty, ready, running, done, error."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from looking import isShown, textOf

from calid.errors import Cancelled, OutOfResources
from calid.protocol import Progress, Started, Warned


def test_empty(makeWidget):
    ui = makeWidget().ui
    assert "Choose a short-axis stack" in textOf(ui.understoodLabel)
    assert not ui.applyButton.isEnabled()
    assert ui.applyButton.toolTip() == "Choose a short-axis stack first."
    assert not ui.selfCheckButton.isEnabled()
    assert not ui.beforeAfterButton.isEnabled()
    assert not isShown(ui.progressBar)
    assert textOf(ui.statusLabel) == ""


def test_ready(widget):
    ui = widget.ui
    assert ui.inputSelector.currentNode().GetName() == "SAX"
    assert "4 slices" in textOf(ui.understoodLabel)
    assert textOf(ui.planLabel) == "4 slices become 13, 2.00 mm apart"
    assert ui.applyButton.isEnabled()
    assert ui.applyButton.text() == "Apply"
    assert ui.selfCheckButton.isEnabled()
    assert not ui.phasesComboBox.isEnabled()
    assert not isShown(ui.keepPhasesCheckBox)


def test_a_cine_offers_its_phases(makeWidget, makeCine):
    makeCine()
    ui = makeWidget().ui
    assert "3 phases" in textOf(ui.understoodLabel)
    assert ui.phasesComboBox.isEnabled()
    assert [ui.phasesComboBox.itemText(index) for index in range(2)] == ["All", "The one shown now"]
    assert isShown(ui.keepPhasesCheckBox)
    ui.phasesComboBox.setCurrentIndex(1)
    assert not isShown(ui.keepPhasesCheckBox)


def test_a_sequence_can_be_chosen(makeWidget, makeCine, scene):
    makeCine()
    ui = makeWidget().ui
    ui.inputSelector.setCurrentNode(scene.GetFirstNodeByClass("vtkMRMLSequenceNode"))
    assert "3 phases" in textOf(ui.understoodLabel)
    assert ui.applyButton.isEnabled()


def test_a_thickness_that_no_slice_has_is_refused_before_apply(widget):
    ui = widget.ui
    ui.thicknessSpinBox.setValue(24.0)
    assert ui.applyButton.isEnabled()
    ui.thicknessSpinBox.setValue(24.5)
    assert not ui.applyButton.isEnabled()
    said = "slices 24.5 mm thick are not possible where the smallest gap is 8 mm"
    assert textOf(ui.planLabel).lower() == f"{said}. give a thickness above 0 and up to 24 mm."


def test_a_spacing_that_leaves_nothing_to_do_is_refused_before_apply(widget):
    ui = widget.ui
    ui.spacingSpinBox.setValue(8.0)
    assert not ui.applyButton.isEnabled()
    assert "spacing" in textOf(ui.planLabel)
    assert ui.applyButton.toolTip() == textOf(ui.planLabel)


def test_isotropic_takes_the_pixel_spacing(widget):
    ui = widget.ui
    ui.isotropicCheckBox.setChecked(True)
    assert textOf(ui.planLabel) == "4 slices become 19, 1.33 mm apart"
    assert not ui.spacingSpinBox.isEnabled()


def test_an_unusable_input_is_explained(widget):
    oneSlice = slicer.util.addVolumeFromArray(np.arange(20.0).reshape(1, 4, 5), name="flat")
    widget.ui.inputSelector.setCurrentNode(oneSlice)
    assert "1 slice" in textOf(widget.ui.understoodLabel)
    assert not widget.ui.applyButton.isEnabled()
    assert not widget.ui.selfCheckButton.isEnabled()


def test_a_chosen_input_survives_in_the_scene(widget, makeWidget, makeVolume):
    widget.ui.inputSelector.setCurrentNode(makeVolume("other"))
    widget.ui.spacingSpinBox.setValue(1.5)
    again = makeWidget().ui
    assert again.inputSelector.currentNode().GetName() == "other"
    assert again.spacingSpinBox.value() == 1.5


def test_starting(widget, services):
    ui = widget.ui
    ui.applyButton.click()
    assert ui.applyButton.text() == "Cancel"
    assert ui.applyButton.isEnabled()
    assert isShown(ui.progressBar)
    assert textOf(ui.statusLabel) == "Starting ..."
    assert textOf(ui.notesLabel) == "This takes about 5 seconds."
    assert not ui.inputSelector.isEnabled()
    assert not ui.outputSection.isEnabled()
    assert not ui.selfCheckButton.isEnabled()


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Started("m1", "cpu", 3, 4, 7), "m1 on cpu"),
        (Progress(1, 3, 1, 4, 0.25, 61.6), "Phase 2 of 3, 62 s left"),
        (Progress(1, 3, 1, 4, 0.25), "Phase 2 of 3"),
    ],
)
def test_running(makeWidget, makeCine, services, event, text):
    makeCine()
    ui = makeWidget().ui
    ui.applyButton.click()
    services.logic.job.say(event)
    assert textOf(ui.statusLabel) == text
    assert ui.progressBar.value() == (250 if isinstance(event, Progress) else 0)


def test_one_phase_is_not_counted(widget, services):
    widget.ui.applyButton.click()
    services.logic.job.say(Progress(0, 1, 1, 4, 0.5, 3.2))
    assert textOf(widget.ui.statusLabel) == "3 s left"


def test_warnings_of_a_run_stay(widget, services):
    widget.ui.applyButton.click()
    services.logic.job.say(Warned("memory is short"))
    services.logic.job.say(Warned("so it goes on with less"))
    warnings = textOf(widget.ui.notesLabel).splitlines()[1:]
    assert warnings == ["Warning: Memory is short.", "Warning: So it goes on with less."]


def test_done(widget, services, makeResult):
    ui = widget.ui
    ui.applyButton.click()
    job = services.logic.job
    job.volume = makeResult(job.node)
    job.end()
    assert textOf(ui.statusLabel) == "SAX CaLID is ready."
    assert ui.applyButton.text() == "Apply"
    assert ui.inputSelector.isEnabled()
    assert not isShown(ui.progressBar)
    assert ui.resultSelector.currentNode() is job.volume
    assert ("showResult", job.volume) in services.display.calls
    for button in (ui.beforeAfterButton, ui.uncertaintyButton, ui.synthesisedButton, ui.renderingButton):
        assert button.isEnabled()
    assert not ui.playButton.isEnabled()


def test_error(widget, services):
    ui = widget.ui
    ui.applyButton.click()
    services.logic.job.end(OutOfResources("memory ran out", "ask for a larger spacing"))
    text = "Memory ran out. Ask for a larger spacing."
    assert textOf(ui.statusLabel) == f"Error: {text}"
    assert services.told == [text]
    assert ui.applyButton.text() == "Apply"
    assert ui.applyButton.isEnabled()


def test_a_cancel_is_no_error(widget, services):
    widget.ui.applyButton.click()
    services.logic.job.end(Cancelled("the input volume was removed from the scene"))
    assert textOf(widget.ui.statusLabel) == "The input volume was removed from the scene."
    assert services.told == []
