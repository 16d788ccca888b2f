"""What a result says of itself: where it comes from, and which nodes belong to it."""

from __future__ import annotations

import json
from typing import Any

import slicer

ATTRIBUTE_PREFIX = "CaLID."
INPUT_ROLE = "CaLID.input"
MASK_ROLE = "CaLID.synthesised"
UNCERTAINTY_ROLE = "CaLID.uncertainty"
ROLES = (INPUT_ROLE, MASK_ROLE, UNCERTAINTY_ROLE)

PART = "part"
"""The fact by which a node that is made beside a result says what it is."""

PHASE = "phase"
"""Fact of a dense volume made from one phase of a cine: the index value of the phase."""
FINISHED_PHASES = "finished_phases"
"""Fact of a cine whose reconstruction was cancelled: how many phases were kept, such as "3 of 12"."""


def isOurs(node) -> bool:
    """Whether a node was made here: a result, or a node that was made beside one."""
    isMarked = any(name.startswith(ATTRIBUTE_PREFIX) for name in node.GetAttributeNames())
    return isMarked or node.GetNodeReferenceID(INPUT_ROLE) is not None


def factOf(node, fact: str) -> str | None:
    """What :func:`writeFacts` wrote, as it is in the attribute."""
    return node.GetAttribute(ATTRIBUTE_PREFIX + fact)


def writeFacts(node, facts: dict[str, Any]) -> None:
    """Write provenance to a node as ``CaLID.*`` attributes: text as it is, everything else as JSON.

    What an earlier result said, which this one has overwritten, is true no longer and goes.
    """
    with slicer.util.NodeModify(node):  # else whatever shows the node is drawn anew for each fact
        for name in node.GetAttributeNames():
            if name.startswith(ATTRIBUTE_PREFIX) and name.removeprefix(ATTRIBUTE_PREFIX) not in (PART, *facts):
                node.RemoveAttribute(name)
        for fact, value in facts.items():
            node.SetAttribute(ATTRIBUTE_PREFIX + fact, value if isinstance(value, str) else json.dumps(value))
