"""Which nodes the panel takes as an input, and what of them it looks at again."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from ..Dicom.Nodes import patientOf
from ..Scene.CineInput import browsersShowing
from ..Scene.Provenance import isOurs
from ..Scene.VolumeBridge import ijkToRasOf


def geometryOf(node: Any) -> Any:
    """The IJK-to-RAS matrix of a volume; ``None`` of anything else."""
    return ijkToRasOf(node).tolist() if node is not None and node.IsA("vtkMRMLVolumeNode") else None


def isPlayed(node: Any) -> bool:
    """Whether a volume shows a phase of a cine."""
    return node is not None and node.IsA("vtkMRMLVolumeNode") and bool(browsersShowing(node))


def changesOf(node: Any) -> tuple[int, ...]:
    """The events by which a volume or a sequence says that it has been filled."""
    isVolume = node.IsA("vtkMRMLVolumeNode")
    voxels = (slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,) if isVolume else ()
    return (vtk.vtkCommand.ModifiedEvent, *voxels)


def chooseFirstVolume(parameters: Any) -> None:
    """Choose an input where none is chosen."""
    if parameters.input is None:
        parameters.input = firstInput()
        forgetStack(parameters)


def forgetStack(parameters: Any) -> None:
    """Of another stack the shifts are others, and the patient may be another: take what its study says of that one."""
    patient = patientOf(parameters.input)
    told = {"height": "height_cm", "weight": "weight_kg", "rr": "rr_ms"}
    chosen: dict[str, Any] = {name: patient.get(fact, 0.0) for name, fact in told.items()} | {"inPlace": []}
    with slicer.util.NodeModify(parameters.parameterNode):
        for name, value in chosen.items():
            if getattr(parameters, name) != value:
                setattr(parameters, name, value)


def firstInput(but: Any = None) -> Any:
    """The first volume that is shown to the user and not ours; ``None`` if there is no other than ``but``."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")  # label maps are among them
    shown = (node for node in volumes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and node is not but)
    return next((node for node in shown if not node.GetHideFromEditors() and not isOurs(node)), None)
