"""The page of a measured heart: outlines in three planes, the beating surfaces in 3D, and the volumes over the beat."""

from __future__ import annotations

import numpy as np
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from ..Scene.Labels import PARTS, boxOf
from ..Scene.Measures import browserOfLabels, measuresOf
from ..Scene.VolumeBridge import ijkToRasOf
from .Geometry import extentsOf, look, planesOf, scaleToFit, worldMatrix
from .Heart import Heart
from .Layout import DENSE_VIEWS, VOLUMES_VIEW, namesOnScreen, sliceViews
from .Modules import moduleLogic
from .Rendering import hideRenderings
from .Shown import measuredVolume, resultsIn

_AROUND = 1.25
"""So much more than the labelled heart is shown in the slices."""

_FROM = np.array([-0.5, 0.8, 0.35])
"""RAS direction from which the surfaces are looked at: from the left and in front, so that both ventricles are seen."""


def fillPage(volume) -> bool:
    """Show the outlines, the surfaces and the volumes of a measured dense volume; false if it is not measured."""
    measures, scene = measuresOf(volume), volume.GetScene()
    if measures is None:
        return False
    hideRenderings(resultsIn(scene))  # the surfaces are inside
    for view in sliceViews(scene, DENSE_VIEWS):
        view.layers.SetBackgroundVolumeID(volume.GetID())
        view.layers.SetForegroundVolumeID(None)
        view.layers.SetLabelVolumeID(None)
    plotView = scene.GetSingletonNode(VOLUMES_VIEW, "vtkMRMLPlotViewNode")
    if plotView:
        plotView.SetPlotChartNodeID(measures.chart.GetID() if measures.chart else None)
    hideLabels(scene, but=volume)
    if measures.labels:
        measures.labels.SetDisplayVisibility(True)
    return True


def lookAtLabels(volume) -> None:
    """Look at the labelled heart: cuts through the middle of the left ventricle, and 3D from in front."""
    measures, scene = measuresOf(volume), volume.GetScene()
    if measures is None or measures.labels is None:
        return
    affine = ijkToRasOf(volume)
    box, left = (boxOf(measures.labels, affine, parts) for parts in (PARTS, PARTS[1:]))
    middle = left.mean(axis=0)
    reach = _AROUND * np.abs(box - middle).max(axis=0) * volume.GetSpacing()
    heart = Heart((middle[0], middle[1]), (2 * reach[0], 2 * reach[1]))
    views = sliceViews(scene, DENSE_VIEWS)
    planes, extents = planesOf(volume, heart), extentsOf(volume, heart)
    scale = max(scaleToFit(view.plane, extent) for view, extent in zip(views, extents, strict=True))
    for view, plane in zip(views, planes, strict=True):
        look(view.plane, plane, scale)
    _aim(scene, volume, box)


def _aim(scene, volume, box: np.ndarray) -> None:
    """Have the camera of the 3D view see all of a box, (2, 3) indices."""
    cameras = moduleLogic("cameras")
    views = [scene.GetSingletonNode(name, "vtkMRMLViewNode") for name in namesOnScreen(scene, "vtkMRMLViewNode")]
    for view in filter(None, views if cameras else ()):
        corners = [[*(box[corner, range(3)]), 1.0] for corner in np.ndindex(2, 2, 2)]
        placed = (worldMatrix(volume) @ np.array(corners).T)[:3]
        middle, radius = placed.mean(axis=1), float(np.ptp(placed, axis=1).max()) / 2
        camera = cameras.GetViewActiveCameraNode(view)
        away = radius / np.sin(np.radians(camera.GetViewAngle() / 2)) * _FROM / np.linalg.norm(_FROM)
        with slicer.util.NodeModify(camera):
            camera.SetFocalPoint(*middle)
            camera.SetPosition(*(middle + away))
            camera.SetViewUp(0, 0, 1)
        camera.ResetClippingRange()


def hideLabels(scene, but=None) -> None:
    """Take the outlines and surfaces of all results out of the views, but for those of one."""
    for volume in resultsIn(scene):
        measures = measuresOf(volume)
        if measures and measures.labels and volume is not but:
            measures.labels.SetDisplayVisibility(False)


def markPhases(scene) -> None:
    """Move the mark in the chart of the measures that are shown to the phase that is shown."""
    volume = measuredVolume(scene)
    measures = measuresOf(volume) if volume else None
    if measures is None or not (measures.labels and measures.curve and measures.now):
        return
    browser = browserOfLabels(measures.labels)
    if browser is None:
        return
    master, number = browser.GetMasterSequenceNode(), browser.GetSelectedItemNumber()
    labels = browser.GetSequenceNode(measures.labels)
    item = labels.GetItemNumberFromIndexValue(master.GetNthIndexValue(number), False) if number >= 0 else -1
    times = vtk_to_numpy(measures.curve.GetTable().GetColumn(0))
    mark = measures.now.GetTable().GetColumn(0)
    if 0 <= item < len(times) and mark.GetValue(0) != times[item]:
        with slicer.util.NodeModify(measures.now):
            for end in range(mark.GetNumberOfValues()):
                mark.SetValue(end, times[item])
            mark.Modified()
            measures.now.GetTable().Modified()
            measures.now.Modified()
