"""CaLIDSlicer.py on real MRML, with stand-ins for what only the application has: Qt and the module base classes."""

from __future__ import annotations

import importlib.util
import sys
import time
from types import ModuleType, SimpleNamespace
from unittest import TestCase
from unittest.mock import MagicMock

import numpy as np
import pytest
import slicer

from calid.errors import Cancelled, UnusableInput
from calid.protocol import Progress, Started, Warned
from CaLIDSlicerLib.VolumeBridge import voxelsOf


class Base:
    """Of module, widget and logic."""

    def __init__(self, parent=None) -> None:
        self.parent, self.layout = parent, MagicMock()

    def setup(self) -> None:
        pass


class TestBase(TestCase):
    __test__ = False

    def delayDisplay(self, message: str) -> None:
        self.skipTest(message)


@pytest.fixture
def module(monkeypatch):
    """The module file, imported as Slicer does."""
    freshWidgets = {name: lambda *_args: MagicMock() for name in ("QPushButton", "QLabel", "QProgressBar")}
    scripted = ModuleType("slicer.ScriptedLoadableModule")
    for suffix in ("", "Logic", "Widget"):
        setattr(scripted, f"ScriptedLoadableModule{suffix}", Base)
    scripted.ScriptedLoadableModuleTest = TestBase
    i18n = SimpleNamespace(tr=str, translate=lambda _context, text: text)
    stand_ins = {
        "qt": MagicMock(**freshWidgets),
        "ctk": MagicMock(),
        "slicer.ScriptedLoadableModule": scripted,
        "slicer.i18n": i18n,
    }
    for name, value in stand_ins.items():
        monkeypatch.setitem(sys.modules, name, value)
    monkeypatch.setattr(slicer, "qMRMLNodeComboBox", MagicMock(), raising=False)
    monkeypatch.setattr(slicer.util, "errorDisplay", MagicMock())
    monkeypatch.setattr(slicer.util, "setSliceViewerLayers", MagicMock())
    spec = importlib.util.find_spec("CaLIDSlicer")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def widget(module, repeatingWorker, makeVolume):
    widget = module.CaLIDSlicerWidget()
    widget.setup()
    widget.logic = module.CaLIDSlicerLogic(repeatingWorker)
    widget.spacingBox.value = 4.0
    widget.inputSelector.currentNode.return_value = makeVolume()
    yield widget
    widget.cleanup()


def pollUntilFinished(job) -> None:
    deadline = time.monotonic() + 30
    while not job.finished:
        assert time.monotonic() < deadline
        job.poll()
        time.sleep(0.02)


def isEnabled(button) -> bool:
    return button.setEnabled.call_args.args[0]


def test_the_module_describes_itself(module):
    parent = SimpleNamespace()
    module.CaLIDSlicer(parent)
    assert parent.categories == ["Cardiac"]
    assert "not for diagnosis" in parent.helpText
    assert "Automated Cardiac Diagnosis Challenge" in parent.acknowledgementText
    assert parent.contributors


def test_reconstruct_blocks_and_returns_the_dense_volume(module, repeatingWorker, makeVolume):
    sparse = makeVolume()
    dense = module.CaLIDSlicerLogic(repeatingWorker).reconstruct(sparse, spacing=4.0, mask=True)
    assert voxelsOf(dense).shape == (7, 40, 48)
    assert dense.GetNodeReference("CaLID.synthesised")


def test_start_returns_at_once_with_a_job(module, repeatingWorker, makeVolume, scene):
    progress: list = []
    finished: list = []
    job = module.CaLIDSlicerLogic(repeatingWorker).start(makeVolume(), 4.0, progress.append, finished.append)
    assert not job.finished
    pollUntilFinished(job)
    assert finished == [job]
    assert job.error is None
    assert job.volume.GetScene() is scene
    assert progress


def test_start_can_be_cancelled(module, repeatingWorker, makeVolume):
    job = module.CaLIDSlicerLogic(repeatingWorker).start(makeVolume(), 4.0)
    job.cancel()
    assert isinstance(job.error, Cancelled)


@pytest.mark.parametrize("name", ["test_oneSliceIsRefused", "test_nothingToDoIsRefused", "test_acquiredSlicesAreKept"])
def test_the_self_test_passes(module, name):
    result = module.CaLIDSlicerTest(name).run()
    assert result.wasSuccessful(), result.failures + result.errors
    assert not result.skipped


def test_apply_shows_the_dense_volume(widget):
    assert isEnabled(widget.applyButton)
    widget.onApply()
    assert not isEnabled(widget.applyButton)
    assert isEnabled(widget.cancelButton)
    pollUntilFinished(widget.job)
    assert isEnabled(widget.applyButton)
    shown = slicer.util.setSliceViewerLayers.call_args.kwargs["background"]
    assert shown.GetName() == "SAX CaLID"
    assert widget.progressBar.setValue.call_args.args == (100,)
    slicer.util.errorDisplay.assert_not_called()


def test_cancel_is_no_error(widget):
    widget.onApply()
    widget.onCancel()
    assert widget.job is None
    assert isEnabled(widget.applyButton)
    slicer.util.errorDisplay.assert_not_called()


def test_leaving_the_module_ends_the_job(widget):
    widget.onApply()
    job = widget.job
    widget.cleanup()
    assert isinstance(job.error, Cancelled)


def test_an_unusable_input_is_explained(widget, makeVolume):
    widget.inputSelector.currentNode.return_value = makeVolume(np.arange(20.0).reshape(1, 4, 5))
    widget.onApply()
    assert "1 slice" in slicer.util.errorDisplay.call_args.args[0]
    assert isEnabled(widget.applyButton)


def test_a_failed_job_is_explained(widget, module, makeWorker):
    widget.logic = module.CaLIDSlicerLogic(makeWorker("sys.exit('the reason')"))
    widget.onApply()
    pollUntilFinished(widget.job)
    assert "the reason" in slicer.util.errorDisplay.call_args.args[0]
    assert isEnabled(widget.applyButton)


def test_without_a_volume_there_is_nothing_to_apply(widget):
    widget.inputSelector.currentNode.return_value = None
    widget._showState()
    assert not isEnabled(widget.applyButton)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Started("m1", "cpu", 1, 4, 7), "m1 on cpu"),
        (Warned("slow"), "slow"),
        (Progress(0, 1, 1, 4, 0.25, 61.6), "62 s left"),
    ],
)
def test_progress_is_shown(widget, event, text):
    widget.onProgress(event)
    assert widget.status.setText.call_args.args == (text,)


def test_the_logic_refuses_before_it_starts(module, makeVolume):
    with pytest.raises(UnusableInput):
        module.CaLIDSlicerLogic(["/no/such/program"]).start(makeVolume(), spacing=0)
