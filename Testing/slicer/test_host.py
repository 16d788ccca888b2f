"""Inside the application and without it: the command, the environment, the event loop; and what is imported."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import ClassVar

import pytest
import slicer

from calid.errors import CalidError
from CaLIDSlicerLib import Host
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction


class Timer:
    """A QTimer whose event loop is the test."""

    started: ClassVar[list[Timer]] = []

    deleted: ClassVar[list[Timer]] = []

    def __init__(self, parent) -> None:
        self.parent = parent
        self.functions: list = []
        self.timeout = SimpleNamespace(connect=self.functions.append)

    def setInterval(self, milliseconds: int) -> None:
        self.milliseconds = milliseconds

    def start(self) -> None:
        self.started.append(self)

    def stop(self) -> None:
        self.started.remove(self)

    def deleteLater(self) -> None:
        self.deleted.append(self)


@pytest.fixture
def app(monkeypatch, tmp_path):
    folder = tmp_path / "Slicer temp é"
    folder.mkdir()
    app = SimpleNamespace(temporaryPath=str(folder), processEvents=lambda: None)
    monkeypatch.setattr(slicer, "app", app, raising=False)
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: {"PATH": "/usr/bin", "PYTHONPATH": "/mine"})
    monkeypatch.setitem(sys.modules, "qt", SimpleNamespace(QTimer=Timer))
    monkeypatch.setattr(Timer, "started", [])
    monkeypatch.setattr(Timer, "deleted", [])
    return app


def test_without_the_application_this_python_runs_the_worker(monkeypatch):
    monkeypatch.setattr(Host.shutil, "which", lambda _name: "/opt/Slicer/bin/PythonSlicer")
    assert Host.workerCommand() == [sys.executable, "-m", "calid.worker"]


def test_in_the_application_its_own_python_runs_the_worker(app, monkeypatch):
    monkeypatch.setattr(Host.shutil, "which", lambda name: f"/opt/Slicer/bin/{name}")
    assert Host.workerCommand() == ["/opt/Slicer/bin/PythonSlicer", "-m", "calid.worker"]


def test_slicer_itself_is_never_taken_for_its_python(app, monkeypatch):
    monkeypatch.setattr(Host.shutil, "which", lambda _name: None)
    with pytest.raises(CalidError, match="PythonSlicer"):
        Host.workerCommand()


def test_the_worker_finds_calid_and_starts_from_the_clean_environment(app):
    environment = Host.workerEnvironment()
    assert environment["PYTHONPATH"].split(Host.os.pathsep) == [str(Host.CALID_PARENT), "/mine"]
    assert environment["PYTHONUTF8"] == "1"
    assert "HOME" not in environment


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Slicer's Python is 3.12; PYTHONSAFEPATH is of 3.11")
def test_a_file_in_the_current_folder_does_not_get_in_the_way(tmp_path):
    (tmp_path / "numpy.py").write_text("raise SystemExit('not the real one')")
    options = {"cwd": tmp_path, "env": Host.workerEnvironment(), "capture_output": True, "text": True}
    said = subprocess.run(Host.workerCommand(), check=False, **options)
    assert "not the real one" not in said.stderr


def test_the_event_loop_of_the_application_drives_the_job(app, makeVolume, repeatingWorker):
    finished: list = []
    Reconstruction(makeVolume(), 4.0, onFinished=finished.append, workerCommand=repeatingWorker)
    assert list(Host.Path(app.temporaryPath).iterdir())
    (timer,) = Timer.started
    assert timer.parent is app  # it must outlive the call that stops it
    while Timer.started:
        for function in timer.functions:
            function()
    assert Timer.deleted == [timer]
    assert finished[0].volume.GetName() == "SAX CaLID"
    assert list(Host.Path(app.temporaryPath).iterdir()) == []


def test_nothing_heavy_is_imported_into_slicer():
    code = """
import sys
from CaLIDSlicerLib.Jobs import Reconstruction
print(*sorted(set(sys.modules) & {"torch", "diffusers", "SimpleITK", "scipy", "safetensors", "qt"}))
"""
    environment = {**Host.workerEnvironment(), "PYTHONPATH": str(Host.CALID_PARENT)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
