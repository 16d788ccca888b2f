"""Whatever happens to a job, no process, no temporary file and no half result is left, and the error says why."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import slicer

import CaLIDSlicerLib
from calid.errors import CalidError, Cancelled, DependencyError, OutOfResources, UnusableInput, WeightsError
from calid.protocol import Progress, Started, Warned
from CaLIDSlicerLib import Host
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction

SLEEP_WITH_CHILD = """
import subprocess, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(folder)])
print(Progress(0, 1, 1, 2, 0.5).to_line(), flush=True)
(folder / "dense_000.npy").write_bytes(b"half a resul")
time.sleep(60)
"""
CLAIM_A_RESULT = "print(PhaseFinished(0, 'dense_000.npy').to_line()); print(Done([0.0], [0]).to_line())"
IMPORTS = "from calid.protocol import Done, Failed, PhaseFinished, Progress\n"


@pytest.fixture
def sleepingWorker(makeWorker):
    return makeWorker(IMPORTS + SLEEP_WITH_CHILD)


def waitUntil(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def startAndWaitForProgress(node, command, **options) -> Reconstruction:
    events: list = []
    job = Reconstruction(node, 4.0, events.append, workerCommand=command, **options)
    waitUntil(lambda: job.poll() or events)
    return job


def failure(node, command, **options) -> CalidError:
    with pytest.raises(CalidError) as caught:
        Reconstruction(node, 4.0, workerCommand=command, **options).wait()
    return caught.value


def test_cancel_ends_the_whole_tree_within_two_seconds(makeVolume, sleepingWorker, scene, jobFolders, processesNaming):
    finished: list = []
    node = makeVolume()
    before = scene.GetNumberOfNodes()
    job = startAndWaitForProgress(node, sleepingWorker, onFinished=finished.append)
    waitUntil(lambda: len(processesNaming(str(jobFolders))) == 2)  # the worker and its child

    start = time.monotonic()
    job.cancel()
    assert time.monotonic() - start < 2
    assert processesNaming(str(jobFolders)) == []
    assert list(jobFolders.iterdir()) == []
    assert scene.GetNumberOfNodes() == before
    assert isinstance(job.error, Cancelled)
    job.cancel()
    assert finished == [job]


def test_cancel_at_once(makeVolume, sleepingWorker, jobFolders, processesNaming):
    job = Reconstruction(makeVolume(), 4.0, workerCommand=sleepingWorker)
    job.cancel()
    assert processesNaming(str(jobFolders)) == []
    with pytest.raises(Cancelled):
        job.wait()


def test_cancel_from_the_progress_callback(makeVolume, sleepingWorker, jobFolders, processesNaming):
    job = Reconstruction(makeVolume(), 4.0, lambda _event: job.cancel(), workerCommand=sleepingWorker)
    with pytest.raises(Cancelled):
        job.wait()
    assert processesNaming(str(jobFolders)) == []


def test_a_failing_callback_ends_the_job_and_is_heard(makeVolume, sleepingWorker, jobFolders, processesNaming):
    def fail(_event):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Reconstruction(makeVolume(), 4.0, fail, workerCommand=sleepingWorker).wait()
    assert processesNaming(str(jobFolders)) == []


def test_a_worker_killed_by_the_system(makeVolume, sleepingWorker, jobFolders, processesNaming):
    job = startAndWaitForProgress(makeVolume(), sleepingWorker)
    waitUntil(lambda: len(processesNaming(str(jobFolders))) == 2)
    os.kill(min(processesNaming(str(jobFolders))), signal.SIGKILL)  # its child lives on and holds the pipes
    with pytest.raises(OutOfResources, match="memory"):
        job.wait()
    assert processesNaming(str(jobFolders)) == []


def test_a_worker_that_floods_stderr_does_not_stall(makeVolume, makeWorker, scene):
    command = makeWorker("sys.stderr.write('warning ' * 2_000_000); sys.exit('the true reason')")
    error = failure(makeVolume(), command)
    assert "the true reason" in str(error)
    assert len(str(error)) < 5000


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("UnusableInput", UnusableInput), ("WeightsError", WeightsError), ("ExitCode", CalidError), ("", CalidError)],
)
def test_an_error_of_the_worker_keeps_its_type_and_remedy(makeVolume, makeWorker, kind, expected):
    command = makeWorker(IMPORTS + f"print(Failed({kind!r}, 'what', 'remedy', 4).to_line(), flush=True); sys.exit(4)")
    error = failure(makeVolume(), command)
    assert (type(error), str(error), error.remedy) == (expected, "what", "remedy")


@pytest.mark.parametrize(
    ("lines", "expected", "said"),
    [
        ("sys.exit(0)", CalidError, "exit code 0"),
        ("sys.exit(4)", WeightsError, "exit code 4"),
        ("sys.exit(77)", CalidError, "exit code 77"),
        ("import no_such_package.part", DependencyError, "no_such_package"),
        ("print(Done([0.0], [0]).to_line(), flush=True)", CalidError, "without a result"),
        (
            CLAIM_A_RESULT,
            CalidError,
            "dense_000.npy cannot be read",
        ),
        (
            "import numpy; numpy.save(folder / 'dense_000.npy', numpy.zeros((2, 2, 2)))\n" + CLAIM_A_RESULT,
            CalidError,
            "float64",
        ),
        (
            "print(Failed('DependencyError', 'no torch', '{install:torch}', 1).to_line()); sys.exit(1)",
            DependencyError,
            "no torch",
        ),
        ("print('not json'); print('{}'); print('{\"event\": \"done\"}'); sys.exit(5)", CalidError, "exit code 5"),
        ("print('error: [python-real] exit abnormally', file=sys.stderr); sys.exit(1)", OutOfResources, "memory"),
    ],
)
def test_a_worker_that_ends_wrongly(makeVolume, makeWorker, scene, lines, expected, said):
    node = makeVolume()
    before = scene.GetNumberOfNodes()
    error = failure(node, makeWorker(IMPORTS + lines))
    assert type(error) is expected
    assert said in str(error)
    assert error.remedy
    assert scene.GetNumberOfNodes() == before


def test_a_program_that_cannot_be_started(makeVolume):
    assert "cannot be started" in str(failure(makeVolume(), ["/no/such/program"]))


def test_a_full_disk(makeVolume, repeatingWorker, monkeypatch):
    monkeypatch.setattr("CaLIDSlicerLib.Jobs.JobFolder.INPUT_FILE", "/dev/full")
    error = failure(makeVolume(), repeatingWorker)
    assert isinstance(error, OutOfResources)
    assert "No space left" in str(error)


@pytest.mark.parametrize("remove", [lambda scene, _node: scene.Clear(), lambda scene, node: scene.RemoveNode(node)])
def test_an_input_that_is_removed_meanwhile(makeVolume, sleepingWorker, scene, jobFolders, processesNaming, remove):
    node = makeVolume()
    job = startAndWaitForProgress(node, sleepingWorker)
    remove(scene, node)
    with pytest.raises(Cancelled, match="removed"):
        job.wait()
    assert processesNaming(str(jobFolders)) == []
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 0


REMOVALS = {
    "input volume": lambda cine, _job: cine.proxy,
    "input sequence": lambda cine, _job: cine.sequence,
    "sequence browser": lambda cine, _job: cine.browser,
    "dense volume": lambda _cine, job: job.volume,
    "dense sequence": lambda _cine, job: job.sequence,
}


@pytest.mark.parametrize("what", [*REMOVALS, "scene"])
def test_a_node_of_a_cine_that_is_removed_meanwhile(
    makeCine, stallingWorker, scene, sequencesLogic, jobFolders, processesNaming, what
):
    cine, phases = makeCine(), []
    job = Reconstruction(
        cine.proxy, 4.0, onPhase=lambda *_: phases.append(1), uncertainty=True, mask=True, workerCommand=stallingWorker
    )
    waitUntil(lambda: job.poll() or len(phases) == 2)
    if what == "scene":
        scene.Clear()
    else:
        scene.RemoveNode(REMOVALS[what](cine, job))
    job.poll()
    with pytest.raises(Cancelled, match="removed"):
        job.wait()
    assert processesNaming(str(jobFolders)) == []
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLNode", scene)]
    assert [name for name in names if "CaLID" in (name or "")] == []


def test_a_phase_that_the_worker_cannot_have_made(makeVolume, makeWorker):
    command = makeWorker(IMPORTS + "print(PhaseFinished(1, 'dense_001.npy').to_line(), flush=True)")
    assert "phase 1 of 1" in str(failure(makeVolume(), command))


def test_a_cine_that_ends_before_its_last_phase(makeCine, makeWorker, scene):
    lines = """
        numpy.save(folder / "dense_000.npy", numpy.zeros((7, 40, 48), numpy.int16))
        print(PhaseFinished(0, "dense_000.npy").to_line())
        print(Done([0.0], [0]).to_line())
    """
    cine = makeCine()
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    before = scene.GetNumberOfNodes()
    error = failure(cine.proxy, makeWorker("import numpy\n" + IMPORTS + textwrap.dedent(lines)))
    assert "without a result" in str(error)
    assert scene.GetNumberOfNodes() == before


def test_a_callback_that_lets_the_event_loop_run(makeCine, repeatingWorker):
    """Slicer polls from its event loop; events must stay in order when a callback runs that loop."""
    seen: list = []

    def look(job, number):
        job.poll()
        seen.append(number)

    Reconstruction(makeCine().proxy, 4.0, onPhase=look, workerCommand=repeatingWorker).wait()
    assert seen == [0, 1, 2]


def test_events_come_while_the_event_loop_holds_the_lock_of_python(makeVolume, makeWorker):
    """Slicer lets no Python thread run but from within Python code, and the readers of the worker are threads."""
    lines = """
        import time
        for step in range(200):
            print(Progress(0, 1, step, 200, step / 200).to_line(), flush=True)
            time.sleep(0.005)
        time.sleep(60)
    """
    holdLock = ctypes.PyDLL(None).usleep  # unlike one of CDLL
    events: list = []
    job = Reconstruction(makeVolume(), 4.0, events.append, workerCommand=makeWorker(IMPORTS + textwrap.dedent(lines)))
    waitUntil(lambda: job.poll() or events or holdLock(100_000))
    for _ in range(30):
        holdLock(100_000)
        job.poll()
    job.cancel()
    assert len(events) == 200


def test_the_worker_hears_that_slicer_has_died(tmp_path, jobFolders, processesNaming, makeWorker):
    """stdin is the life line: it closes when the process that started the worker is killed."""
    worker = makeWorker("import shutil; sys.stdin.read(); shutil.rmtree(folder)")
    host = tmp_path / "host.py"
    host.write_text(
        textwrap.dedent(f"""
            import sys, tempfile, time
            sys.path.insert(0, {str(Path(CaLIDSlicerLib.__file__).parents[1])!r})
            tempfile.tempdir = {str(jobFolders)!r}
            import numpy as np, slicer
            from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
            slicer.mrmlScene = slicer.vtkMRMLScene()
            node = slicer.util.addVolumeFromArray(np.arange(60.0).reshape(3, 4, 5))
            node.SetSpacing(1, 1, 8)
            job = Reconstruction(node, 4.0, workerCommand={worker!r})
            while True:
                job.poll()
                time.sleep(0.02)
        """)
    )
    process = subprocess.Popen([sys.executable, str(host)], start_new_session=True)
    waitUntil(lambda: processesNaming(f"{jobFolders}/calid-"))
    process.kill()
    process.wait()
    waitUntil(lambda: processesNaming(f"{jobFolders}/calid-") == [], seconds=5)
    assert list(jobFolders.iterdir()) == []


def test_events_reach_the_progress_callback_in_order(makeVolume, repeatingWorker):
    events: list = []
    Reconstruction(makeVolume(), 4.0, events.append, workerCommand=repeatingWorker).wait()
    assert [type(event) for event in events] == [Started, Warned, Progress]
    assert events[1].message == "Größe: 2 µm"


def test_a_temporary_folder_that_cannot_be_used_is_explained(makeVolume, repeatingWorker, monkeypatch, tmp_path):
    monkeypatch.setattr(Host, "temporaryFolder", lambda: str(tmp_path / "gone"))
    with pytest.raises(OutOfResources, match="gone does not take the job") as caught:
        Reconstruction(makeVolume(), 4.0, workerCommand=repeatingWorker)
    assert "free disk space" in caught.value.remedy


def test_what_else_the_worker_says_is_logged_from_the_main_thread(makeVolume, makeWorker, caplog):
    caplog.set_level(logging.DEBUG)
    failure(makeVolume(), makeWorker("print('a library speaks', flush=True); sys.exit(5)"))
    (record,) = [record for record in caplog.records if "a library speaks" in record.getMessage()]
    assert record.threadName == threading.main_thread().name  # Slicer's log is a Qt model
