"""The section "Advanced": device, model card and weights."""

from __future__ import annotations

from looking import isShown, textOf

from calid.errors import OutOfResources, WeightsError


def test_the_device_is_looked_for_anew(widget, services):
    ui = widget.ui
    assert ui.deviceLabel.text() == "Not looked for yet."
    ui.deviceComboBox.setCurrentIndex(1)
    ui.deviceButton.click()
    assert ui.deviceLabel.text() == "found cuda"
    assert services.devicesForgotten == 1


def test_detect_asks_for_what_is_missing_to_find_a_device(widget, services):
    services.dependencies.missing = "Install torch?"
    services.answers = [False]
    widget.ui.deviceButton.click()
    assert services.asked == ["Install torch?"]
    assert textOf(widget.ui.deviceLabel) == "Not looked for yet."
    services.answers = [True]
    widget.ui.deviceButton.click()
    assert services.dependencies.installed == 1
    assert "found" in textOf(widget.ui.deviceLabel)
    assert textOf(widget.ui.statusLabel) == ""


def test_it_is_seen_that_the_device_is_looked_for(widget, services, monkeypatch):
    ui, find = widget.ui, services.findDevice
    seen: list = []

    def findSlowly(wanted: str):
        seen.append((ui.deviceLabel.text(), ui.deviceButton.isEnabled()))
        return find(wanted)

    monkeypatch.setattr(services, "findDevice", findSlowly)
    ui.deviceButton.click()
    assert seen == [("Looking ...", False)]
    assert ui.deviceButton.isEnabled()


def test_a_run_shows_the_device_it_found(widget):
    widget.ui.applyButton.click()
    assert widget.ui.deviceLabel.text() == "found auto"


def test_the_thickness_that_is_taken_is_said(widget, makeVolume, lib):
    box = widget.ui.thicknessSpinBox
    assert box.text() == "Automatic: 8 mm, assumed"
    thick = makeVolume("thick")
    lib("Scene.SliceThickness").writeThickness(thick, 6.5)
    widget.ui.inputSelector.setCurrentNode(thick)
    assert box.text() == "Automatic: 6.5 mm, from the file"
    box.setValue(5)
    assert box.text() == "5.00 mm"
    widget.ui.inputSelector.setCurrentNode(None)
    box.setValue(0)
    assert box.text() == "Automatic"


def test_a_device_that_is_not_there_is_explained(widget, services):
    services.deviceError = OutOfResources("this computer has no device cuda", "choose Automatic")
    widget.ui.deviceButton.click()
    assert services.told == ["This computer has no device cuda. Choose Automatic."]
    assert widget.ui.deviceLabel.text() == "Not looked for yet."


def test_the_model_has_a_card(widget):
    ui = widget.ui
    assert ui.modelLabel.text() == "calid-sax-5"
    assert ui.modelCardBrowser.isHidden()
    ui.modelCardButton.click()
    assert not ui.modelCardBrowser.isHidden()
    assert ui.modelCardBrowser.toPlainText().strip() == "The card"
    ui.modelCardButton.click()
    assert ui.modelCardBrowser.isHidden()


def test_the_weights_are_verified(widget, services):
    ui = widget.ui
    assert ui.weightsLabel.text().replace("\u200b", "") == services.models.folder
    assert ui.weightsLabel.toolTip() == services.models.folder
    ui.verifyWeightsButton.click()
    assert ui.weightsStatusLabel.text() == "all files are as they were published"


def test_altered_weights_are_explained(widget, services):
    services.models.error = WeightsError("vae.safetensors is altered", "reinstall it")
    widget.ui.verifyWeightsButton.click()
    assert services.told == ["Vae.safetensors is altered. Reinstall it."]
    assert widget.ui.weightsStatusLabel.text() == "Error: Vae.safetensors is altered. Reinstall it."


def test_missing_weights_are_said_and_do_not_stop_the_panel(makeWidget, services, tmp_path):
    services.models.folder = str(tmp_path)
    ui = makeWidget().ui
    assert "manifest.json cannot be read" in ui.weightsLabel.text()
    assert ui.modelLabel.text() == "None"


def test_imported_weights_are_used_and_can_be_removed(widget, services):
    ui, services.file = widget.ui, "models.zip"
    assert not ui.removeWeightsButton.isEnabled()
    ui.importWeightsButton.click()
    assert ui.removeWeightsButton.isEnabled()
    ui.applyButton.click()
    assert services.logic.job.options["models"] == "models.zip"
    services.logic.job.end(OutOfResources("memory ran out"))
    services.answers = [False, True]
    ui.removeWeightsButton.click()
    assert services.models.imported
    ui.removeWeightsButton.click()
    assert services.models.imported is None
    assert not ui.removeWeightsButton.isEnabled()


def test_no_file_no_import(widget, services):
    widget.ui.importWeightsButton.click()
    assert services.models.imported is None
    assert not isShown(widget.ui.weightsStatusLabel)
    assert textOf(widget.ui.weightsStatusLabel) == ""
