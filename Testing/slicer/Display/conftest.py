"""Fixtures: views as the application's layout manager makes them, and a result to show in them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import slicer
import vtk

from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction

# Rows go to the left and back, columns down, slices from base to apex: an oblique short axis as it is acquired.
OBLIQUE = np.array([[-0.6, 0.36, -0.714], [-0.8, -0.27, 0.536], [0.0, -0.893, -0.45]])


@pytest.fixture
def views(scene):
    """A scene with views, as the application's layout manager makes them: a slice logic for every slice node."""
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    logics = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def addLogic(_scene, _event, node):
        if node.IsA("vtkMRMLSliceNode"):
            logic = slicer.vtkMRMLSliceLogic()
            logic.SetMRMLScene(scene)
            logic.SetSliceNode(node)
            logics.append(logic)

    scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, addLogic)
    layout, link = slicer.vtkMRMLLayoutLogic(), slicer.vtkMRMLSliceLinkLogic()
    layout.SetMRMLScene(scene)
    link.SetMRMLScene(scene)
    return SimpleNamespace(layout=layout, link=link, logics=logics)


@pytest.fixture
def makeDense(makeVolume, repeatingWorker):
    """An oblique stack and its dense volume with mask and uncertainty."""

    def make():
        affine = np.eye(4)
        affine[:3, :3] = OBLIQUE / np.linalg.norm(OBLIQUE, axis=0) * (4.0, 4.0, 8.0)
        affine[:3, 3] = 12, -30, 55
        sparse = makeVolume(ijkToRas=affine)
        return Reconstruction(sparse, 4.0, mask=True, uncertainty=True, workerCommand=repeatingWorker).wait()

    return make
