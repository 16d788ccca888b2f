"""The archive for the Extensions Manager: it holds what the CMake lists name, and works where it is unpacked."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import calid
from calid.protocol import Done, Event, Failed, PhaseFinished, parse_event

ROOT = Path(__file__).parents[1]
TOP = f"CaLIDSlicer-{calid.__version__}-Slicer-5.12"
MODULES = "lib/Slicer-5.12/qt-scripted-modules"

MAKE_JOB = """
import numpy as np, sys
from calid.options import Options
from calid.phantom.beating_heart import make_phantom
from calid.protocol import Job
stack = make_phantom(slices=3, gap=8.0, matrix=(32, 32), pixel=3.0).sparse
np.save(f"{sys.argv[1]}/input.npy", stack.voxels)
options = Options(spacing=4.0, samples=1, steps=1, device="cpu")
Job(stack.frame.tolist(), stack.positions.tolist(), options).write(sys.argv[1])
"""


# The Slicer side on its own: phantom, worker process, weights and resources, all found from where the code lies.
RECONSTRUCT = """
import sys
from pathlib import Path
import slicer
slicer.mrmlScene = slicer.vtkMRMLScene()
import CaLIDSlicerLib
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.SampleData import SampleShape, addStill
still = addStill(SampleShape(slices=3, gap=8.0, pixel=3.0, matrix=(32, 32)))
dense = Reconstruction(still, spacing=4.0, steps=1, samples=1, device="cpu").wait()
module = Path(CaLIDSlicerLib.__file__).parents[1]
print(module)
print(dense.GetImageData().GetDimensions())
print(dense.GetAttribute("CaLID.model"))
print(sorted(path.name for path in (module / "Resources" / "SampleData").iterdir()))
"""


@pytest.fixture
def archive(package, tmp_path) -> Path:
    return package.write_archive(tmp_path / "dist", "5.12")


@pytest.fixture
def installed(archive, tmp_path) -> Path:
    """What the Extensions Manager makes of the archive: the top folder, under the name of the extension."""
    with tarfile.open(archive) as content:
        content.extractall(tmp_path / "extensions")
    return (tmp_path / "extensions" / TOP).rename(tmp_path / "extensions" / "CaLIDSlicer")


def test_the_archive_holds_what_the_lists_name(package, archive, installed):
    inModule = package.cmake_list("MODULE_PYTHON_SCRIPTS") + package.cmake_list("MODULE_PYTHON_RESOURCES")
    expected = {f"{MODULES}/{name}": ROOT / "CaLIDSlicer" / name for name in inModule}
    expected |= {f"{MODULES}/{name}": ROOT / name for name in package.cmake_list("MODULE_WEIGHTS")}
    expected["share/Slicer-5.12/CaLIDSlicer.s4ext"] = ROOT / "CaLIDSlicer.s4ext"
    expected["share/Slicer-5.12/CaLIDSlicer/LICENSE.txt"] = ROOT / "LICENSE.txt"

    unpacked = {path.relative_to(installed).as_posix(): path for path in installed.rglob("*") if path.is_file()}
    assert sorted(unpacked) == sorted(expected)
    assert [name for name in expected if unpacked[name].read_bytes() != expected[name].read_bytes()] == []
    assert archive.name == f"{TOP}.tar.gz"


def test_the_archive_is_as_slicer_expects_it(archive):
    with tarfile.open(archive) as content:
        entries = content.getmembers()
    assert all(entry.isfile() for entry in entries)
    assert {entry.name.split("/")[0] for entry in entries} == {TOP}
    assert [entry.name for entry in entries if entry.name.endswith(".s4ext")] == [
        f"{TOP}/share/Slicer-5.12/CaLIDSlicer.s4ext"
    ]


def test_the_same_files_give_the_same_archive(package, archive, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert package.write_archive(tmp_path / "later", "5.12").read_bytes() == archive.read_bytes()
    with tarfile.open(archive) as content:
        entries = content.getmembers()
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    owners = {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode) for entry in entries}
    assert owners == {(package.MODIFIED, 0, 0, "", "", 0o644)}


@pytest.mark.parametrize("version", ["5", "5.12.1", "../5.12", ""])
def test_a_version_that_names_no_folder_of_slicer_is_refused(package, version, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["package.py", "--slicer", version])
    with pytest.raises(SystemExit):
        package.main()
    assert "major.minor" in capsys.readouterr().err


@pytest.fixture
def runPython(installed, tmp_path):
    """Runs a Python that finds ``calid`` in the unpacked folder; stdin stays open, as the worker asks for."""
    workFolder = tmp_path / "work"
    workFolder.mkdir()

    def run(*arguments: object, modules: Path = installed / MODULES, **variables: str) -> list[str]:
        environment = {name: value for name, value in os.environ.items() if name != "CALID_MODELS"}
        environment |= {"PYTHONPATH": str(modules), **variables}
        command = [sys.executable, *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, **pipes, text=True, env=environment, cwd=workFolder) as child:
            return child.stdout.readlines()

    return run


def test_it_reconstructs_where_it_is_unpacked(installed, runPython, tmp_path):
    job = tmp_path / "job"
    job.mkdir()
    runPython("-c", MAKE_JOB, job)

    def reconstruct(**variables: str) -> list[Event | None]:
        return [parse_event(line) for line in runPython("-m", "calid.worker", job, **variables)]

    def dense(events: list[Event | None]) -> np.ndarray:
        assert isinstance(events[-1], Done), events
        assert events[-1].acquired == [0, None, 1, None, 2]
        (phase,) = (event for event in events if isinstance(event, PhaseFinished))
        return np.load(job / phase.dense)

    bundled = dense(reconstruct())
    np.testing.assert_array_equal(bundled[::2], np.load(job / "input.npy")[0])

    models = installed / MODULES / "Resources" / "Models"
    models.rename(tmp_path / "models")
    (*_, failed) = reconstruct()
    assert isinstance(failed, Failed)
    assert failed.kind == "WeightsError"
    assert str(models) in failed.message


@pytest.mark.skipif(find_spec("slicer_core") is None, reason="needs slicer-core (real MRML)")
@pytest.mark.parametrize("tree", ["source", "installed, models elsewhere"])
def test_the_slicer_side_finds_worker_weights_and_resources(tree, installed, runPython, tmp_path):
    modules = ROOT / "CaLIDSlicer" if tree == "source" else installed / MODULES
    variables = {}
    if tree == "installed, models elsewhere":
        models = (modules / "Resources" / "Models").rename(tmp_path / "models")
        variables["CALID_MODELS"] = str(models)
    said = [line.strip() for line in runPython("-c", RECONSTRUCT, modules=modules, **variables)]
    assert said[0] == str(modules)
    assert said[1] == "(32, 32, 5)"
    assert said[2].startswith("calid-sax-")
    assert said[3] == "['CaLIDPhantom.png', 'CaLIDPhantomCine.png', 'SunnybrookCine.png', 'SunnybrookCine.seq.nrrd']"
