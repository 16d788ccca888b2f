"""Where slice views must look: the three planes of a short-axis stack, in the orientation readers are used to."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from .Heart import Heart

_LEFT, _UP, _APEX = np.array([-1.0, 0, 0]), np.array([0.0, 1, 1]), np.array([-1.0, 1, -1])
"""RAS directions: to the patient's left, to the front and the head, and along a heart from base to apex."""


def worldMatrix(volumeNode) -> np.ndarray:
    """``(4, 4)`` from voxel indices (i, j, k, 1) to world RAS in mm, with linear parent transforms applied."""
    ijkToRas = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(ijkToRas)
    parent = volumeNode.GetParentTransformNode()
    if parent and parent.IsTransformToWorldLinear():
        toWorld = vtk.vtkMatrix4x4()
        parent.GetMatrixTransformToWorld(toWorld)
        vtk.vtkMatrix4x4.Multiply4x4(toWorld, ijkToRas, ijkToRas)
    return slicer.util.arrayFromVTKMatrix(ijkToRas)


def planesOf(volumeNode, heart: Heart) -> list[np.ndarray]:
    """Slice-to-RAS matrices ``(4, 4)``: the short axis, and the two long-axis planes along rows and along columns.

    They meet in the middle of the heart, and, between the two middle slices, where a slice is missing. The
    patient's left is on the right, front and head are up, and in the long-axis planes the apex is up.
    """
    affine = worldMatrix(volumeNode)
    slices = volumeNode.GetImageData().GetDimensions()[2]
    centre = affine @ [*heart.centre, min((slices - 1) // 2 + 0.5, slices - 1), 1]
    across, down, through = (affine[:3, n] / np.linalg.norm(affine[:3, n]) for n in range(3))
    left, up, apex = _towards(across, _LEFT), _towards(down, _UP), _towards(through, _APEX)
    return [_plane(*axes, centre) for axes in ((left, up, through), (left, apex, down), (up, apex, across))]


def extentsOf(volumeNode, heart: Heart) -> list[tuple[float, float]]:
    """Width and height in mm that show the heart, for each plane of :func:`planesOf`."""
    (width, height), slices = heart.size, volumeNode.GetImageData().GetDimensions()[2]
    length = float(np.linalg.norm(worldMatrix(volumeNode)[:3, 2])) * slices
    return [(width, height), (width, length), (height, length)]


def towardsApex(volumeNode) -> bool:
    """Whether slices with a higher index are nearer to the apex, for a heart in its usual place."""
    return bool(worldMatrix(volumeNode)[:3, 2] @ _APEX > 0)


def look(sliceNode, sliceToRas: np.ndarray, millimetresPerPixel: float) -> None:
    """Turn a slice view to a plane, at a scale; the origin of the plane comes to the centre of the view."""
    width, height, _ = sliceNode.GetDimensions()
    sliceNode.GetSliceToRAS().DeepCopy(sliceToRas.ravel())
    sliceNode.SetXYZOrigin(0, 0, 0)
    depth = sliceNode.GetFieldOfView()[2]
    sliceNode.SetFieldOfView(millimetresPerPixel * width, millimetresPerPixel * height, depth)
    sliceNode.UpdateMatrices()


def scaleToFit(sliceNode, extent: tuple[float, float]) -> float:
    """Millimetres per pixel at which ``extent`` (width, height in mm) fits into a slice view."""
    pixels = sliceNode.GetDimensions()
    return max(side / max(count, 1) for side, count in zip(extent, pixels, strict=False))


def _towards(axis: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return axis if axis @ direction >= 0 else -axis


def _plane(across: np.ndarray, up: np.ndarray, normal: np.ndarray, centre: np.ndarray) -> np.ndarray:
    plane = np.eye(4)
    plane[:3] = np.column_stack([across, up, normal, centre[:3]])
    return plane
