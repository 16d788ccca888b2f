"""The batch script of the documentation, with Slicer's reading and writing of files replaced."""

from __future__ import annotations

import csv
import importlib.util
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
import slicer

from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.SampleData import SampleShape, addCine, addStill

SCRIPT = Path(__file__).parents[2] / "docs" / "batch_in_slicer.py"
SMALL = SampleShape(phases=2, slices=3, gap=8.0, pixel=4.0, matrix=(24, 32))


def write(path: Path, phases: int = 1) -> None:
    """An image file that says how many phases it has; what is in it comes from the stand-ins for Slicer's readers."""
    voxels = np.zeros((2, 2, 2) if phases == 1 else (phases, 2, 2, 2), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(voxels, isVector=False), path)


@pytest.fixture
def batch(monkeypatch, repeatingWorker):
    """The script, and in ``saved`` what it wrote: class of the node, file name, distance of the slices."""

    def start(node, spacing):
        return Reconstruction(node, spacing, workerCommand=repeatingWorker)

    def loadVolume(path):
        if "broken" in path:
            raise RuntimeError(f"Failed to load node from file: {path}")
        return addStill(SMALL)

    def loadSequence(_path):
        addCine(SMALL)
        return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSequenceNode")

    def saveNode(node, path):
        volume = node.GetNthDataNode(0) if node.IsA("vtkMRMLSequenceNode") else node
        saved.append((node.GetClassName(), Path(path).name, volume.GetSpacing()[2]))
        return "readonly" not in path

    saved: list[tuple[str, str, float]] = []
    monkeypatch.setitem(
        sys.modules, "CaLIDSlicer", SimpleNamespace(CaLIDSlicerLogic=lambda: SimpleNamespace(start=start))
    )
    for replacement in (loadVolume, loadSequence, saveNode):
        monkeypatch.setattr(slicer.util, replacement.__name__, replacement)
    spec = importlib.util.spec_from_file_location("batch_in_slicer", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.saved = saved
    return script


def test_every_case_is_reconstructed_and_one_that_fails_does_not_stop_the_others(batch, tmp_path, scene):
    (tmp_path / "notes.txt").touch()
    for name in ("a.nrrd", "b.seq.nrrd", "broken.nii.gz", "d.mha", "readonly.nrrd"):
        write(tmp_path / name)
    assert batch.main([str(tmp_path), str(tmp_path / "out"), "--spacing", "4"]) == 2
    assert batch.saved == [
        ("vtkMRMLScalarVolumeNode", "a.nrrd", 4.0),
        ("vtkMRMLSequenceNode", "b.seq.nrrd", 4.0),
        ("vtkMRMLScalarVolumeNode", "d.mha", 4.0),
        ("vtkMRMLScalarVolumeNode", "readonly.nrrd", 4.0),
    ]
    with (tmp_path / "out" / "report.csv").open() as file:
        outcomes = dict(csv.reader(file))
    assert [name for name, outcome in outcomes.items() if outcome == "done"] == ["a.nrrd", "b.seq.nrrd", "d.mha"]
    assert outcomes["broken.nii.gz"].startswith("Failed to load")
    assert outcomes["readonly.nrrd"].endswith("cannot be written")
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 0


def test_an_unusable_case_is_reported_with_its_reason(batch, tmp_path):
    write(tmp_path / "a.nrrd")
    assert batch.main([str(tmp_path), str(tmp_path / "out"), "--spacing", "8"]) == 1
    with (tmp_path / "out" / "report.csv").open() as file:
        assert "8" in dict(csv.reader(file))["a.nrrd"]
    assert batch.saved == []


def test_a_cine_in_a_nifti_file_is_not_taken_for_its_first_phase(batch, tmp_path):
    write(tmp_path / "patient001_4d.nii.gz", phases=3)
    assert batch.main([str(tmp_path), str(tmp_path / "out"), "--spacing", "4"]) == 0
    assert batch.saved == [("vtkMRMLSequenceNode", "patient001_4d.seq.nrrd", 4.0)]


def test_a_damaged_file_is_reported(batch, tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"no image")
    assert batch.main([str(tmp_path), str(tmp_path / "out")]) == 1
    assert batch.saved == []


@pytest.mark.parametrize("folder", ["cases", "no such folder"])
def test_slicer_ends_whatever_happens(batch, tmp_path, monkeypatch, folder):
    (tmp_path / "cases").mkdir()
    statuses: list[int] = []
    monkeypatch.setattr(slicer.util, "exit", statuses.append)
    with pytest.raises(FileNotFoundError) if folder != "cases" else nullcontext():
        batch.run([str(tmp_path / folder), str(tmp_path / "out")])
    assert statuses == [0 if folder == "cases" else 1]
