"""The MRML scene of the demo: a stack becomes a volume node, and the scene is saved as 3D Slicer opens it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer

from calid.stacks.stack import SliceStack

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def addStack(stack: SliceStack, name: str):
    """Add the first phase of a stack in LPS as a volume node, with window and level around its tissue."""
    node = slicer.util.addVolumeFromArray(stack.voxels[0], name=name)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_TO_RAS @ stack.affine))
    bright = float(np.percentile(stack.voxels, 99.5))
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(bright, bright / 2)
    return node


def saveScene(scene, folder: Path) -> Path:
    """Write every volume as .nrrd and the scene beside them; the scene names its files relative to itself."""
    scene.SetRootDirectory(str(folder))
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode")):
        node = scene.GetNthNodeByClass(index, "vtkMRMLVolumeNode")
        node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        storage.SetFileName(str(folder / f"{node.GetName().replace(' ', '_')}.nrrd"))
        if not storage.WriteData(node):
            raise OSError(f"{storage.GetFileName()} cannot be written")
    path = folder / "scene.mrml"
    scene.SetURL(str(path))
    if not scene.Commit(str(path)):
        raise OSError(f"{path} cannot be written")
    return path
