"""How thick the acquired slices of a node are: what it says itself, or the DICOM files it was loaded from."""

from __future__ import annotations

import math

import numpy as np
import slicer

from calid.stacks.thickness import LARGEST_OVERLAP

ATTRIBUTE = "slice_thickness_mm"
"""Of a volume or sequence; a free key of a NRRD file becomes one, and the other way round."""

_INSTANCES = "DICOM.instanceUIDs"
_TAG = "0018,0050"


def writeThickness(node, thickness: float | None) -> None:
    """Let a node say how thick its slices are, mm; ``None`` where nobody knows."""
    node.SetAttribute(ATTRIBUTE, None if thickness is None else f"{thickness:g}")


def thicknessOf(gaps: np.ndarray, *nodes) -> float | None:
    """mm that each slice averages over, as the first of some nodes says that knows it.

    What is not possible at these gaps (mm) is the number of something else, and is not believed.
    """
    said = (_number(text) for node in nodes if node is not None for text in (_attribute(node), _fromDicom(node)))
    possible = (mm for mm in said if mm is not None and mm <= LARGEST_OVERLAP * float(np.min(gaps)))
    return next(possible, None)


def _attribute(node) -> str:
    return node.GetAttribute(ATTRIBUTE) or ""


def _fromDicom(node) -> str:
    """What the files in Slicer's DICOM database say that a volume was loaded from; empty if they are not there."""
    instances = (node.GetAttribute(_INSTANCES) or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not instances or database is None or not database.isOpen:
        return ""
    return database.instanceValue(instances[0], _TAG) or ""


def _number(text: str) -> float | None:
    try:
        mm = float(text)
    except ValueError:
        return None
    return mm if math.isfinite(mm) and mm > 0 else None
