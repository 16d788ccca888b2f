"""The dense heart in 3D: volume rendering with transfer functions made for bright-blood cardiac MR.

Slicer has no preset for it, and MR intensities have no unit, so the functions follow from the volume's own percentiles.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from ..Scene.VolumeBridge import sampleOf, voxelsOf
from .Geometry import worldMatrix
from .Heart import Heart, heartOf
from .Layout import inputOf, namesOnScreen
from .Modules import moduleLogic

RENDERING = "vtkMRMLVolumeRenderingDisplayNode"

CROP_SHARE = 5 / 6
"""Share of what the slice views show that is rendered: in 3D what lies beside the heart also lies in front of it."""

# Percentile around the heart -> opacity and colour of lung, myocardium, the wall of the blood pool, and blood; the
# percentiles are those of the labels of 20 ACDC patients, where they vary by some 8 points.
_LOOK = (
    (42, 0.0, (0.0, 0.0, 0.0)),
    (53, 0.04, (0.45, 0.10, 0.07)),
    (65, 0.25, (0.85, 0.40, 0.28)),
    (82, 0.85, (1.00, 0.92, 0.80)),
)


def showVolumeRendering(volume, visible: bool = True, logic=None) -> bool:
    """Show or hide the heart of a volume in the 3D view, cropped to the middle of the field of view.

    :param logic: vtkSlicerVolumeRenderingLogic; ``None`` takes that of Slicer's module.
    :return: whether there is a volume rendering to show or hide.
    """
    logic = logic or moduleLogic("volumerendering")
    if logic is None:
        return False
    if visible:
        prepare(volume, logic)
        _cropToHeart(volume, logic)
    display = logic.GetFirstVolumeRenderingDisplayNode(volume)
    if display is None:
        return False
    display.SetVisibility(visible)
    return True


def prepare(volume, logic=None) -> None:
    """Make the nodes that :func:`showVolumeRendering` shows, as far as they are missing."""
    logic = logic or moduleLogic("volumerendering")
    if logic is None or logic.GetFirstVolumeRenderingDisplayNode(volume):
        return
    display = logic.CreateDefaultVolumeRenderingNodes(volume)
    display.SetVisibility(False)
    display.GetVolumePropertyNode().SetName(f"{volume.GetName()} look")  # Slicer names it after its preset for MR
    heart = _heartIn(volume)
    applyBrightBloodLook(display.GetVolumePropertyNode(), heart.within(voxelsOf(volume), volume.GetSpacing()))


def hideRenderings(volumes) -> None:
    """Hide the hearts of these volumes: at one place, two of them are seen as none."""
    for volume in volumes:
        for display in _displaysOf(volume):
            display.SetVisibility(False)


def isRendered(volume) -> bool:
    """Whether the user sees the volume in a 3D view."""
    visible = any(display.GetVisibility() for display in _displaysOf(volume))
    return visible and isThreeDOnScreen(volume.GetScene())


def isThreeDOnScreen(scene) -> bool:
    """Whether the layout that is shown has a 3D view."""
    return bool(namesOnScreen(scene, "vtkMRMLViewNode"))


def _displaysOf(volume) -> list:
    displays = (volume.GetNthDisplayNode(n) for n in range(volume.GetNumberOfDisplayNodes()))
    return [display for display in displays if display and display.IsA(RENDERING)]


def _heartIn(volume) -> Heart:
    return heartOf(inputOf(volume) or volume)  # a result may not have all phases yet


def applyBrightBloodLook(propertyNode, voxels: np.ndarray) -> None:
    """Make blood bright and opaque, myocardium translucent and the rest invisible.

    :param propertyNode: the vtkMRMLVolumePropertyNode to change.
    :param voxels: (k, j, i) of the heart and what is close to it.
    """
    opacity, colour = vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction()
    for value, (_, share, rgb) in zip(_levels(voxels), _LOOK, strict=True):
        opacity.AddPoint(value, share)
        colour.AddRGBPoint(value, *rgb)
    propertyNode.SetScalarOpacity(opacity)
    propertyNode.SetColor(colour)
    appearance = propertyNode.GetVolumeProperty()
    appearance.SetInterpolationTypeToLinear()
    appearance.ShadeOff()  # inside of blood the gradient is noise, and a shade would make it black and white


def _levels(voxels: np.ndarray) -> np.ndarray:
    """The intensities of the look's percentiles, each above the one before, as a transfer function needs."""
    levels = np.percentile(sampleOf(voxels), [percentile for percentile, *_ in _LOOK])
    least = max(float(np.ptp(levels)), 1e-6) * 1e-3
    return np.maximum.accumulate(levels - least * np.arange(len(levels))) + least * np.arange(len(levels))


def _cropToHeart(volume, logic) -> None:
    """Leave out the chest wall, which is as bright as blood and lies in front of the heart."""
    display = logic.GetFirstVolumeRenderingDisplayNode(volume)
    if display.GetROINode():
        return
    region, heart = logic.CreateROINode(display), _heartIn(volume)
    affine, slices = worldMatrix(volume), volume.GetImageData().GetDimensions()[2]
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    placed = affine / [*steps, 1]
    placed[:, 3] = affine @ [*heart.centre, (slices - 1) / 2, 1]
    region.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(placed))
    region.SetSize(*(CROP_SHARE * side for side in heart.size), float(steps[2] * slices))
    region.SetName(f"{volume.GetName()} crop")
    region.SetDisplayVisibility(False)
    display.SetCroppingEnabled(True)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volume.GetScene())
    item, beside = hierarchy.GetItemByDataNode(region), hierarchy.GetItemByDataNode(volume)
    if item and beside:  # it goes away with the folder of the results
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(beside))
