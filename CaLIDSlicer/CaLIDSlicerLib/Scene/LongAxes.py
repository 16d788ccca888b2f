"""The long axes of the study that a stack is from: other breath-holds of the same heart, in step with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .Provenance import INPUT_ROLE

LONG_AXIS_ROLE = "CaLID.longAxis"
"""Of the volume that shows a stack to those that show the long axes of its study."""


def nameLongAxes(stack, longAxes: Iterable[Any]) -> None:
    """Write down which volumes are the long axes of a stack."""
    for longAxis in longAxes:
        stack.AddNodeReferenceID(LONG_AXIS_ROLE, longAxis.GetID())


def longAxesOf(dense) -> list[Any]:
    """The long axes that a dense volume can be held against: of the study of its input, as far as they are there."""
    stack: Any = dense.GetNodeReference(INPUT_ROLE) if dense is not None else None
    count = stack.GetNumberOfNodeReferences(LONG_AXIS_ROLE) if stack is not None else 0
    nodes = (stack.GetNthNodeReference(LONG_AXIS_ROLE, number) for number in range(count))
    return [node for node in nodes if node is not None and node.GetImageData() is not None]
