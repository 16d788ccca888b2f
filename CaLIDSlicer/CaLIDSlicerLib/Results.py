"""A finished job becomes nodes: all of them, or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .VolumeBridge import addVolumeLike, copyWindowLevel

ATTRIBUTE_PREFIX = "CaLID."
INPUT_ROLE = "CaLID.input"
MASK_ROLE = "CaLID.synthesised"
UNCERTAINTY_ROLE = "CaLID.uncertainty"


@dataclass(frozen=True)
class DenseVolume:
    """What is to be put into the scene.

    :param voxels: (k, j, i) in the input's type.
    :param ijkToRas: 4 x 4 affine of all arrays.
    :param facts: provenance, written to the node as ``CaLID.*`` attributes.
    :param mask: (k, j, i) uint8, 1 on synthesised slices, or ``None``.
    :param uncertainty: (k, j, i) float32 predicted standard deviation in the input's intensity units, or ``None``.
    """

    voxels: np.ndarray
    ijkToRas: np.ndarray
    facts: dict[str, Any]
    mask: np.ndarray | None = None
    uncertainty: np.ndarray | None = None


def addResultNodes(inputNode, dense: DenseVolume):
    """Add the dense volume to the input's scene, named after the input, with its provenance as attributes.

    The mask and the uncertainty volume, where given, are node references of the volume (:data:`MASK_ROLE`,
    :data:`UNCERTAINTY_ROLE`). If anything fails, the scene is left as it was.

    :return: the dense volume node.
    """
    with _allOrNone(inputNode.GetScene()):
        name = f"{inputNode.GetName()} CaLID"
        volume = addVolumeLike(inputNode, "vtkMRMLScalarVolumeNode", name, dense.voxels, dense.ijkToRas)
        copyWindowLevel(inputNode, volume)
        volume.SetNodeReferenceID(INPUT_ROLE, inputNode.GetID())
        for fact, value in dense.facts.items():
            volume.SetAttribute(ATTRIBUTE_PREFIX + fact, value if isinstance(value, str) else json.dumps(value))
        _addCompanion(volume, MASK_ROLE, "vtkMRMLLabelMapVolumeNode", dense.mask, dense.ijkToRas)
        _addCompanion(volume, UNCERTAINTY_ROLE, "vtkMRMLScalarVolumeNode", dense.uncertainty, dense.ijkToRas)
        return volume


@contextmanager
def _allOrNone(scene) -> Iterator[None]:
    before = {node.GetID() for node in _nodes(scene)}
    try:
        yield
    except BaseException:
        for node in _nodes(scene):
            if node.GetID() not in before:
                scene.RemoveNode(node)
        raise


def _nodes(scene) -> list:
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]


def _addCompanion(volume, role: str, className: str, voxels: np.ndarray | None, ijkToRas: np.ndarray) -> None:
    if voxels is None:
        return
    name = f"{volume.GetName()} {role.removeprefix(ATTRIBUTE_PREFIX)}"
    node = addVolumeLike(volume, className, name, voxels, ijkToRas)
    volume.SetNodeReferenceID(role, node.GetID())
