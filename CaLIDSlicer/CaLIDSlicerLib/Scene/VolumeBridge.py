"""Volume nodes <-> arrays: voxels (k, j, i) with an IJK-to-RAS affine, and no file format in between."""

from __future__ import annotations

import math

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import get_vtk_array_type, vtk_to_numpy

from calid.errors import UnusableInput
from calid.stacks.stack import SliceStack

CHOOSE_A_VOLUME = "choose a volume that shows a short-axis stack"

LOAD_A_SEQUENCE = "in Slicer's settings for DICOM, prefer volume sequences to multi-volumes, and load it again"

COLOURS = 4
"""Most components of a colour image: red, green, blue and opacity. A multi-volume has one for each phase."""

SAMPLE_VOXELS = 200_000
"""So many tell the percentiles of an image well enough; to sort all of a cine would freeze the window."""

BRIGHTEST_PERCENT = 99.5
"""Upper end of a grey scale made here: a few voxels of fat shall not darken the heart."""


def checkNode(node, what: str) -> None:
    """Raise :class:`UnusableInput` for what is no node, such as the name of one; ``None`` is left to others."""
    if node is not None and not isinstance(node, slicer.vtkMRMLNode):
        found = f'the text "{node}"' if isinstance(node, str) else f"of the type {type(node).__name__}"
        raise UnusableInput(f"{what} is {found}, not a node", "give the node itself, as slicer.util.getNode finds it")


def checkVolume(node, what: str | None = None) -> None:
    """Raise :class:`UnusableInput` unless ``node`` is a grey-value volume with voxels, in a scene.

    :param what: the node in a message; ``None`` takes its name.
    """
    if node is None or not node.IsA("vtkMRMLScalarVolumeNode"):
        found = node.GetNodeTagName() if node else "nothing"
        raise UnusableInput(f"{what or 'the input'} is not a volume but {found}", CHOOSE_A_VOLUME)
    what = what or f'"{node.GetName()}"'
    if node.GetScene() is None:
        raise UnusableInput(f"{what} is not in a scene", "add it with slicer.mrmlScene.AddNode")
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise UnusableInput(f"{what} is a label map; only images can be reconstructed", CHOOSE_A_VOLUME)
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise UnusableInput(f"{what} has no voxels", CHOOSE_A_VOLUME)
    components = image.GetNumberOfScalarComponents()
    if components > COLOURS:
        raise UnusableInput(f"{what} has {components} values in each voxel, as a multi-volume has", LOAD_A_SEQUENCE)
    if components != 1:
        raise UnusableInput(f"{what} is a colour image", "convert it with the module Vector to Scalar Volume")


def readStack(volumeNode, what: str | None = None) -> SliceStack:
    """The voxels and geometry of a volume node as a one-phase stack in RAS.

    A parent transform is not applied: the result gets the same parent. The voxels are the node's own memory.

    :param what: the node in a message; ``None`` takes its name.
    :raises UnusableInput: naming the node, if it holds no usable short-axis stack.
    """
    checkVolume(volumeNode, what)
    try:
        return SliceStack.from_affine(voxelsOf(volumeNode), ijkToRasOf(volumeNode))
    except UnusableInput as error:
        raise UnusableInput(f"{what or quoted(volumeNode)}: {error}", error.terms) from error


def quoted(node) -> str:
    """The name of a node as it stands in a message."""
    return f'"{node.GetName()}"'


def ijkToRasOf(volumeNode) -> np.ndarray:
    """The 4 x 4 affine of a volume node, millimetres, without its parent transform."""
    ijkToRas = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(ijkToRas)
    return slicer.util.arrayFromVTKMatrix(ijkToRas)


def voxelsOf(volumeNode) -> np.ndarray:
    """The voxels (k, j, i) of a scalar or label map volume node, sharing its memory."""
    return _voxels(volumeNode.GetImageData())


def addVolumeLike(inputNode, className: str, name: str, voxels: np.ndarray, ijkToRas: np.ndarray, scene=None):
    """Add a volume node of the given class, with the scalar type and the parent transform of ``inputNode``.

    :param voxels: (k, j, i). Where its type is the input's, the node gets the very scalar type of the input.
    :param ijkToRas: 4 x 4, millimetres.
    :param scene: ``None`` takes that of ``inputNode``.
    """
    scene = scene or inputNode.GetScene()
    node = scene.AddNewNodeByClass(className, freeName(scene, name))
    fillVolume(node, inputNode, voxels, ijkToRas)
    node.SetAndObserveTransformNodeID(inputNode.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    return node


def freeName(scene, name: str) -> str:
    """``name``, or one like it where it is taken: Slicer alone would also number the names of nodes long gone."""
    return scene.GenerateUniqueName(name) if scene.GetFirstNodeByName(name) else name


def fillVolume(node, inputNode, voxels: np.ndarray, ijkToRas: np.ndarray) -> None:
    """Give ``node`` a copy of the voxels (k, j, i), of the input's scalar type if it is theirs, and their affine."""
    node.SetAndObserveImageData(_image(voxels, inputNode.GetImageData()))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))


def copyWindowLevel(inputNode, outputNode) -> None:
    """Show the output in the input's grey scale: window, level, colours and interpolation."""
    source, target = inputNode.GetDisplayNode(), outputNode.GetDisplayNode()
    if source is None or source.GetWindow() <= 0:  # never displayed, so there is nothing to copy yet
        return
    target.SetAndObserveColorNodeID(source.GetColorNodeID())
    target.SetInterpolate(source.GetInterpolate())
    target.AutoWindowLevelOff()  # else Slicer would fit the window to the output's own histogram
    target.SetWindowLevel(source.GetWindow(), source.GetLevel())


def fixWindow(node, *images: np.ndarray) -> None:
    """Stop Slicer from fitting the grey scale of ``node`` to its voxels of the moment, which makes a cine flicker.

    A window copied before is kept; otherwise it spans the voxels of ``images``, up to :data:`BRIGHTEST_PERCENT`.
    """
    display = node.GetDisplayNode()
    if display.GetAutoWindowLevel():
        low, high = (float(value) for value in np.percentile(sampleOf(*images), (0, BRIGHTEST_PERCENT)))
        display.AutoWindowLevelOff()
        display.SetWindowLevel(max(high - low, np.finfo(float).tiny), (high + low) / 2)


def sampleOf(*images: np.ndarray) -> np.ndarray:
    """Voxels (n,) from all over images (..., rows, columns): all there are, or some :data:`SAMPLE_VOXELS`."""
    step = math.ceil(math.sqrt(sum(image.size for image in images) / SAMPLE_VOXELS))
    return np.concatenate([image[..., ::step, ::step].ravel() for image in images])


def nodesShowing(volumeNode) -> list:
    """The nodes by which a volume is shown: displays, legend, volume rendering with its properties and crop box.

    Slicer leaves those of a volume rendering in the scene when the volume goes.
    """
    shown = [volumeNode.GetNthDisplayNode(n) for n in range(volumeNode.GetNumberOfDisplayNodes())]
    renderings = [node for node in shown if node and node.IsA("vtkMRMLVolumeRenderingDisplayNode")]
    owned = [node for one in renderings for node in (one.GetROINode(), one.GetVolumePropertyNode())]
    return [node for node in (*shown, *owned) if node is not None]


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
