"""What is refused before anything is started, and that the refusal names the node and the reason."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from calid.errors import UnusableInput
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.VolumeBridge import readStack

NO_WORKER = ["/no/such/program"]  # starting it would be another error


def refusal(node, spacing: float = 2.0) -> str:
    with pytest.raises(UnusableInput) as caught:
        Reconstruction(node, spacing, workerCommand=NO_WORKER)
    assert caught.value.remedy
    return str(caught.value)


def test_nothing_is_chosen():
    assert "nothing" in refusal(None)


def test_a_node_that_is_no_volume(scene):
    assert "LinearTransform" in refusal(scene.AddNewNodeByClass("vtkMRMLLinearTransformNode"))


def test_a_volume_without_voxels(scene):
    assert "no voxels" in refusal(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))


def test_an_image_without_scalars(scene):
    """As a failed import leaves it: a size, and nothing in it."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 5, 6)
    node.SetAndObserveImageData(image)
    assert "no voxels" in refusal(node)


def test_a_multi_volume_is_told_what_to_load_instead(scene):
    """Slicer's older class for a cine is a scalar volume with a component for each phase."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "cine")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 5, 6)
    image.AllocateScalars(vtk.VTK_SHORT, 30)
    node.SetAndObserveImageData(image)
    with pytest.raises(UnusableInput, match='"cine" has 30 values in each voxel') as caught:
        readStack(node)
    assert "volume sequences" in caught.value.remedy


def test_a_volume_outside_any_scene():
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName("loose")
    assert "loose" in refusal(node)


def test_a_label_map(scene):
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(node, np.ones((3, 4, 5), np.uint8))
    assert "label map" in refusal(node)


def test_a_colour_image(scene):
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    slicer.util.updateVolumeFromArray(node, np.zeros((3, 4, 5, 3), np.uint8))
    node.GetImageData().AllocateScalars(3, 3)
    assert "colour" in refusal(node)


@pytest.mark.parametrize(
    ("voxels", "said"),
    [
        (np.arange(20.0).reshape(1, 4, 5), "1 slice"),
        (np.full((3, 4, 5), 7, np.int16), "every voxel is 7"),
        (np.where(np.arange(60.0) == 5, np.nan, 1.0).reshape(3, 4, 5), "not finite"),
    ],
)
def test_voxels_that_cannot_be_used(makeVolume, voxels, said):
    message = refusal(makeVolume(voxels, name="Patient 7"))
    assert said in message
    assert message.startswith('"Patient 7": ')


@pytest.mark.parametrize(("spacing", "said"), [(0, "0 mm"), (-2, "-2 mm"), (float("nan"), "nan"), (8, "nothing to do")])
def test_a_spacing_that_cannot_be_used(makeVolume, spacing, said):
    assert said in refusal(makeVolume(), spacing)


def test_dense_slices_that_a_volume_node_cannot_hold(makeVolume, monkeypatch):
    """No volume node has unequal gaps, but assembled single slices (a later input) can."""

    def readUnequal(node, *_what):
        stack = readStack(node)
        object.__setattr__(stack, "positions", np.array([0.0, 8.0, 16.0, 25.0]))
        return stack

    monkeypatch.setattr("CaLIDSlicerLib.Scene.CineInput.readStack", readUnequal)
    assert "3 to 4 mm apart" in refusal(makeVolume(), 4.0)


def test_an_unknown_option_is_a_mistake_of_the_caller(makeVolume):
    with pytest.raises(TypeError, match="sample_count"):
        Reconstruction(makeVolume(), 4.0, workerCommand=NO_WORKER, sample_count=3)
