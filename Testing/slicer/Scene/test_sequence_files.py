"""Volume sequences as the real MRML of 3D Slicer writes and reads them, against the files of the command line."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from calid.files.reading import read_stack
from calid.files.writing import write_stack
from calid.phantom.beating_heart import make_phantom
from calid.stacks.stack import SliceStack
from CaLIDSlicerLib.Scene.VolumeBridge import voxelsOf

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
MILLISECONDS = ["0", "33.25", "70.5"]


@pytest.fixture
def cine() -> SliceStack:
    """Three phases of an oblique stack."""
    return make_phantom(phases=3, slices=4, gap=8.0, matrix=(20, 24), pixel=5.0).sparse


def addSequence(stack: SliceStack, values: list[str], name: str = "time", unit: str = "ms"):
    """A sequence node with a volume for each phase of a stack in LPS."""
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")
    sequence.SetIndexName(name)
    sequence.SetIndexUnit(unit)
    for voxels, value in zip(stack.voxels, values, strict=True):
        volume = slicer.vtkMRMLScalarVolumeNode()
        slicer.util.updateVolumeFromArray(volume, voxels)
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_TO_RAS @ stack.affine))
        sequence.SetDataNodeAtValue(volume, value)
    return sequence


def store(sequence, path, compressed: bool = True) -> None:
    sequence.AddDefaultStorageNode()
    storage = sequence.GetStorageNode()
    assert storage.IsA("vtkMRMLVolumeSequenceStorageNode")
    storage.SetUseCompression(compressed)
    storage.SetFileName(str(path))
    assert storage.WriteData(sequence)


def load(path):
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeSequenceStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(sequence)
    return sequence


def affineOf(volume) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return LPS_TO_RAS @ slicer.util.arrayFromVTKMatrix(matrix)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("suffix", [".seq.nrrd", ".nrrd"])
def test_a_sequence_that_slicer_wrote_is_read(cine, tmp_path, suffix, compressed):
    store(addSequence(cine, MILLISECONDS), tmp_path / f"cine{suffix}", compressed)
    again = read_stack(tmp_path / f"cine{suffix}")
    np.testing.assert_array_equal(again.voxels, cine.voxels)
    np.testing.assert_allclose(again.affine, cine.affine, atol=1e-9)
    assert again.times == pytest.approx((0, 0.03325, 0.0705))


@pytest.mark.parametrize("suffix", [".seq.nrrd", ".nrrd"])
def test_slicer_reads_the_sequence_that_is_written(cine, tmp_path, suffix):
    write_stack(cine, tmp_path / f"cine{suffix}", {"calid_provenance": '{"seed": 3, "path": "C:\\\\models"}'})
    sequence = load(tmp_path / f"cine{suffix}")
    assert sequence.GetNumberOfDataNodes() == 3
    assert (sequence.GetIndexName(), sequence.GetIndexUnit()) == ("time", "ms")
    assert sequence.GetIndexType() == slicer.vtkMRMLSequenceNode.NumericIndex
    assert [sequence.GetNthIndexValue(n) for n in range(3)] == ["0", "300", "600"]
    assert sequence.GetAttribute("calid_provenance") == '{"seed": 3, "path": "C:\\\\models"}'
    for phase, voxels in enumerate(cine.voxels):
        volume = sequence.GetNthDataNode(phase)
        assert volume.GetClassName() == "vtkMRMLScalarVolumeNode"
        np.testing.assert_array_equal(voxelsOf(volume), voxels)
        np.testing.assert_allclose(affineOf(volume), cine.affine, atol=1e-9)


def test_slicer_reads_a_sequence_of_one_phase(cine, tmp_path):
    write_stack(cine.phase(2), tmp_path / "phase.seq.nrrd")
    sequence = load(tmp_path / "phase.seq.nrrd")
    assert [sequence.GetNthIndexValue(n) for n in range(sequence.GetNumberOfDataNodes())] == ["600"]
    np.testing.assert_array_equal(voxelsOf(sequence.GetNthDataNode(0)), cine.voxels[2])


def test_phases_that_share_their_time_or_have_none_are_all_kept_by_slicer(cine, tmp_path):
    for times in (None, (0.0, 0.1, 0.1)):
        stack = SliceStack(cine.voxels, cine.frame, cine.positions, times)
        write_stack(stack, tmp_path / "cine.seq.nrrd")
        sequence = load(tmp_path / "cine.seq.nrrd")
        assert [sequence.GetNthIndexValue(n) for n in range(sequence.GetNumberOfDataNodes())] == ["0", "1", "2"]
        assert (sequence.GetIndexName(), sequence.GetIndexUnit()) == ("frame", "")


def test_frame_numbers_are_no_times(cine, tmp_path):
    store(addSequence(cine, ["0", "1", "2"], "frame", ""), tmp_path / "cine.seq.nrrd")
    assert read_stack(tmp_path / "cine.seq.nrrd").times is None


def test_the_times_of_an_imported_cine_are_in_an_attribute(cine, tmp_path):
    """As the MultiVolume importer of 3D Slicer leaves it: frame numbers for an index, trigger times beside it."""
    sequence = addSequence(cine, ["0", "1", "2"], "frame", "")
    sequence.SetAttribute("MultiVolume.FrameLabels", "12,45.5,80")
    sequence.SetAttribute("MultiVolume.FrameIdentifyingDICOMTagUnits", "ms")
    store(sequence, tmp_path / "cine.seq.nrrd")
    assert read_stack(tmp_path / "cine.seq.nrrd").times == pytest.approx((0.012, 0.0455, 0.08))


def test_what_slicer_writes_of_what_it_read_is_the_same_cine(cine, tmp_path):
    write_stack(cine, tmp_path / "ours.seq.nrrd")
    store(load(tmp_path / "ours.seq.nrrd"), tmp_path / "theirs.seq.nrrd")
    ours, theirs = read_stack(tmp_path / "ours.seq.nrrd"), read_stack(tmp_path / "theirs.seq.nrrd")
    np.testing.assert_array_equal(ours.voxels, theirs.voxels)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-9)
    assert ours.times == theirs.times == pytest.approx(cine.times)
