"""Volume nodes <-> arrays: voxels (k, j, i) with an IJK-to-RAS affine, and no file format in between."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import get_vtk_array_type, vtk_to_numpy

from calid.errors import UnusableInput
from calid.stack import SliceStack

CHOOSE_A_VOLUME = "choose a volume that shows a short-axis stack"


def checkVolume(node) -> None:
    """Raise :class:`UnusableInput` unless ``node`` is a grey-value volume with voxels, in a scene."""
    if node is None or not node.IsA("vtkMRMLScalarVolumeNode"):
        what = node.GetNodeTagName() if node else "nothing"
        raise UnusableInput(f"the input is not a volume but {what}", CHOOSE_A_VOLUME)
    name = node.GetName()
    if node.GetScene() is None:
        raise UnusableInput(f'"{name}" is not in a scene', "add it with slicer.mrmlScene.AddNode")
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise UnusableInput(f'"{name}" is a label map; only images can be reconstructed', CHOOSE_A_VOLUME)
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        raise UnusableInput(f'"{name}" has no voxels', CHOOSE_A_VOLUME)
    if image.GetNumberOfScalarComponents() != 1:
        raise UnusableInput(f'"{name}" is a colour image', "convert it with the module Vector to Scalar Volume")


def readStack(volumeNode) -> SliceStack:
    """The voxels and geometry of a volume node as a one-phase stack in RAS.

    A parent transform is not applied: the result gets the same parent. The voxels are the node's own memory.

    :raises UnusableInput: naming the node, if it holds no usable short-axis stack.
    """
    checkVolume(volumeNode)
    ijkToRas = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(ijkToRas)
    affine = slicer.util.arrayFromVTKMatrix(ijkToRas)
    try:
        return SliceStack.from_affine(voxelsOf(volumeNode), affine)
    except UnusableInput as error:
        raise UnusableInput(f'"{volumeNode.GetName()}": {error}', error.remedy) from error


def voxelsOf(volumeNode) -> np.ndarray:
    """The voxels (k, j, i) of a scalar or label map volume node, sharing its memory."""
    return _voxels(volumeNode.GetImageData())


def addVolumeLike(inputNode, className: str, name: str, voxels: np.ndarray, ijkToRas: np.ndarray):
    """Add a volume node of the given class, beside ``inputNode``: same parent transform, same study.

    :param voxels: (k, j, i). Where its type is the input's, the node gets the very scalar type of the input.
    :param ijkToRas: 4 x 4, millimetres.
    """
    scene = inputNode.GetScene()
    node = scene.AddNewNodeByClass(className, scene.GenerateUniqueName(name))
    node.SetAndObserveImageData(_image(voxels, inputNode.GetImageData()))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
    node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    _joinStudy(node, inputNode)
    return node


def copyWindowLevel(inputNode, outputNode) -> None:
    """Show the output in the input's grey scale: window, level, colours and interpolation."""
    source, target = inputNode.GetDisplayNode(), outputNode.GetDisplayNode()
    if source is None or source.GetWindow() <= 0:  # never displayed, so there is nothing to copy yet
        return
    target.SetAndObserveColorNodeID(source.GetColorNodeID())
    target.SetInterpolate(source.GetInterpolate())
    target.AutoWindowLevelOff()  # else Slicer would fit the window to the output's own histogram
    target.SetWindowLevel(source.GetWindow(), source.GetLevel())


def _image(voxels: np.ndarray, like: vtk.vtkImageData) -> vtk.vtkImageData:
    """Image data with a copy of the voxels; numpy's int64 is two scalar types of VTK, so the input's is kept."""
    isInputType = _voxels(like).dtype == voxels.dtype
    image = vtk.vtkImageData()
    image.SetDimensions(voxels.shape[::-1])
    image.AllocateScalars(like.GetScalarType() if isInputType else get_vtk_array_type(voxels.dtype), 1)
    _voxels(image)[:] = voxels
    return image


def _voxels(image: vtk.vtkImageData) -> np.ndarray:
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def _joinStudy(node, inputNode) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(inputNode.GetScene())
    item, inputItem = hierarchy.GetItemByDataNode(node), hierarchy.GetItemByDataNode(inputNode)
    if item and inputItem:  # without the application nobody fills the hierarchy
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(inputItem))
