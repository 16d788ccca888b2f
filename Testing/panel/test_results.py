"""The sections "Results" and "How far to trust it"."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace

import pytest
from looking import isShown, textOf

from calid.options import Options

REPORT = SimpleNamespace(verdict="On these slices the model is better than linear interpolation.")


@pytest.fixture
def result(widget, makeResult):
    """A dense volume, chosen in the panel."""
    dense = makeResult(widget.ui.inputSelector.currentNode())
    widget.ui.resultSelector.setCurrentNode(dense)
    return dense


def test_before_and_after(widget, services, result):
    widget.ui.beforeAfterButton.click()
    assert services.display.calls == [("showResult", result)]
    assert widget.ui.fadeSlider.value() == 100
    assert widget.ui.renderingButton.isChecked()
    assert widget.ui.beforeAfterButton.isChecked()


def test_the_way_back(widget, services, result):
    widget.ui.beforeAfterButton.click()
    widget.ui.beforeAfterButton.click()
    assert services.display.calls == [("showResult", result), ("leave",)]
    assert not widget.ui.beforeAfterButton.isChecked()
    assert not widget.ui.renderingButton.isChecked()


def test_long_axes_are_shown_where_the_study_has_some(widget, services, result, makeVolume, lib):
    assert not widget.ui.longAxesButton.isEnabled()
    sparse = widget.ui.inputSelector.currentNode()
    lib("Scene.LongAxes").nameLongAxes(sparse, [makeVolume()])
    widget.panel.enter()
    assert widget.ui.longAxesButton.isEnabled()
    widget.ui.longAxesButton.click()
    assert services.display.calls == [("showLongAxes", result)]
    assert widget.ui.longAxesButton.isChecked()
    assert not widget.ui.beforeAfterButton.isChecked()
    widget.ui.longAxesButton.click()
    assert services.display.calls[1:] == [("leave",)]
    assert not widget.ui.longAxesButton.isChecked()


def test_how_well_long_axes_agree_is_said_while_they_are_shown(widget, services, result, makeVolume, lib, monkeypatch):
    found = [lib("Scene.Witnesses").Agreement("4CH", 0.9512, 0.9786)]
    monkeypatch.setattr(lib("Panel.Results"), "agreementsOf", lambda _volume: found)
    lib("Scene.LongAxes").nameLongAxes(widget.ui.inputSelector.currentNode(), [makeVolume()])
    widget.panel.enter()
    assert not isShown(widget.ui.longAxesLabel)
    widget.ui.longAxesButton.click()
    said = "4CH: correlation 0.951 before, 0.979 after\nEach long axis is another breath-hold."
    assert textOf(widget.ui.longAxesLabel) == said
    widget.ui.longAxesButton.click()
    assert not isShown(widget.ui.longAxesLabel)


def test_what_others_do_with_the_views_presses_the_buttons(widget, services, result):
    ui = widget.ui
    ui.beforeAfterButton.click()
    calls = list(services.display.calls)
    services.display.change(playing=True, uncertainty=True, rendering=False, fraction=0.25)
    assert ui.playButton.isChecked()
    assert ui.uncertaintyButton.isChecked()
    assert not ui.renderingButton.isChecked()
    assert ui.fadeSlider.value() == 25
    services.display.change(playing=False, comparison=False)
    assert not ui.playButton.isChecked()
    assert not ui.beforeAfterButton.isChecked()
    assert services.display.calls == calls


def test_a_button_that_shows_nothing_stays_up(widget, services, result, monkeypatch):
    monkeypatch.setattr(services.display, "showUncertainty", lambda *_: False, raising=False)
    widget.ui.uncertaintyButton.click()
    assert not widget.ui.uncertaintyButton.isChecked()


def test_fade(widget, services, result):
    widget.ui.fadeSlider.setValue(25)
    assert services.display.calls == [("showBeforeAfter", result, 0.25)]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("uncertaintyButton", "showUncertainty"),
        ("synthesisedButton", "showSynthesised"),
        ("renderingButton", "showVolumeRendering"),
    ],
)
def test_a_button_shows_and_hides(widget, services, result, name, function):
    button = getattr(widget.ui, name)
    button.click()
    button.click()
    assert services.display.calls == [(function, result, True), (function, result, False)]


def test_fading_takes_the_place_of_the_uncertainty(widget, services, result):
    widget.ui.uncertaintyButton.click()
    widget.ui.fadeSlider.setValue(50)
    assert not widget.ui.uncertaintyButton.isChecked()
    assert services.display.calls[-1] == ("showBeforeAfter", result, 0.5)


def test_before_and_after_takes_the_place_of_the_overlays(widget, services, result):
    ui = widget.ui
    ui.uncertaintyButton.click()
    ui.synthesisedButton.click()
    ui.beforeAfterButton.click()
    assert not ui.uncertaintyButton.isChecked()
    assert not ui.synthesisedButton.isChecked()
    assert services.display.calls[-1] == ("showResult", result)


def test_a_new_result_is_shown_as_after(widget, services, result, makeResult):
    widget.ui.fadeSlider.setValue(0)
    widget.ui.applyButton.click()
    job = services.logic.job
    job.volume = makeResult(job.node, "second")
    job.end()
    assert widget.ui.fadeSlider.value() == 100
    assert services.display.calls[-1] == ("showResult", job.volume)


def test_another_result_starts_with_nothing_shown(widget, services, result, makeResult):
    widget.ui.uncertaintyButton.click()
    calls = list(services.display.calls)
    widget.ui.resultSelector.setCurrentNode(makeResult(widget.ui.inputSelector.currentNode(), "second"))
    assert not widget.ui.uncertaintyButton.isChecked()
    assert services.display.calls == calls


def test_a_volume_that_is_no_result_cannot_be_compared(widget, result, makeVolume):
    widget.ui.resultSelector.setCurrentNode(makeVolume("unrelated"))
    assert not widget.ui.beforeAfterButton.isEnabled()
    assert not widget.ui.fadeSlider.isEnabled()
    assert not widget.ui.uncertaintyButton.isEnabled()


def test_a_result_without_uncertainty_shows_none(widget, result, lib):
    result.SetNodeReferenceID(lib("Scene.Provenance").UNCERTAINTY_ROLE, None)
    widget.panel.enter()
    assert not widget.ui.uncertaintyButton.isEnabled()
    assert widget.ui.synthesisedButton.isEnabled()


def test_a_deleted_result_disables_its_buttons(widget, scene, result):
    scene.RemoveNode(result)
    assert not widget.ui.beforeAfterButton.isEnabled()
    assert widget.ui.resultSelector.currentNode() is None


def test_a_cine_plays_and_pauses(makeWidget, makeCine, services, lib):
    proxy = makeCine()
    ui = makeWidget().ui
    proxy.SetNodeReferenceID(lib("Scene.Provenance").INPUT_ROLE, proxy.GetID())
    ui.resultSelector.setCurrentNode(proxy)
    ui.playButton.click()
    ui.playButton.click()
    assert services.display.calls == [("play", proxy, True), ("play", proxy, False)]


def test_a_finished_cine_plays(makeWidget, makeCine, services, lib):
    proxy = makeCine()
    ui = makeWidget().ui
    ui.applyButton.click()
    job = services.logic.job
    proxy.SetNodeReferenceID(lib("Scene.Provenance").INPUT_ROLE, proxy.GetID())
    job.volume, job.browser = proxy, lib("Panel.Results").browserOf(proxy)
    job.end()
    assert ui.playButton.isChecked()
    assert services.display.calls == [("showResult", proxy), ("play", proxy, True)]


def test_before_a_self_check(widget):
    assert textOf(widget.ui.verdictLabel) == "This stack was not checked yet."
    assert not widget.ui.showSelfCheckButton.isEnabled()


def test_a_self_check_gives_its_verdict(widget, services):
    ui = widget.ui
    ui.selfCheckButton.click()
    job = services.logic.job
    assert job.node is ui.inputSelector.currentNode()
    assert job.options == asdict(Options())
    assert ui.applyButton.text() == "Cancel"
    assert not ui.selfCheckButton.isEnabled()
    job.result = REPORT
    job.end()
    assert textOf(ui.verdictLabel) == REPORT.verdict
    assert ui.selfCheckButton.isEnabled()
    ui.showSelfCheckButton.click()
    assert services.display.calls == [("showReport", REPORT), ("leave",)]
    ui.showSelfCheckButton.click()
    assert services.display.calls[-1] == ("showReport", REPORT)
    assert ui.showSelfCheckButton.isChecked()


def test_a_self_check_that_ends_behind_the_users_back_takes_no_views(widget, services):
    widget.ui.selfCheckButton.click()
    services.inFront, services.logic.job.result = False, REPORT
    services.logic.job.end()
    assert services.display.calls == []
    assert services.noticed == ["The self-check is done."]
    assert textOf(widget.ui.verdictLabel) == REPORT.verdict


def test_a_self_check_can_be_cancelled(widget, services):
    widget.ui.selfCheckButton.click()
    services.time += 10
    widget.ui.applyButton.click()
    assert services.logic.job.finished
    assert textOf(widget.ui.statusLabel) == "The job was cancelled."
    assert not widget.ui.showSelfCheckButton.isEnabled()


def test_a_self_check_asks_for_what_is_missing(widget, services):
    services.dependencies.missing, services.answers = "Install torch?", [False]
    widget.ui.selfCheckButton.click()
    assert services.logic.jobs == []
    assert textOf(widget.ui.statusLabel) == "Nothing was started."


def test_another_input_was_not_checked(widget, services, makeVolume):
    widget.ui.selfCheckButton.click()
    services.logic.job.result = REPORT
    services.logic.job.end()
    widget.ui.inputSelector.setCurrentNode(makeVolume("other"))
    assert textOf(widget.ui.verdictLabel) == "This stack was not checked yet."


def test_a_self_check_is_estimated_and_asked_about(widget, services):
    services.question, services.answers = "This takes about 20 minutes. Start?", [False]
    widget.ui.selfCheckButton.click()
    assert services.asked == [services.question]
    assert services.logic.jobs == []
    shape, slicesOut, _spacing, options, *_ = services.preflights[0]
    assert (shape, slicesOut) == ((1, 4, 40, 48), 6)  # the two inner slices are predicted
    assert options == Options()


def test_a_self_check_goes_where_the_preflight_says(widget, services):
    services.changes = {"device": "cpu"}
    widget.ui.selfCheckButton.click()
    assert services.logic.job.options == asdict(Options(device="cpu"))
