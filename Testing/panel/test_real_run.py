"""The panel with the real logic and a real worker process, driven by Qt's event loop."""

from __future__ import annotations

import os
import signal

import pytest
import slicer
from looking import textOf

WAITING = "import time; print('', flush=True); time.sleep(60)"


@pytest.fixture
def run(module, services, makeWidget, pumpUntil):
    """Open the panel, press Apply with a worker, and return the widget."""

    def start(worker: list[str]):
        services.logic = module.CaLIDSlicerLogic(worker)
        widget = makeWidget()
        widget.ui.spacingSpinBox.setValue(4.0)
        widget.ui.applyButton.click()
        assert services.told == []
        return widget

    return start


def isIdle(widget) -> bool:
    return widget.ui.applyButton.text() == "Apply"


def names(scene) -> list[str]:
    nodes = [scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes())]
    return sorted(node.GetID() for node in nodes if not node.GetSingletonTag())


def press(widget, services) -> None:
    services.time += 10
    widget.ui.applyButton.click()


def test_a_still(run, makeVolume, repeatingWorker, services, pumpUntil):
    sparse = makeVolume()
    widget = run(repeatingWorker)
    assert widget.ui.applyButton.text() == "Cancel"
    pumpUntil(lambda: isIdle(widget))
    dense = widget.ui.resultSelector.currentNode()
    assert textOf(widget.ui.statusLabel) == f"{dense.GetName()} is ready."
    assert slicer.util.arrayFromVolume(dense)[::2].tolist() == slicer.util.arrayFromVolume(sparse).tolist()
    assert widget.ui.uncertaintyButton.isEnabled()
    assert widget.ui.synthesisedButton.isEnabled()
    assert textOf(widget.ui.notesLabel) == "Warning: Größe: 2 µm."


def test_a_cine_comes_phase_by_phase_and_plays(run, makeCine, repeatingWorker, services, pumpUntil):
    makeCine()
    widget = run(repeatingWorker)
    pumpUntil(lambda: isIdle(widget))
    shown = [call[1] for call in services.display.calls if call[0] == "showResult"]
    dense = widget.ui.resultSelector.currentNode()
    assert shown == [dense]  # at its first phase; what the user made of the views by its end is kept
    assert services.display.calls[-1] == ("play", dense, True)
    assert widget.ui.playButton.isChecked()


@pytest.mark.parametrize("keep", [True, False])
def test_a_cancelled_cine(run, makeCine, stallingWorker, services, scene, pumpUntil, keep):
    makeCine()
    before = names(scene)
    widget = run(stallingWorker)
    widget.ui.keepPhasesCheckBox.setChecked(keep)
    pumpUntil(lambda: widget.ui.progressBar.value() > 600)
    press(widget, services)
    dense = widget.ui.resultSelector.currentNode()
    assert isIdle(widget)
    assert (dense is not None) is keep
    assert (names(scene) == before) is not keep


def test_the_phase_shown_can_be_switched_while_running(run, makeCine, repeatingWorker, scene, pumpUntil):
    makeCine()
    browser = scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode")
    widget = run(repeatingWorker)
    browser.SetSelectedItemNumber(2)
    pumpUntil(lambda: isIdle(widget))
    assert "is ready" in textOf(widget.ui.statusLabel)


def test_the_input_deleted_while_running(run, makeVolume, makeWorker, services, scene, pumpUntil):
    sparse = makeVolume()
    others = [name for name in names(scene) if name != sparse.GetID()]
    widget = run(makeWorker(WAITING))
    scene.RemoveNode(sparse)
    pumpUntil(lambda: isIdle(widget))
    assert "was removed from the scene" in textOf(widget.ui.statusLabel)
    assert services.told == []
    assert names(scene) == others


def test_the_scene_closed_while_running(run, makeCine, stallingWorker, services, scene, pumpUntil, processesNaming):
    makeCine()
    widget = run(stallingWorker)
    pumpUntil(lambda: widget.ui.progressBar.value() > 600)
    scene.Clear()
    assert isIdle(widget)
    assert names(scene) == []
    assert processesNaming(stallingWorker[-1]) == []
    assert services.told == []


def test_quitting_while_running_ends_the_worker(run, makeVolume, makeWorker, app, pumpUntil, processesNaming):
    makeVolume()
    worker = makeWorker(WAITING)
    run(worker)
    pumpUntil(lambda: processesNaming(worker[-1]))
    app.aboutToQuit.emit()
    assert processesNaming(worker[-1]) == []


def test_reload_while_running_ends_the_worker(module, services, makeVolume, makeWorker, pumpUntil, processesNaming):
    makeVolume()
    worker = makeWorker(WAITING)
    services.logic = module.CaLIDSlicerLogic(worker)
    widget = module.CaLIDSlicerWidget(makeServices=lambda *_: services)
    widget.setup()
    widget.ui.applyButton.click()
    pumpUntil(lambda: processesNaming(worker[-1]))
    widget.onReload()
    widget.cleanup()  # Slicer calls it after it has loaded the new code
    assert processesNaming(worker[-1]) == []


def test_a_killed_worker(run, makeVolume, makeWorker, services, scene, pumpUntil, processesNaming):
    makeVolume()
    before = names(scene)
    worker = makeWorker(WAITING)
    widget = run(worker)
    pumpUntil(lambda: processesNaming(worker[-1]))
    for process in processesNaming(worker[-1]):
        os.kill(process, signal.SIGKILL)
    pumpUntil(lambda: isIdle(widget))
    assert "killed the worker process" in services.told[0]
    assert textOf(widget.ui.statusLabel).startswith("Error: The system killed")
    assert names(scene) == before


@pytest.mark.parametrize(
    ("kind", "message"),
    [("OutOfResources", "the disk is full"), ("WeightsError", "vae.safetensors is altered")],
)
def test_a_failure_in_the_workers_own_words(run, makeVolume, makeWorker, services, scene, pumpUntil, kind, message):
    makeVolume()
    before = names(scene)
    worker = makeWorker(
        f"""
        from calid.protocol import Failed
        print(Failed("{kind}", "{message}", "do something", 3).to_line(), flush=True)
        sys.exit(3)
        """
    )
    widget = run(worker)
    pumpUntil(lambda: isIdle(widget))
    assert services.told == [f"{message.capitalize()}. Do something."]
    assert names(scene) == before


def test_a_worker_without_pytorch(run, makeVolume, makeWorker, services, pumpUntil):
    makeVolume()
    widget = run(makeWorker("raise ModuleNotFoundError(\"No module named 'torch'\")"))
    pumpUntil(lambda: isIdle(widget))
    assert "The Python package torch is not installed" in services.told[0]
