"""Fixtures on the real MRML of slicer-core: a scene, volumes, and scripted workers that misbehave on demand."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import slicer

from calid.phantom.beating_heart import make_phantom
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction

CALID_PARENT = Path(__file__).parents[2] / "CaLIDSlicer"

# A worker that only repeats each slice below; the reconstruction itself is the backend's to test.
REPEATING_WORKER = """
import time
import numpy as np
from calid.stacks.plan import plan_slices
from calid.protocol import Done, PhaseFinished, Progress, Started, Warned

def say(event):
    print(event.to_line(), flush=True)

voxels = np.load(folder / "input.npy")
plan = plan_slices(job.positions, job.options.spacing)
say(Started("repeat", "cpu", len(voxels), voxels.shape[1], len(plan.positions)))
say(Warned("Größe: 2 µm"))
below = np.maximum.accumulate([-1 if k is None else k for k in plan.acquired])
for t in range(len(voxels)):
    if t == STALL_AT:
        time.sleep(60)
    dense, spread = f"dense_{t:03d}.npy", f"uncertainty_{t:03d}.npy"
    np.save(folder / dense, voxels[t][below])
    if job.options.uncertainty:
        np.save(folder / spread, np.full(voxels[t][below].shape, 0.5 + t, np.float32))
    say(Progress(t, len(voxels), 1, 1, (t + 1) / len(voxels), 0.0))
    say(PhaseFinished(t, dense, spread if job.options.uncertainty else None))
say(Done(plan.positions.tolist(), plan.acquired, {"model": "repeat", "seed": job.options.seed}))
"""

PREAMBLE = """
import sys
from pathlib import Path
sys.path.insert(0, {calid!r})
from calid.protocol import Job
folder = Path(sys.argv[-1])
job = Job.read(folder)
"""


@pytest.fixture(autouse=True)
def scene(monkeypatch):
    scene = slicer.vtkMRMLScene()
    scene.RegisterNodeClass(slicer.vtkMRMLSequenceBrowserNode())  # in Slicer the Sequences module does so
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    return scene


@pytest.fixture(autouse=True)
def jobFolders(monkeypatch, tmp_path):
    """The folder that all job folders go to; whatever a test does, it must be empty at its end."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))  # made by an import, not by a job
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def makeVolume(scene):
    """Add a volume of the given voxels, by default a small phantom stack, and affine."""

    def make(voxels: np.ndarray | None = None, ijkToRas: np.ndarray | None = None, name: str = "SAX"):
        if voxels is None:
            voxels = make_phantom(slices=4, gap=8.0, matrix=(40, 48), pixel=4.0).sparse.voxels[0].astype(np.int16)
        volume = slicer.util.addVolumeFromArray(voxels, name=name)
        volume.SetIJKToRASMatrix(
            slicer.util.vtkMatrixFromArray(np.diag([1.4, 1.4, 8.0, 1.0]) if ijkToRas is None else ijkToRas)
        )
        return volume

    return make


@pytest.fixture
def makeWorker(tmp_path):
    """The command of a worker that runs the given lines, with ``job`` and ``folder`` at hand."""

    def make(lines: str) -> list[str]:
        script = tmp_path / f"worker{len(list(tmp_path.glob('worker*.py')))}.py"  # a test may have several
        script.write_text(PREAMBLE.format(calid=str(CALID_PARENT)) + textwrap.dedent(lines), encoding="utf-8")
        return [sys.executable, str(script)]

    return make


@pytest.fixture
def makeCine(scene):
    """Add a cine of small phantom phases, or of the given voxels (t, k, j, i): its sequence, browser and proxy."""

    def make(
        voxels: np.ndarray | None = None, name: str = "SAX", values=("0", "30", "60"), isPlayed=True, index="numeric"
    ):
        if voxels is None:
            voxels = make_phantom(slices=4, gap=8.0, matrix=(40, 48), pixel=4.0, phases=len(values)).sparse.voxels
        sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", f"{name} sequence")
        sequence.SetIndexName("time")
        sequence.SetIndexUnit("ms")
        sequence.SetIndexTypeFromString(index)
        for phase, value in zip(voxels, values, strict=True):
            node = slicer.vtkMRMLScalarVolumeNode()
            node.SetName(name)
            slicer.util.updateVolumeFromArray(node, phase)
            node.SetSpacing(1.4, 1.4, 8.0)
            sequence.SetDataNodeAtValue(node, value)
        if not isPlayed:
            return SimpleNamespace(sequence=sequence, browser=None, proxy=None, voxels=voxels)
        browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} browser")
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        logic = slicer.vtkSlicerSequencesLogic()
        logic.SetMRMLScene(scene)
        logic.UpdateProxyNodesFromSequences(browser)
        proxy = browser.GetProxyNode(sequence)
        proxy.SetName(name)
        return SimpleNamespace(sequence=sequence, browser=browser, proxy=proxy, voxels=voxels)

    return make


@pytest.fixture
def sequencesLogic(scene):
    """The logic that in Slicer watches all sequence browsers; to be asked for before they are made."""
    logic = slicer.vtkSlicerSequencesLogic()
    logic.SetMRMLScene(scene)
    return logic


@pytest.fixture
def repeatingWorker(makeWorker):
    return makeWorker("STALL_AT = None\n" + REPEATING_WORKER)


@pytest.fixture
def stallingWorker(makeWorker):
    """A worker that makes two phases of a cine and then nothing more."""
    return makeWorker("STALL_AT = 2\n" + REPEATING_WORKER)


@pytest.fixture
def reconstruct(repeatingWorker):
    def run(node, **options) -> Reconstruction:
        job = Reconstruction(node, 4.0, workerCommand=repeatingWorker, **options)
        job.wait()
        return job

    return run


@pytest.fixture
def processesNaming():
    """The living processes whose command line holds a text: zombies have none."""

    def find(text: str) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if text.encode() in command:
                    found.append(int(entry.name))
        return found

    return find
