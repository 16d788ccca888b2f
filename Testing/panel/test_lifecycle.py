"""Scene close, node deletion, entering and leaving, reload and quit: nothing is left behind, nothing comes too late."""

from __future__ import annotations

import sys

import numpy as np
import slicer
import slicer_stand_ins
from looking import textOf


def test_closing_the_scene_cancels_and_empties_the_panel(widget, services, scene):
    ui = widget.ui
    ui.applyButton.click()
    scene.Clear()
    assert services.logic.job.finished
    assert not services.logic.job.kept
    assert ui.inputSelector.currentNode() is None
    assert textOf(ui.statusLabel) == ""
    assert ui.applyButton.text() == "Apply"
    assert not ui.applyButton.isEnabled()
    assert services.told == []


def test_a_closing_scene_is_no_time_to_change_the_layout(widget, services, scene, makeResult):
    widget.ui.applyButton.click()
    job = services.logic.job
    job.finishPhase(0, makeResult(job.node))
    scene.Clear()
    assert job.finished
    assert ("putBack",) not in services.display.calls


def test_the_panel_works_in_the_next_scene(widget, services, scene, makeVolume):
    widget.ui.spacingSpinBox.setValue(1.0)
    scene.Clear()
    makeVolume("next")
    widget.enter()
    ui = widget.ui
    assert ui.inputSelector.currentNode().GetName() == "next"
    ui.spacingSpinBox.setValue(4.0)
    ui.applyButton.click()
    assert services.logic.job.options["spacing"] == 4.0


def test_a_scene_closed_during_a_question_starts_nothing(widget, services, scene):
    def closeScene(_question: str) -> bool:
        scene.Clear()
        return True

    services.question, services.ask = "This takes about 20 minutes. Start?", closeScene
    widget.ui.applyButton.click()
    assert services.logic.jobs == []
    assert textOf(widget.ui.statusLabel) == ""


def test_an_input_deleted_during_a_question_is_explained(widget, module, services, scene):
    def deleteInput(_question: str) -> bool:
        scene.RemoveNode(slicer.util.getNode("SAX"))
        return True

    services.question, services.ask = "This takes about 20 minutes. Start?", deleteInput
    services.logic = module.CaLIDSlicerLogic(["/no/such/program"])
    widget.ui.applyButton.click()
    assert services.told == ['"SAX" is not in a scene. Add it with slicer.mrmlScene.AddNode.']


def test_a_deleted_input_leaves_an_empty_panel(widget, scene):
    scene.RemoveNode(widget.ui.inputSelector.currentNode())
    assert widget.ui.inputSelector.currentNode() is None
    assert not widget.ui.applyButton.isEnabled()
    assert "Choose a short-axis stack" in textOf(widget.ui.understoodLabel)


def test_a_deleted_output_is_not_replaced_by_another_volume(widget, scene, makeVolume, services):
    output = makeVolume("old result")
    makeVolume("another patient")
    widget.ui.outputSelector.setCurrentNode(output)
    scene.RemoveNode(output)
    assert widget.ui.outputSelector.currentNode() is None
    widget.ui.applyButton.click()
    assert services.logic.job.options["output"] is None


def test_an_input_that_is_filled_later_becomes_usable(makeWidget, scene):
    widget = makeWidget()
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "loading")
    assert widget.ui.inputSelector.currentNode() is volume  # the selector takes what comes first
    assert "no voxels" in textOf(widget.ui.understoodLabel)
    slicer.util.updateVolumeFromArray(volume, np.arange(120.0).reshape(4, 5, 6))
    assert "4 slices, 1.0 mm apart" in textOf(widget.ui.understoodLabel)
    volume.SetSpacing(1.5, 1.5, 8.0)
    assert "4 slices, 8.0 mm apart" in textOf(widget.ui.understoodLabel)
    assert widget.ui.applyButton.isEnabled()


def test_a_cine_that_is_filled_later_becomes_usable(makeWidget, makeCine):
    widget = makeWidget()
    makeCine()
    assert widget.ui.inputSelector.currentNode().GetName() == "Cine"
    assert "4 slices" in textOf(widget.ui.understoodLabel)
    widget.panel.enter()
    assert "3 phases" in textOf(widget.ui.understoodLabel)


def test_playing_a_usable_cine_is_not_looked_at(widget, services, monkeypatch):
    looks: list = []
    monkeypatch.setattr(services, "understand", looks.append)
    slicer.util.getNode("SAX").GetImageData().Modified()
    assert looks == []


def test_a_scene_that_is_loaded_shows_what_it_was_saved_with(widget, makeVolume, scene, tmp_path):
    parameters = widget.logic.getParameterNode()
    parameters.input, parameters.spacing = makeVolume("second"), 4.0
    scene.Commit(str(tmp_path / "saved.mrml"))
    scene.Clear()
    scene.SetURL(str(tmp_path / "saved.mrml"))
    scene.Import()
    parameters = widget.logic.getParameterNode()
    assert (parameters.input.GetName(), parameters.spacing) == ("second", 4.0)
    assert widget.ui.inputSelector.currentNode() is parameters.input
    assert widget.ui.spacingSpinBox.value() == 4.0


def test_entering_looks_at_the_input_again(widget):
    node = widget.ui.inputSelector.currentNode()
    node.SetSpacing(1.5, 1.5, 12.0)
    widget.enter()
    assert "12" in textOf(widget.ui.understoodLabel)
    assert textOf(widget.ui.planLabel) == "4 slices become 19, 2.00 mm apart"


def test_entering_chooses_what_was_loaded_meanwhile(makeWidget, makeVolume):
    widget = makeWidget()
    makeVolume("loaded")
    widget.enter()
    assert widget.ui.inputSelector.currentNode().GetName() == "loaded"


def test_apply_sees_voxels_that_have_changed(widget, services):
    slicer.util.updateVolumeFromArray(widget.ui.inputSelector.currentNode(), slicer.util.array("SAX")[:1].copy())
    widget.ui.applyButton.click()
    assert services.logic.jobs == []
    assert "1 slice" in textOf(widget.ui.understoodLabel)


def test_another_selection_while_running_leaves_the_run_alone(widget, services, makeVolume, makeResult):
    widget.ui.applyButton.click()
    job = services.logic.job
    widget.ui.inputSelector.setCurrentNode(makeVolume("other"))
    assert not job.finished
    job.volume = makeResult(job.node)
    job.end()
    assert textOf(widget.ui.statusLabel) == "SAX CaLID is ready."


def test_quitting_cancels(widget, services, app):
    widget.ui.applyButton.click()
    app.aboutToQuit.emit()
    assert services.logic.job.finished


def test_cleanup_cancels_and_lets_go(module, services, makeVolume, scene, app):
    makeVolume()
    widget = module.CaLIDSlicerWidget(makeServices=lambda *_: services)
    widget.setup()
    parameters = widget.logic.getParameterNode()
    widget.ui.applyButton.click()
    widget.cleanup()
    assert services.logic.job.finished
    assert ("end",) in services.display.calls
    before = textOf(widget.ui.planLabel)
    parameters.spacing = 4.0
    scene.Clear()
    app.aboutToQuit.emit()
    assert textOf(widget.ui.planLabel) == before == ""
    assert len(services.logic.jobs) == 1


def test_reload_takes_the_packages_anew(widget, lib):
    before = lib("Panel.State")
    widget.onReload()
    assert widget.reloaded == 1
    assert not [name for name in sys.modules if name.partition(".")[0] in ("CaLIDSlicerLib", "calid")]
    assert lib("Panel.State") is not before


def test_sample_data_is_offered_after_start_up_and_not_before(module, app, monkeypatch):
    offered: list[tuple] = []
    monkeypatch.setattr(module.SampleData, "registerSampleData", lambda *arguments: offered.append(arguments))
    parent = slicer_stand_ins.ModuleParent()
    kept = module.CaLIDSlicer(parent)
    assert offered == []
    app.startupCompleted.emit()
    assert offered == [(kept.resourcePath(""),)]
    app.aboutToQuit.emit()


def test_the_layouts_are_known_after_start_up(module, app, scene, monkeypatch):
    """A scene that was saved in one of them must not come back without views."""
    monkeypatch.setattr(module.SampleData, "registerSampleData", lambda *_arguments: None)
    layoutNode = scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    kept = module.CaLIDSlicer(slicer_stand_ins.ModuleParent())
    app.startupCompleted.emit()
    assert kept
    assert all(layoutNode.IsLayoutDescription(number) for number in (27180, 27181))
    app.aboutToQuit.emit()


def test_the_module_describes_itself(module):
    parent = slicer_stand_ins.ModuleParent()
    module.CaLIDSlicer(parent)
    assert parent.categories == ["Cardiac"]
    assert "not for diagnosis" in parent.helpText
    assert "Automated Cardiac Diagnosis Challenge" in parent.acknowledgementText


def test_questions_and_errors_are_slicers_own_windows(module, services, monkeypatch):
    told: list[tuple] = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, windowTitle: text == "Start?")
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, windowTitle: told.append((text, windowTitle)))
    handed: list = []
    widget = module.CaLIDSlicerWidget(makeServices=lambda *given: handed.extend(given) or services)
    widget.setup()
    monkeypatch.setattr(
        slicer.util, "infoDisplay", lambda text, windowTitle, detailedText: told.append((detailedText,))
    )
    _logic, ask, tell, _chooseFile, _chooseStudy, _chooseOutput, _open, read, isInFront = handed
    assert ask("Start?") is True
    tell("Memory ran out.")
    read("240 files")
    assert told == [("Memory ran out.", "CaLID"), ("240 files",)]
    assert isInFront() is True
    widget.cleanup()


def test_a_scene_that_closes_while_another_module_is_open_stays_empty(widget, scene):
    widget.parent.isEntered = False
    scene.Clear()
    assert not widget.panel.isConnected
    widget.ui.spacingSpinBox.setValue(1.0)
    widget.enter()
    assert widget.ui.spacingSpinBox.value() == widget.logic.getParameterNode().spacing


def test_a_label_map_is_not_chosen_for_the_user(makeWidget, makeVolume, scene):
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    widget = makeWidget()
    assert widget.logic.getParameterNode().input is None
    makeVolume("stack")
    widget.enter()
    assert widget.logic.getParameterNode().input.GetName() == "stack"
