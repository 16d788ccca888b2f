"""The long axes of the study that a stack is from: other breath-holds of the same heart, in step with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .CineInput import Source
from .NewCine import browserOf
from .Provenance import INPUT_ROLE
from .SliceThickness import thicknessOf
from .VolumeBridge import ijkToRasOf, voxelsOf

LONG_AXIS_ROLE = "CaLID.longAxis"
"""Of the volume that shows a stack to those that show the long axes of its study."""


def nameLongAxes(stack, longAxes: Iterable[Any]) -> None:
    """Write down which volumes are the long axes of a stack."""
    for longAxis in longAxes:
        stack.AddNodeReferenceID(LONG_AXIS_ROLE, longAxis.GetID())


@dataclass(frozen=True, eq=False)
class LongAxis:
    """What is read of one.

    :param name: of its volume.
    :param phases: (j, i) each, in step with the stack; the nodes' own memory.
    :param ijkToRas: (4, 4), in the same space as that of the stack.
    :param thickness: mm, ``None`` where nothing says it.
    """

    name: str
    phases: list[np.ndarray]
    ijkToRas: np.ndarray
    thickness: float | None


def readLongAxes(source: Source, items: Sequence[int]) -> list[LongAxis]:
    """Those of a cine that have all its phases and lie below the same transform, in phases of the given numbers."""
    found = []
    for longAxis in _named(source.volume):
        browser = browserOf(longAxis)
        sequence = browser.GetSequenceNode(longAxis) if browser and browser is source.browser else None
        isBeside = longAxis.GetParentTransformNode() is source.like.GetParentTransformNode()
        if sequence is None or sequence.GetNumberOfDataNodes() != source.phases or not isBeside:
            continue
        nodes = [sequence.GetNthDataNode(item) for item in items]
        if all(node.GetImageData() and node.GetImageData().GetDimensions()[2] == 1 for node in nodes):
            phases, thickness = [voxelsOf(node)[0] for node in nodes], thicknessOf(np.array([np.inf]), sequence)
            found.append(LongAxis(longAxis.GetName(), phases, ijkToRasOf(nodes[0]), thickness))
    return found


def longAxesOf(dense) -> list[Any]:
    """The long axes that a dense volume can be held against: of the study of its input, as far as they are there."""
    return _named(dense.GetNodeReference(INPUT_ROLE) if dense is not None else None)


def _named(stack: Any) -> list[Any]:
    count = stack.GetNumberOfNodeReferences(LONG_AXIS_ROLE) if stack is not None else 0
    nodes = (stack.GetNthNodeReference(LONG_AXIS_ROLE, number) for number in range(count))
    return [node for node in nodes if node is not None and node.GetImageData() is not None]
