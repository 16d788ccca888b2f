"""The views of a study become nodes: the stack, its long axes in step with it, and the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from calid.protocol import StudyRead, ViewRead
from calid.stacks.stack import SliceStack

from ..Scene.LongAxes import nameLongAxes
from ..Scene.NewCine import LPS_TO_RAS, addCineOf, addVolume, browserOf, newSequence, playSequence
from ..Scene.SliceThickness import writeThickness
from ..Scene.VolumeBridge import freeName
from ..Translation import _

REPORT_ROLE = "CaLID.studyReport"
"""Of the volume that shows a stack to the text node with the study report."""

_PATIENT = "CaLID.patient"  # attribute of the report
_USUAL_THICKNESS = 8.0


@dataclass(frozen=True, eq=False)
class OpenedStudy:
    """What came into the scene.

    :param volume: of the stack; of a cine its proxy.
    :param longAxes: volumes of one slice each; of a cine proxies, played in step with the stack.
    :param report: text node.
    :param what: the stack in a few words, such as "short-axis cine, 12 slices x 20 phases".
    """

    volume: Any
    longAxes: list[Any]
    report: Any
    what: str
    read: StudyRead

    @property
    def nodes(self) -> list[Any]:
        """All of them, sequences included."""
        browser = browserOf(self.volume)
        shown = [self.volume, *self.longAxes]
        sequences = [browser.GetSequenceNode(volume) for volume in shown] if browser else []
        return [node for node in (*shown, *sequences, self.report) if node is not None]


def addStudy(views: Sequence[tuple[ViewRead, np.ndarray]], read: StudyRead) -> OpenedStudy:
    """Add the views of a study to the scene.

    :param views: the stack and its long axes, each with its voxels (phases, slices, rows, columns).
    """
    (stack, voxels), others = views[0], views[1:]
    volume = _addStack(stack, voxels)
    longAxes = [_addLongAxis(view, images, browserOf(volume)) for view, images in others]
    nameLongAxes(volume, longAxes)
    report = _addReport(f"{volume.GetName()} report", read.report)
    report.SetAttribute(_PATIENT, json.dumps(read.patient))
    volume.SetNodeReferenceID(REPORT_ROLE, report.GetID())
    return OpenedStudy(volume, longAxes, report, stack.what, read)


def gather(study: OpenedStudy) -> None:
    """Put all nodes into a study of the subject hierarchy, which is not called after the patient."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), _("Cardiac MR study"))
    putBelow(study, item)


def putBelow(study: OpenedStudy, item: int) -> None:
    """Put all nodes below an item of the subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    for node in study.nodes:
        own = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(item, node)
        hierarchy.SetItemParent(own, item)


def reportOf(volume) -> str:
    """The report of the study that a volume is from; empty if it is from none."""
    node = volume.GetNodeReference(REPORT_ROLE) if volume is not None else None
    return node.GetText() if node is not None else ""


def patientOf(volume) -> dict[str, float]:
    """``height_cm``, ``weight_kg`` and ``rr_ms``, as far as the study that a volume is from says them."""
    node = volume.GetNodeReference(REPORT_ROLE) if volume is not None else None
    return json.loads(node.GetAttribute(_PATIENT) or "{}") if node is not None else {}


def _addStack(view: ViewRead, voxels: np.ndarray):
    times = None if view.times is None else tuple(time / 1000 for time in view.times)
    frame = LPS_TO_RAS @ np.array(view.frame)
    stack = SliceStack(voxels, frame, np.array(view.positions), times, thickness=view.thickness)
    name = view.what.partition(",")[0].capitalize()
    return addCineOf(stack, name) if len(voxels) > 1 else addVolume(stack, name)


def _addLongAxis(view: ViewRead, voxels: np.ndarray, browser):
    """A cine of one slice, as thick in the scene as it was acquired, which no stack can be."""
    affine = LPS_TO_RAS @ np.array(view.frame)
    affine[:3, 2] *= view.thickness or _USUAL_THICKNESS
    name = freeName(slicer.mrmlScene, view.description or _("Long axis"))
    sequence = newSequence(voxels, affine, view.times, name)
    writeThickness(sequence, view.thickness)
    return playSequence(sequence, name, browser)


def _addReport(name: str, text: str):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", freeName(slicer.mrmlScene, name))
    node.SetText(text)
    return node
