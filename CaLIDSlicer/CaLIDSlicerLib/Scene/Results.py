"""A finished still becomes nodes: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import slicer
import vtk

from .CineInput import Source
from .NodeState import NodeState, VolumeState
from .Provenance import ATTRIBUTE_PREFIX, INPUT_ROLE, MASK_ROLE, PART, UNCERTAINTY_ROLE, writeFacts
from .VolumeBridge import addVolumeLike, copyWindowLevel, fillVolume, nodesShowing

_RESULT_FOLDER = "CaLID.result"  # attribute of the subject hierarchy's item

VOLUME, LABEL_MAP = "vtkMRMLScalarVolumeNode", "vtkMRMLLabelMapVolumeNode"


@dataclass(frozen=True, eq=False)
class DenseGrid:
    """What all phases of a result share.

    :param ijkToRas: 4 x 4 affine.
    :param shape: (slices, rows, columns).
    :param mask: (k, j, i) uint8, 1 on synthesised slices, or ``None`` if no mask is asked for.
    """

    ijkToRas: np.ndarray
    shape: tuple[int, ...]
    mask: np.ndarray | None = None


class Output(Protocol):
    """Where the phases of a job go: :class:`StillOutput` or :class:`.CineOutput.CineOutput`."""

    @property
    def volume(self) -> Any:
        """The dense volume node, of a cine the proxy; ``None`` before it is in the scene."""

    @property
    def sequence(self) -> Any:
        """The dense sequence node, or ``None``."""

    @property
    def overwritten(self) -> list[Any]:
        """The nodes that were chosen to be overwritten."""

    @property
    def browser(self) -> Any:
        """The browser node that plays it, or ``None``."""

    def addPhase(self, number: int, voxels: np.ndarray, uncertainty: np.ndarray | None, facts: dict[str, Any]) -> bool:
        """Take a phase, (k, j, i) each; true if the scene shows it now.

        :param number: of the phase in the input.
        :param facts: what is known of its provenance.
        """

    def complete(self, facts: dict[str, Any]) -> None:
        """Make a whole of the phases that are there."""

    def undo(self) -> None:
        """Leave the scene as it was before."""


class AddedNodes:
    """The nodes a job adds to a scene: in one subject-hierarchy folder, and removed together if it fails."""

    def __init__(self, source: Source) -> None:
        self._source, self._scene = source, source.scene
        self._nodes: list[Any] = []
        self._folder, self._isFolderOurs = 0, False

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Every node that comes into the scene meanwhile is ours, display and storage nodes as well."""
        self._hierarchy()  # made on first use, and not ours
        before = {node.GetID() for node in _nodesOf(self._scene)}
        try:
            yield
        finally:
            self._nodes += [node for node in _nodesOf(self._scene) if node.GetID() not in before]

    def adopt(self, *nodes) -> None:
        """Count nodes among ours that came into the scene at another time."""
        self._nodes += [node for node in nodes if node is not None and node not in self._nodes]

    def gather(self, name: str, *nodes, overwritten: Sequence[Any] = ()) -> None:
        """Put nodes into a folder beside the input, or that of an overwritten result; deleting it undoes the result.

        A sequence is to be named before its proxy volume: a browser that misses a proxy makes a new one.
        """
        hierarchy = self._hierarchy()
        self._folder = self._folder or self._folderOf(overwritten) or self._newFolder(name)
        for node in nodes:
            item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(self._folder, node)
            hierarchy.SetItemParent(item, self._folder)

    def remove(self) -> None:
        """Take back what is still there."""
        removeNodes(self._scene, self._nodes)
        if self._isFolderOurs:
            items = vtk.vtkIdList()
            self._hierarchy().GetItemChildren(self._hierarchy().GetSceneItemID(), items, True)
            if items.IsId(self._folder) >= 0:  # else the scene was closed
                self._hierarchy().RemoveItem(self._folder, False, True)

    def _folderOf(self, overwritten: Sequence[Any]) -> int:
        """The folder of the result that is overwritten; 0 if there is none, or it is one of the user's own."""
        hierarchy = self._hierarchy()
        items = [hierarchy.GetItemByDataNode(node) for node in overwritten]
        folders = [hierarchy.GetItemParent(item) for item in items if item]
        return next((folder for folder in folders if hierarchy.GetItemAttribute(folder, _RESULT_FOLDER)), 0)

    def _newFolder(self, name: str) -> int:
        hierarchy = self._hierarchy()
        inputItem = hierarchy.GetItemByDataNode(self._source.volume) if self._source.volume else 0
        parent = hierarchy.GetItemParent(inputItem) if inputItem else hierarchy.GetSceneItemID()
        folder, self._isFolderOurs = hierarchy.CreateFolderItem(parent, name), True
        hierarchy.SetItemAttribute(folder, _RESULT_FOLDER, "1")
        return folder

    def _hierarchy(self):
        return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)


class StillOutput:
    """One dense volume, which comes into the scene complete.

    The mask and the uncertainty volume, where asked for, are its node references :data:`MASK_ROLE` and
    :data:`UNCERTAINTY_ROLE`.

    :param name: of the volume.
    :param target: an existing volume node to overwrite, or ``None``.
    """

    sequence: Any = None
    browser: Any = None

    def __init__(self, source: Source, grid: DenseGrid, name: str, target=None) -> None:
        self.volume: Any = None
        self._source, self._grid, self._name = source, grid, name
        self._added = AddedNodes(source)
        self._before = VolumeState(target) if target else None
        self._phase: tuple[np.ndarray, np.ndarray | None]

    @property
    def overwritten(self) -> list[Any]:
        return [self._before.node] if self._before else []

    def addPhase(self, _number: int, voxels: np.ndarray, uncertainty: np.ndarray | None, _facts: dict) -> bool:
        self._phase = voxels, uncertainty
        return False

    def complete(self, facts: dict[str, Any]) -> None:
        voxels, uncertainty = self._phase
        target = self._before.node if self._before else None
        with self._added.recorded():
            volume = denseVolume(self._source, self._grid, voxels, self._name, target)
            writeFacts(volume, facts)
            volume.SetNodeReferenceID(INPUT_ROLE, self._source.node.GetID())
            companions = [
                addCompanion(volume, MASK_ROLE, LABEL_MAP, self._grid.mask, self._grid),
                addCompanion(volume, UNCERTAINTY_ROLE, VOLUME, uncertainty, self._grid),
            ]
            self._added.gather(volume.GetName(), volume, *filter(None, companions), overwritten=self.overwritten)
        discardCompanions(self._before)
        nameCompanions(volume)
        self.volume = volume

    def undo(self) -> None:
        self.volume = None
        self._added.remove()
        if self._before:
            self._before.restore()


def denseVolume(source: Source, grid: DenseGrid, voxels: np.ndarray, name: str, target=None):
    """A volume node in the scene with the dense voxels, shown like the input; ``target`` is taken if given."""
    volume = target or addVolumeLike(source.like, VOLUME, name, voxels, grid.ijkToRas, source.scene)
    if target:
        fillVolume(target, source.like, voxels, grid.ijkToRas)
        target.SetAndObserveTransformNodeID(source.like.GetTransformNodeID())
        target.CreateDefaultDisplayNodes()
    copyWindowLevel(source.like, volume)
    return volume


def addCompanion(volume, role: str, className: str, voxels: np.ndarray | None, grid: DenseGrid):
    """Add a volume node that ``volume`` refers to by ``role``; without voxels only an older reference goes."""
    if voxels is None:
        volume.SetNodeReferenceID(role, None)
        return None
    node = addVolumeLike(volume, className, _companionName(volume, role), voxels, grid.ijkToRas)
    writeFacts(node, {PART: role.removeprefix(ATTRIBUTE_PREFIX)})
    volume.SetNodeReferenceID(role, node.GetID())
    return node


def discardCompanions(*states: NodeState | None) -> None:
    """Remove the mask and uncertainty of results that have been overwritten: they fit no longer."""
    for state in filter(None, states):
        removeNodes(state.node.GetScene(), state.companions())


def nameCompanions(volume) -> None:
    """Take the numbers off the names of mask and uncertainty, once those of an overwritten result are gone."""
    for role in (MASK_ROLE, UNCERTAINTY_ROLE):
        node, name = volume.GetNodeReference(role), _companionName(volume, role)
        if node is not None and volume.GetScene().GetFirstNodeByName(name) is None:
            node.SetName(name)


def _companionName(volume, role: str) -> str:
    return f"{volume.GetName()} {role.removeprefix(ATTRIBUTE_PREFIX)}"


def removeNodes(scene, nodes) -> None:
    """Remove the nodes that are still in the scene, sequences before their proxies, and what shows the volumes."""
    volumes = [node for node in nodes if node.IsA("vtkMRMLVolumeNode") and scene.IsNodePresent(node)]
    shown = [node for volume in volumes for node in nodesShowing(volume)]
    for node in sorted([*nodes, *shown], key=lambda node: not node.IsA("vtkMRMLSequenceNode")):
        if scene.IsNodePresent(node):
            scene.RemoveNode(node)


def _nodesOf(scene) -> list:
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
