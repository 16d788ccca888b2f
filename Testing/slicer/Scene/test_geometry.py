"""What goes from node to node: voxels bit for bit and exact geometry, whatever the orientation."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.VolumeBridge import addVolumeLike, readStack, voxelsOf


def ijkToRasOf(node) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


@st.composite
def affines(draw):
    """Oblique, right- or left-handed, slices stored in either order."""
    angles = [draw(st.floats(-180, 180)) for _ in range(3)]
    spacing = [draw(st.floats(0.7, 2.5)), draw(st.floats(0.7, 2.5)), draw(st.floats(5, 10))]
    signs = [draw(st.sampled_from([-1, 1])) for _ in range(3)]
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing * signs
    affine[:3, 3] = [draw(st.floats(-300, 300)) for _ in range(3)]
    return affine


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(affine=affines())
def test_a_volume_survives_the_way_to_a_stack_and_back(makeVolume, affine):
    volume = makeVolume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), affine)
    stack = readStack(volume)
    copy = addVolumeLike(volume, "vtkMRMLScalarVolumeNode", "copy", stack.voxels[0], stack.affine)
    np.testing.assert_allclose(ijkToRasOf(copy), affine, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(voxelsOf(copy), voxelsOf(volume))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(affine=affines(), spacing=st.floats(1.5, 4.5))
def test_every_acquired_slice_is_where_and_what_it_was(makeVolume, repeatingWorker, affine, spacing):
    sparse = makeVolume(ijkToRas=affine)
    dense = Reconstruction(sparse, spacing, workerCommand=repeatingWorker).wait()

    parts = (dense.GetImageData().GetDimensions()[2] - 1) // 3
    assert parts == np.ceil(np.linalg.norm(affine[:3, 2]) / spacing * (1 - 1e-4))
    expected = affine @ np.diag([1, 1, 1 / parts, 1])
    np.testing.assert_allclose(ijkToRasOf(dense), expected, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(voxelsOf(dense)[::parts], voxelsOf(sparse))


@pytest.mark.parametrize("scalarType", range(vtk.VTK_CHAR, vtk.VTK_DOUBLE + 1))
def test_the_scalar_type_is_kept(makeVolume, repeatingWorker, scalarType):
    sparse = makeVolume()
    cast = vtk.vtkImageCast()
    cast.SetOutputScalarType(scalarType)
    cast.SetInputData(sparse.GetImageData())
    cast.Update()
    sparse.SetAndObserveImageData(cast.GetOutput())

    dense = Reconstruction(sparse, 4.0, workerCommand=repeatingWorker).wait()
    assert dense.GetImageData().GetScalarType() == scalarType
    np.testing.assert_array_equal(voxelsOf(dense)[::2], voxelsOf(sparse))


def test_the_parent_transform_is_kept_and_not_applied(makeVolume, repeatingWorker, scene):
    sparse = makeVolume()
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn = vtk.vtkTransform()
    turn.RotateWXYZ(30, 1, 2, 3)
    transform.SetMatrixTransformToParent(turn.GetMatrix())
    sparse.SetAndObserveTransformNodeID(transform.GetID())

    job = Reconstruction(sparse, 4.0, mask=True, uncertainty=True, workerCommand=repeatingWorker)
    dense = job.wait()
    nodes = [dense, dense.GetNodeReference("CaLID.synthesised"), dense.GetNodeReference("CaLID.uncertainty")]
    for node in nodes:
        assert node.GetParentTransformNode() is transform
        np.testing.assert_allclose(ijkToRasOf(node), np.diag([1.4, 1.4, 4.0, 1.0]), atol=1e-12)


def test_the_input_is_not_touched(makeVolume, repeatingWorker):
    sparse = makeVolume()
    before, geometry = voxelsOf(sparse).copy(), ijkToRasOf(sparse)
    Reconstruction(sparse, 4.0, workerCommand=repeatingWorker).wait()
    np.testing.assert_array_equal(voxelsOf(sparse), before)
    np.testing.assert_array_equal(ijkToRasOf(sparse), geometry)
