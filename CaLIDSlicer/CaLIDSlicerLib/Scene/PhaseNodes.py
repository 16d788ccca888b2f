"""The data nodes of a sequence: set without copying voxels, and without a moment in which a browser sees half of it."""

from __future__ import annotations

from collections.abc import Container

import slicer

from .. import Host


def copyIndex(source, target) -> None:
    """Give a sequence the index name, unit, type and tolerance of another one; the two can be played in step."""
    with slicer.util.NodeModify(target):
        target.SetIndexName(source.GetIndexName())
        target.SetIndexUnit(source.GetIndexUnit())
        target.SetIndexType(source.GetIndexType())
        target.SetNumericIndexValueTolerance(source.GetNumericIndexValueTolerance())


def phaseNodes(sequence) -> dict:
    """The data nodes of a sequence by their index values, in order."""
    numbers = range(sequence.GetNumberOfDataNodes())
    return {sequence.GetNthIndexValue(number): sequence.GetNthDataNode(number) for number in numbers}


def sharedCopy(volumeNode):
    """A volume node outside any scene, with the content of another one; the voxels are shared."""
    copy = slicer.vtkMRMLScalarVolumeNode()
    copy.SetName(volumeNode.GetName())
    copy.CopyContent(volumeNode, False)
    return copy


def putPhase(sequence, indexValue: str, dataNode) -> None:
    """Set a phase of a sequence, new or there before; the voxels, or labels, of ``dataNode`` are shared."""
    with slicer.util.NodeModify(sequence):  # else a browser would show the empty node
        if sequence.GetItemNumberFromIndexValue(indexValue) < 0:
            empty = type(dataNode)()  # a full one would be copied deeply
            empty.SetName(dataNode.GetName())
            sequence.SetDataNodeAtValue(empty, indexValue)
        sequence.UpdateDataNodeAtValue(dataNode, indexValue, True)


def showPhase(browser) -> None:
    """Have a browser show its selected phase, which in the application it does by itself."""
    if not Host.application():
        logic = slicer.vtkSlicerSequencesLogic()
        logic.SetMRMLScene(browser.GetScene())
        logic.UpdateProxyNodesFromSequences(browser)


def removeOtherPhases(sequence, indexValues: Container[str]) -> None:
    """Leave only the phases of the given index values in a sequence."""
    with slicer.util.NodeModify(sequence):
        for value in phaseNodes(sequence):
            if value not in indexValues:
                sequence.RemoveDataNodeAtValue(value)
