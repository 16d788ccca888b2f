"""A node that a job overwrites, as it was before: kept without copying voxels, and put back if the job fails."""

from __future__ import annotations

import slicer

from .Measures import measuresOf
from .PhaseNodes import copyIndex, phaseNodes, putPhase, removeOtherPhases, sharedCopy
from .Provenance import MASK_ROLE, ROLES, UNCERTAINTY_ROLE
from .VolumeBridge import nodesShowing


class NodeState:
    """The references and the scene of a node, and with a subclass the rest."""

    def __init__(self, node) -> None:
        self.node, self._scene = node, node.GetScene()
        self._references = {role: node.GetNodeReferenceID(role) for role in ROLES}

    def restore(self) -> None:
        """Put the node back into this state, if it is still in its scene."""
        if self._scene.IsNodePresent(self.node):
            with slicer.util.NodeModify(self.node):  # a browser would show each phase that comes back
                for role, nodeId in self._references.items():
                    self.node.SetNodeReferenceID(role, nodeId)
                self._restoreContent()

    def companions(self) -> list:
        """The mask, the uncertainty and the measures that belonged to the node."""
        nodes = [self._scene.GetNodeByID(self._references[role] or "") for role in (MASK_ROLE, UNCERTAINTY_ROLE)]
        measures = measuresOf(self.node)
        return [node for node in nodes if node is not None] + (measures.nodes if measures else [])

    def _restoreContent(self) -> None:
        raise NotImplementedError


class VolumeState(NodeState):
    """A volume node with its voxels, geometry, attributes, parent transform and grey scale."""

    def __init__(self, node) -> None:
        super().__init__(node)
        self._content, self._transformId = sharedCopy(node), node.GetTransformNodeID()
        self._shownBy = nodesShowing(node)
        display = node.GetDisplayNode()
        self._window = display and (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel())

    def _restoreContent(self) -> None:
        for added in set(nodesShowing(self.node)) - set(self._shownBy):
            self._scene.RemoveNode(added)
        self.node.CopyContent(self._content, False)
        self.node.SetAndObserveTransformNodeID(self._transformId)
        if self._window:
            window, level, isAuto = self._window
            self.node.GetDisplayNode().SetWindowLevel(window, level)
            self.node.GetDisplayNode().SetAutoWindowLevel(isAuto)


class SequenceState(NodeState):
    """A sequence node of volumes with its index, data nodes and attributes."""

    def __init__(self, node) -> None:
        super().__init__(node)
        self._index = slicer.vtkMRMLSequenceNode()
        copyIndex(node, self._index)
        self._attributes = {name: node.GetAttribute(name) for name in node.GetAttributeNames()}
        self._phases = {value: sharedCopy(phase) for value, phase in phaseNodes(node).items()}

    def _restoreContent(self) -> None:
        copyIndex(self._index, self.node)
        removeOtherPhases(self.node, self._phases)
        for value, phase in self._phases.items():
            putPhase(self.node, value, phase)
        for name in {*self.node.GetAttributeNames(), *self._attributes}:
            self.node.SetAttribute(name, self._attributes.get(name))  # none removes it
