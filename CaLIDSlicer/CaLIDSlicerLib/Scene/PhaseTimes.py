"""The time axis of a cine: what a sequence knows of its trigger times, and how a result says the same.

A result keeps the index of its input, name, unit and value strings, for by these a sequence browser plays both in
step. Slicer's DICOM import indexes a cine by frame number and leaves the trigger times in ``MultiVolume.*``
attributes; there, and as ``DICOM.triggerTime`` of each phase, a result has them in ms too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import slicer

FRAME_LABELS = "MultiVolume.FrameLabels"
FRAME_TAG = "MultiVolume.FrameIdentifyingDICOMTagName"
FRAME_UNITS = "MultiVolume.FrameIdentifyingDICOMTagUnits"
FRAME_COUNT = "MultiVolume.NumberOfFrames"
TRIGGER_TIME = "DICOM.triggerTime"
"""DICOM (0018,1060), ms after the R wave; set by Slicer's import of image sequences."""

_MILLISECONDS = {"ms": 1.0, "s": 1000.0, "sec": 1000.0}
_NO_TIME_AXIS = ("EchoTime", "RepetitionTime", "InversionTime")


def phaseTimes(sequence) -> tuple[float, ...] | None:
    """The time of every phase in ms, or ``None`` if the sequence does not know them or they do not increase."""
    for read in (_fromFrameLabels, _fromTriggerTimes, _fromIndex):
        times = _increasing(read, sequence)
        if times:
            return times
    return None


def writePhaseTimes(sequence, times: Sequence[float]) -> None:
    """Set the time in ms of every phase, as attributes of the sequence and of its data nodes."""
    labels = [f"{time:g}" for time in times]
    with slicer.util.NodeModify(sequence):  # else a browser would show its phase anew after each attribute
        sequence.SetAttribute(FRAME_LABELS, ",".join(labels))
        sequence.SetAttribute(FRAME_TAG, "TriggerTime")
        sequence.SetAttribute(FRAME_UNITS, "ms")
        sequence.SetAttribute(FRAME_COUNT, str(len(labels)))
        for item, label in enumerate(labels):
            sequence.GetNthDataNode(item).SetAttribute(TRIGGER_TIME, label)


def _increasing(read: Callable[..., list[float]], sequence) -> tuple[float, ...] | None:
    try:
        times = read(sequence)
    except (AttributeError, TypeError, ValueError, KeyError):  # an attribute that is missing or no number
        return None
    isAxis = len(times) == sequence.GetNumberOfDataNodes() and np.isfinite(times).all() and (np.diff(times) > 0).all()
    return tuple(times) if isAxis else None


def _fromFrameLabels(sequence) -> list[float]:
    tag = sequence.GetAttribute(FRAME_TAG)
    if not tag.endswith("Time") or tag in _NO_TIME_AXIS:
        raise ValueError(tag)
    scale = _MILLISECONDS[sequence.GetAttribute(FRAME_UNITS)]
    return [float(label) * scale for label in sequence.GetAttribute(FRAME_LABELS).split(",")]


def _fromTriggerTimes(sequence) -> list[float]:
    nodes = [sequence.GetNthDataNode(item) for item in range(sequence.GetNumberOfDataNodes())]
    return [float(node.GetAttribute(TRIGGER_TIME)) for node in nodes]


def _fromIndex(sequence) -> list[float]:
    scale = _MILLISECONDS[sequence.GetIndexUnit()]
    return [float(sequence.GetNthIndexValue(item)) * scale for item in range(sequence.GetNumberOfDataNodes())]
