"""Fixtures on the real MRML of slicer-core: a scene, volumes, and scripted workers that misbehave on demand."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest
import slicer

from calid.phantom import make_phantom

CALID_PARENT = Path(__file__).parents[2] / "CaLIDSlicer"

# A worker that only repeats each slice below; the reconstruction itself is the backend's to test.
REPEATING_WORKER = """
import time
import numpy as np
from calid.plan import plan_slices
from calid.protocol import Done, PhaseFinished, Progress, Started, Warned

def say(event):
    print(event.to_line(), flush=True)

voxels = np.load(folder / "input.npy")
plan = plan_slices(job.positions, job.spacing)
say(Started("repeat", "cpu", len(voxels), voxels.shape[1], len(plan.positions)))
say(Warned("Größe: 2 µm"))
below = np.maximum.accumulate([-1 if k is None else k for k in plan.acquired])
np.save(folder / "dense_000.npy", voxels[0][below])
if job.uncertainty:
    np.save(folder / "uncertainty_000.npy", np.full(voxels[0][below].shape, 0.5, np.float32))
say(Progress(0, 1, 1, 1, 1.0, 0.0))
say(PhaseFinished(0, "dense_000.npy", "uncertainty_000.npy" if job.uncertainty else None))
say(Done(plan.positions.tolist(), plan.acquired, {"model": "repeat", "seed": job.seed}))
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
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    return scene


@pytest.fixture(autouse=True)
def jobFolders(monkeypatch, tmp_path):
    """The folder that all job folders go to; whatever a test does, it must be empty at its end."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
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
        script = tmp_path / "worker.py"
        script.write_text(PREAMBLE.format(calid=str(CALID_PARENT)) + textwrap.dedent(lines), encoding="utf-8")
        return [sys.executable, str(script)]

    return make


@pytest.fixture
def repeatingWorker(makeWorker):
    return makeWorker(REPEATING_WORKER)


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
