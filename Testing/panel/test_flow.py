"""From the press of Apply to the end of a run, and everything that can come in between."""

from __future__ import annotations

import pytest
from looking import isShown, textOf

from calid.errors import DependencyError, OutOfResources, UnusableInput
from calid.protocol import Progress


@pytest.fixture
def cine(makeWidget, makeCine):
    """The widget with a cine chosen."""
    makeCine()
    return makeWidget()


def test_the_worker_gets_what_the_panel_shows(widget, services):
    ui = widget.ui
    ui.spacingSpinBox.setValue(4.0)
    ui.advancedSection.setProperty("collapsed", False)
    ui.thicknessSpinBox.setValue(6.5)
    ui.alignComboBox.setCurrentIndex(1)
    ui.acquiredComboBox.setCurrentIndex(1)
    ui.samplesSpinBox.setValue(4)
    ui.stepsSpinBox.setValue(7)
    ui.detailSpinBox.setValue(0.5)
    ui.seedSpinBox.setValue(11)
    ui.uncertaintyCheckBox.setChecked(False)
    ui.deviceComboBox.setCurrentIndex(3)
    ui.applyButton.click()
    job = services.logic.job
    assert job.node is ui.inputSelector.currentNode()
    assert (
        job.options.items()
        >= {
            "spacing": 4.0,
            "phases": "all",
            "output": None,
            "mask": True,
            "thickness": 6.5,
            "align": "straight",
            "acquired": "thin",
            "samples": 4,
            "steps": 7,
            "detail": 0.5,
            "seed": 11,
            "uncertainty": False,
            "device": "cpu",
            "models": None,
        }.items()
    )


def test_untouched_settings_are_the_models_own(widget, services):
    widget.ui.applyButton.click()
    options = services.logic.job.options
    assert [options[name] for name in ("samples", "steps", "detail", "device")] == [None, None, None, "auto"]
    assert [options[name] for name in ("thickness", "align", "acquired", "in_place")] == [None, "auto", "keep", ()]
    assert options["uncertainty"]


def test_an_existing_output_is_passed_on(widget, services, makeVolume):
    output = makeVolume("old")
    widget.ui.outputSelector.setCurrentNode(output)
    widget.ui.applyButton.click()
    assert services.logic.job.options["output"] is output


def test_one_phase_of_a_cine(cine, services):
    cine.ui.phasesComboBox.setCurrentIndex(1)
    cine.ui.applyButton.click()
    assert services.logic.job.options["phases"] == "current"
    assert services.preflights[0][0] == (1, 4, 40, 48)


def test_all_phases_of_a_cine_are_estimated(cine, services):
    cine.ui.applyButton.click()
    shape, slicesOut, pixelSpacing, options, report, freeMemory, freeDisk = services.preflights[0]
    assert (shape, slicesOut, pixelSpacing) == ((3, 4, 40, 48), 13, (1.5, 1.5))
    assert (options.samples, options.steps, options.uncertainty, report.device) == (None, None, True, "auto")
    assert (freeMemory, freeDisk) == (8_000_000_000, 50_000_000_000)


def test_the_first_phase_is_shown_as_soon_as_it_is_there(cine, services, makeResult):
    cine.ui.applyButton.click()
    job = services.logic.job
    dense = makeResult(job.node)
    job.finishPhase(0, dense)
    assert ("showResult", dense) in services.display.calls
    assert cine.ui.resultSelector.currentNode() is dense
    job.finishPhase(1, dense)
    assert len(services.display.calls) == 1
    assert cine.ui.applyButton.text() == "Cancel"


def test_a_user_who_is_elsewhere_is_told_and_not_disturbed(cine, services, makeResult):
    """The views belong to what is in front: here a module in which the user works meanwhile."""
    cine.ui.applyButton.click()
    services.inFront = False
    job = services.logic.job
    dense = makeResult(job.node)
    job.finishPhase(0, dense)
    job.end()
    assert services.display.calls == []
    assert services.noticed == ["SAX CaLID is ready."]
    assert cine.ui.resultSelector.currentNode() is dense
    assert not cine.ui.beforeAfterButton.isChecked()


def test_a_user_who_turned_to_other_views_meanwhile_keeps_them(cine, services, makeResult):
    cine.ui.applyButton.click()
    job = services.logic.job
    job.finishPhase(0, makeResult(job.node))
    services.display.change(comparison=False)  # another layout, by the toolbar
    job.end()
    assert [name for name, *_ in services.display.calls] == ["showResult"]


def test_what_is_missing_is_installed_after_one_question(widget, services):
    services.dependencies.missing, services.answers = "Install torch?", [True]
    widget.ui.applyButton.click()
    assert services.asked == ["Install torch?"]
    assert services.dependencies.installed == 1
    assert len(services.logic.jobs) == 1


def test_an_installation_says_that_it_takes_long(widget, services, monkeypatch):
    said: list[str] = []
    services.dependencies.missing, services.answers = "Install torch?", [True]
    monkeypatch.setattr(services.dependencies, "install", lambda: said.append(textOf(widget.ui.statusLabel)))
    widget.ui.applyButton.click()
    assert said == ["Installing; meanwhile the window may not respond ..."]
    assert textOf(widget.ui.statusLabel) == "Starting ..."


def test_a_declined_installation_starts_nothing(widget, services):
    services.dependencies.missing, services.answers = "Install torch?", [False]
    widget.ui.applyButton.click()
    assert services.dependencies.installed == 0
    assert services.logic.jobs == []
    assert textOf(widget.ui.statusLabel) == "Nothing was started."
    assert widget.ui.applyButton.isEnabled()


@pytest.mark.parametrize("kind", [DependencyError, OutOfResources])
def test_a_failed_installation_is_explained(widget, services, kind):
    services.dependencies.missing, services.answers = "Install torch?", [True]
    services.dependencies.error = kind("the disk is full", "free 3 GB")
    widget.ui.applyButton.click()
    assert services.told == ["The disk is full. Free 3 GB."]
    assert services.logic.jobs == []
    assert widget.ui.applyButton.text() == "Apply"


def test_a_device_that_is_not_there_is_explained(widget, services):
    services.deviceError = OutOfResources("this computer has no device cuda", "choose Automatic")
    widget.ui.applyButton.click()
    assert services.told == ["This computer has no device cuda. Choose Automatic."]
    assert services.logic.jobs == []


@pytest.mark.parametrize("answer", [True, False])
def test_a_long_run_is_asked_about_before_it_starts(widget, services, answer):
    services.question, services.answers = "This takes about 20 minutes. Start?", [answer]
    widget.ui.applyButton.click()
    assert services.asked == [services.question]
    assert len(services.logic.jobs) == answer


def test_what_the_preflight_changes_goes_to_the_worker(widget, services):
    services.changes = {"device": "cpu", "samples": 1}
    widget.ui.samplesSpinBox.setValue(8)
    widget.ui.applyButton.click()
    assert services.logic.job.options["device"] == "cpu"
    assert services.logic.job.options["samples"] == 1


@pytest.mark.parametrize(("device", "forgotten"), [("cpu", 1), ("auto", 0)])
def test_a_device_that_was_too_full_is_asked_again(widget, services, device, forgotten):
    services.changes = {"device": device}
    widget.ui.applyButton.click()
    assert services.devicesForgotten == forgotten


def test_a_refused_start_is_explained(widget, services):
    services.logic.refusal = UnusableInput('"SAX" has no voxels', "choose another")
    widget.ui.applyButton.click()
    assert services.told == ['"SAX" has no voxels. Choose another.']
    assert widget.ui.applyButton.text() == "Apply"


def test_a_double_click_on_apply_starts_once_and_cancels_nothing(widget, services):
    widget.ui.applyButton.click()
    services.time += 0.1
    widget.ui.applyButton.click()
    assert len(services.logic.jobs) == 1
    assert not services.logic.job.finished


def test_apply_while_preparing_starts_nothing_more(widget, services):
    services.dependencies.missing = "Install torch?"

    def clickAgain(_question: str) -> bool:  # as the event loop of an installation lets a user do
        widget.panel.onApply()
        return True

    services.ask = clickAgain
    widget.ui.applyButton.click()
    assert len(services.logic.jobs) == 1


@pytest.mark.parametrize("keep", [True, False])
def test_cancel_keeps_or_removes_the_finished_phases(cine, services, makeResult, keep):
    ui = cine.ui
    ui.keepPhasesCheckBox.setChecked(keep)
    ui.applyButton.click()
    job = services.logic.job
    dense = makeResult(job.node)
    job.finishPhase(0, dense)
    services.time += 10
    ui.applyButton.click()
    assert job.kept is keep
    assert ui.applyButton.text() == "Apply"
    assert textOf(ui.statusLabel) == "The job was cancelled."
    assert (("putBack",) in services.display.calls) is not keep
    assert ui.beforeAfterButton.isChecked() is keep
    assert services.told == []


def test_what_was_never_shown_is_not_left(cine, services):
    cine.ui.applyButton.click()
    services.time += 10
    cine.ui.applyButton.click()
    assert services.display.calls == []


def test_the_question_of_keeping_can_be_answered_while_running(cine, services):
    cine.ui.applyButton.click()
    assert isShown(cine.ui.keepPhasesCheckBox)
    assert cine.ui.keepPhasesCheckBox.isEnabled()


def test_a_new_run_forgets_the_notes_of_the_last(widget, services):
    widget.ui.applyButton.click()
    services.logic.job.say(Progress(0, 1, 1, 1, 0.9))
    services.logic.job.end(OutOfResources("memory ran out"))
    widget.ui.applyButton.click()
    assert widget.ui.progressBar.value() == 0
    assert textOf(widget.ui.statusLabel) == "Starting ..."


def test_a_view_that_fails_does_not_cost_the_result(widget, services, makeResult, monkeypatch, caplog):
    def fail(_job) -> None:
        raise RuntimeError("no OpenGL")

    monkeypatch.setattr(services.display, "showResult", fail, raising=False)
    widget.ui.applyButton.click()
    job = services.logic.job
    job.finishPhase(0, makeResult(job.node))
    job.end()
    assert textOf(widget.ui.statusLabel) == "SAX CaLID is ready."
    assert widget.ui.applyButton.text() == "Apply"
    assert "no OpenGL" in caplog.text


def test_an_error_that_nobody_thought_of_leaves_the_panel_usable(widget, services, monkeypatch):
    def fail() -> str:
        raise RuntimeError("pip is being installed")

    monkeypatch.setattr(services.dependencies, "question", fail)
    with pytest.raises(RuntimeError):
        widget.panel.onApply()
    assert widget.ui.applyButton.text() == "Apply"
    assert widget.ui.applyButton.isEnabled()
    assert textOf(widget.ui.statusLabel) == "Error: see the Python console."
