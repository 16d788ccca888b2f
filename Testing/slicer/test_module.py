"""CaLIDSlicer.py without a window: what a console or a script does, on real MRML; the panel is in ``Testing/panel``."""

from __future__ import annotations

import importlib.util
import sys
import time
from types import ModuleType, SimpleNamespace
from unittest import TestCase

import pytest

from calid.errors import Cancelled, UnusableInput
from calid.protocol import Checked
from CaLIDSlicerLib.Scene.VolumeBridge import voxelsOf

OWN = ("CaLIDSlicerLib.Panel.Controller", "CaLIDSlicerLib.Panel.Parameters")


class Base:
    """Of module, widget and logic."""

    def __init__(self, parent=None) -> None:
        self.parent = parent


class TestBase(TestCase):
    __test__ = False


@pytest.fixture
def module(monkeypatch):
    """The module file, imported as Slicer does, with stand-ins for what only the application has."""
    scripted = ModuleType("slicer.ScriptedLoadableModule")
    for suffix in ("", "Logic", "Widget"):
        setattr(scripted, f"ScriptedLoadableModule{suffix}", Base)
    scripted.ScriptedLoadableModuleTest = TestBase
    stand_ins = {
        "qt": SimpleNamespace(QObject=object),
        "slicer.ScriptedLoadableModule": scripted,
        "slicer.i18n": SimpleNamespace(tr=str, translate=lambda _context, text: text),
        "slicer.parameterNodeWrapper": SimpleNamespace(
            WithinRange=lambda *limits: limits, parameterNodeWrapper=lambda wrapped: wrapped
        ),
    }
    for name, value in stand_ins.items():
        monkeypatch.setitem(sys.modules, name, value)
    spec = importlib.util.find_spec("CaLIDSlicer")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in [name for name in sys.modules if name.startswith(OWN)]:
        del sys.modules[name]  # they hold the stand-ins


def pollUntilFinished(job) -> None:
    deadline = time.monotonic() + 30
    while not job.finished:
        assert time.monotonic() < deadline
        job.poll()
        time.sleep(0.02)


def test_the_module_needs_no_application(module):
    parent = SimpleNamespace()
    module.CaLIDSlicer(parent)
    assert parent.title
    assert parent.contributors


def test_reconstruct_blocks_and_returns_the_dense_volume(module, repeatingWorker, makeVolume):
    sparse = makeVolume()
    dense = module.CaLIDSlicerLogic(repeatingWorker).reconstruct(sparse, spacing=4.0, mask=True)
    assert voxelsOf(dense).shape == (7, 40, 48)
    assert dense.GetNodeReference("CaLID.synthesised")


@pytest.mark.parametrize("kind", ["proxy", "sequence", "browser"])
def test_a_cine_is_given_by_any_of_its_nodes(module, repeatingWorker, makeCine, kind):
    cine = makeCine()
    dense = module.CaLIDSlicerLogic(repeatingWorker).reconstruct(getattr(cine, kind), spacing=4.0)
    sequence = cine.browser.GetSequenceNode(dense)
    assert sequence.GetNumberOfDataNodes() == cine.sequence.GetNumberOfDataNodes()


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


def test_the_logic_refuses_before_it_starts(module, makeVolume):
    with pytest.raises(UnusableInput):
        module.CaLIDSlicerLogic(["/no/such/program"]).start(makeVolume(), spacing=0)


def test_the_self_check_goes_through_the_same_worker(module, makeWorker, makeVolume):
    checked = Checked([], "predicted.npy", 8.0)
    worker = makeWorker(f"print({checked.to_line()!r}); print(job.task, file=sys.stderr); sys.exit(1)")
    job = module.CaLIDSlicerLogic(worker).selfCheck(makeVolume())
    pollUntilFinished(job)
    assert "self-check" in str(job.error)


def test_the_self_test_knows_its_logic(module):
    assert isinstance(module.CaLIDSlicerTest().makeLogic(), module.CaLIDSlicerLogic)
