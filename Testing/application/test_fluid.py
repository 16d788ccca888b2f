"""The window never freezes: a cine of 30 phases comes into the scene, ends, is cancelled and goes, in short turns.

A stand-in for the worker repeats each slice, so that the results come faster than any model makes them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import slicer
from driving import isRunning, panel, parameters, spin, ui, waitForRun, waitForViews, widget
from watching import Silence

from CaLIDSlicerLib.Host import CALID_PARENT, workerCommand
from CaLIDSlicerLib.Setup.DeviceProbe import DeviceReport

PHASES, SLICES, MATRIX = 30, 12, 256
MOST_SECONDS = 0.2
"""Of computing between two turns of the event loop, in one call of ours."""
VIEWS_SECONDS = 0.7
"""The same where the scene and the views are as they were before a cancel returns."""
SHOWING_SECONDS = 0.8
"""The same where Slicer draws six new views for the first time, which it does at once."""

WORKER = f"""
import sys, time
sys.path.insert(0, {str(CALID_PARENT)!r})
from pathlib import Path
import numpy as np
from calid.protocol import Done, Job, PhaseFinished, Progress, Started
from calid.stacks.plan import plan_slices

def say(event):
    print(event.to_line(), flush=True)

stop, folder = int(sys.argv[1]), Path(sys.argv[2])
job = Job.read(folder)
voxels = np.load(folder / "input.npy", mmap_mode="r")
plan = plan_slices(job.positions, job.options.spacing)
below = np.maximum.accumulate([-1 if k is None else k for k in plan.acquired])
say(Started("repeat", "cpu", len(voxels), voxels.shape[1], len(below)))
for t in range(len(voxels)):
    if t == stop:
        time.sleep(600)
    np.save(folder / f"dense_{{t}}.npy", voxels[t][below])
    np.save(folder / f"uncertainty_{{t}}.npy", voxels[t][below].astype(np.float32) / 10)
    say(Progress(t, len(voxels), 1, 1, (t + 1) / len(voxels), 0.0))
    say(PhaseFinished(t, f"dense_{{t}}.npy", f"uncertainty_{{t}}.npy"))
say(Done(plan.positions.tolist(), plan.acquired, {{"model": "repeat"}}))
"""


def test_a_cine_of_30_phases_does_not_freeze_the_window():
    makeCine()
    with worker(stop=PHASES):
        with Silence() as choosing:
            panel().enter()
            spin(0.3)
        start()
        with Silence() as showing:
            spin(lambda: job().volume, 120)
            waitForViews()
            spin(2)
        with Silence() as adding:
            spin(lambda: not isRunning() or len(job()._missing) < 3, 300)  # a quick machine may be done
        with Silence() as ending:
            status = waitForRun()
    assert "ready" in status, status
    assert parameters().result.GetAttribute("CaLID.model") == "repeat"
    checkPlayback()
    assert choosing.cpu < 2 * MOST_SECONDS, choosing.cpu
    assert showing.cpu < SHOWING_SECONDS, showing.cpu
    assert adding.cpu < MOST_SECONDS, adding.cpu
    assert ending.cpu < 2 * MOST_SECONDS, ending.cpu


def test_a_cancel_that_keeps_phases_or_takes_them_back_does_not_freeze_the_window():
    makeCine()
    with worker(stop=PHASES // 2):
        for keeps, most in ((True, 2 * MOST_SECONDS), (False, VIEWS_SECONDS)):
            start()
            spin(lambda: len(job()._missing) == PHASES - PHASES // 2, 300)
            parameters().keepPhases = keeps
            spin(0.6)  # a second click on Apply too soon would be taken for a double click
            with Silence() as silence:
                ui().applyButton.click()
                spin(1)
            assert not isRunning()
            assert silence.cpu < most, (keeps, silence.cpu)
            sequences = slicer.util.getNodesByClass("vtkMRMLSequenceNode")
            assert sorted({node.GetNumberOfDataNodes() for node in sequences}) == [PHASES // 2, PHASES]


def checkPlayback():
    """All phases are there to be played, also those that came while another one was shown."""
    sparse, dense = parameters().input, parameters().result
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(dense)
    assert browser.GetSequenceNode(dense).GetNumberOfDataNodes() == browser.GetNumberOfItems() == PHASES
    assert ui().playButton.checked == browser.GetPlaybackActive()
    browser.SetPlaybackActive(False)
    spin(0.3)
    assert not ui().playButton.checked
    for phase in (PHASES // 2, PHASES - 1, 0):
        browser.SetSelectedItemNumber(phase)
        before, after = slicer.util.arrayFromVolume(sparse), slicer.util.arrayFromVolume(dense)
        assert np.array_equal(after[0], before[0]), phase


def makeCine():
    """Add a cine of noise around a bright disc and choose it; the phantom of this size would take half a minute."""
    rows, columns = np.mgrid[:MATRIX, :MATRIX] - MATRIX / 2
    noise = np.random.default_rng(0).normal(50, 10, (SLICES, MATRIX, MATRIX))
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Cine sequence")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("ms")
    for phase in range(PHASES):
        volume = slicer.vtkMRMLScalarVolumeNode()
        disc = np.hypot(rows, columns) < 40 + 10 * np.cos(2 * np.pi * phase / PHASES)
        slicer.util.updateVolumeFromArray(volume, (noise + 300 * disc).astype(np.int16))
        volume.SetSpacing(1.4, 1.4, 10)
        sequence.SetDataNodeAtValue(volume, str(30 * phase))
        spin(0.02)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "Cine browser")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    spin(0.3)
    parameters().input = browser.GetProxyNode(sequence)
    parameters().spacing = 2.0
    parameters().uncertainty = True
    spin(0.3)


@contextmanager
def worker(stop: int) -> Iterator[None]:
    """Let runs be computed by the stand-in, which says nothing more after ``stop`` phases."""
    services, logic = panel().services, widget().logic
    before = services.findDevice, logic._workerCommand
    services.findDevice = lambda _wanted: DeviceReport("cpu", "stand-in", None, None, "0", False)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "worker.py")
        script.write_text(WORKER, encoding="utf-8")
        logic._workerCommand = [workerCommand()[0], str(script), str(stop)]
        try:
            yield
        finally:
            panel().run.close()
            services.findDevice, logic._workerCommand = before


def start() -> None:
    assert ui().applyButton.enabled, ui().applyButton.toolTip
    ui().applyButton.click()
    spin(job, 60)


def job():
    return panel().run._job
