"""Fixtures: the panel from its real ``.ui`` in real Qt, on real MRML, with collaborators that do as a test says."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import slicer

sys.path.insert(0, str(Path(__file__).parent))  # for the helper files of this folder

import slicer_stand_ins
from scripted_services import ScriptedModels, ScriptedServices

from calid.phantom.beating_heart import make_phantom

ROOT = Path(__file__).resolve().parents[2]
OWN_PACKAGES = ("CaLIDSlicer", "CaLIDSlicerLib")


def _load(path: Path):
    spec = importlib.util.spec_from_file_location("slicer_fixtures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


slicerFixtures = _load(ROOT / "Testing" / "slicer" / "conftest.py")
jobFolders, processesNaming = slicerFixtures.jobFolders, slicerFixtures.processesNaming
makeWorker, repeatingWorker = slicerFixtures.makeWorker, slicerFixtures.repeatingWorker
stallingWorker = slicerFixtures.stallingWorker


def own() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] in OWN_PACKAGES]


@pytest.fixture(scope="session")
def qtApplication():
    return slicer_stand_ins.startQt()


@pytest.fixture(autouse=True)
def scene(monkeypatch):
    scene = slicer.vtkMRMLScene()
    sequences = slicer.vtkSlicerSequencesLogic()  # watches all sequence browsers, as in Slicer
    sequences.SetMRMLScene(scene)
    modules = SimpleNamespace(sequences=SimpleNamespace(logic=lambda: sequences))
    monkeypatch.setattr(slicer, "modules", modules, raising=False)
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)  # in Slicer there always is one
    yield scene
    sequences.SetMRMLScene(None)


@pytest.fixture(autouse=True)
def app(qtApplication, monkeypatch):
    """``slicer.app``, only here; what was imported without it, or with it, stays apart."""
    backend = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "calid"}
    for name in own():
        monkeypatch.delitem(sys.modules, name)
    yield slicer_stand_ins.install(monkeypatch)
    for name in own():
        del sys.modules[name]
    sys.modules.update(backend)  # a test of "reload" drops them


@pytest.fixture
def pumpUntil(app):
    """Let Qt's event loop run until something is so; it fails after minutes, for a machine may be busy."""

    def pump(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 240
        while not condition():
            assert time.monotonic() < deadline
            app.processEvents()
            time.sleep(0.01)

    return pump


@pytest.fixture
def lib():
    """Modules of ``CaLIDSlicerLib`` by name."""
    return lambda name: importlib.import_module(f"CaLIDSlicerLib.{name}")


@pytest.fixture
def module():
    """``CaLIDSlicer.py``."""
    return importlib.import_module("CaLIDSlicer")


@pytest.fixture
def makeVolume(scene):
    def make(name: str = "SAX"):
        voxels = make_phantom(slices=4, gap=8.0, matrix=(40, 48), pixel=4.0).sparse.voxels[0].astype(np.int16)
        volume = slicer.util.addVolumeFromArray(voxels, name=name)
        volume.SetSpacing(1.5, 1.5, 8.0)
        return volume

    return make


@pytest.fixture
def makeCine(scene):
    """A cine of three phases: its proxy volume, played by a sequence browser."""

    def make(name: str = "Cine", phases: int = 3):
        sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
        for phase in range(phases):
            sequence.SetDataNodeAtValue(newVolume(phase), str(phase))
        browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} browser")
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        slicer.vtkSlicerSequencesLogic().UpdateProxyNodesFromSequences(browser)
        return browser.GetProxyNode(sequence)

    return make


def newVolume(phase: int):
    voxels = make_phantom(slices=4, gap=8.0, matrix=(40, 48), pixel=4.0).sparse.voxels[0].astype(np.int16) + phase
    volume = slicer.vtkMRMLScalarVolumeNode()
    slicer.util.updateVolumeFromArray(volume, voxels)
    volume.SetSpacing(1.5, 1.5, 8.0)
    return volume


@pytest.fixture
def makeResult(makeVolume, lib):
    """A dense volume as ``Reconstruction`` leaves it, with mask and uncertainty."""

    def make(sparse, name: str = "SAX CaLID"):
        roles = lib("Scene.Provenance")
        dense = makeVolume(name)
        dense.SetNodeReferenceID(roles.INPUT_ROLE, sparse.GetID())
        for role in (roles.MASK_ROLE, roles.UNCERTAINTY_ROLE):
            dense.SetNodeReferenceID(role, makeVolume(f"{name} {role}").GetID())
        return dense

    return make


@pytest.fixture
def services(lib) -> ScriptedServices:
    return ScriptedServices(lib("Panel.Understanding").understand, ScriptedModels(str(ROOT / "Resources" / "Models")))


@pytest.fixture
def makeWidget(module, services):
    """Open the module's widget in an empty or filled scene; it is closed at the end of the test."""
    opened = []

    def make():
        widget = module.CaLIDSlicerWidget(makeServices=lambda *_: services)
        widget.setup()
        opened.append(widget)
        return widget

    yield make
    for widget in opened:
        widget.cleanup()


@pytest.fixture
def widget(makeWidget, makeVolume):
    """The widget with a volume chosen."""
    makeVolume()
    return makeWidget()
