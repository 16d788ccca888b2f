"""The labels of a heart as a segmentation: cavities and wall, with closed surfaces, and back to an array.

A person corrects them with Slicer's Segment Editor, so what was made here is remembered by a checksum: labels that
differ from it were drawn.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..Translation import _
from .Provenance import ATTRIBUTE_PREFIX

MADE, DRAWN = ATTRIBUTE_PREFIX + "labels", ATTRIBUTE_PREFIX + "drawn"
"""Attributes of a segmentation: the checksum of its labels as they were made, and whether a person had drawn those."""

LABEL_MAP, SURFACE = "Binary labelmap", "Closed surface"

_MARGIN = 2  # voxels around the heart, so that its surface is closed and a brush has room
_TERMS = "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical Structure"


class Part(NamedTuple):
    """A part of the heart: the value in a label map, the ID of its segment, its colour, and its term in SNOMED CT."""

    value: int
    segment: str
    colour: tuple[float, float, float]
    term: str

    @property
    def name(self) -> str:
        """What the user reads."""
        return {
            "LeftCavity": _("left ventricle, cavity"),
            "LeftWall": _("left ventricle, wall"),
            "RightCavity": _("right ventricle, cavity"),
        }[self.segment]


PARTS = (
    Part(1, "RightCavity", (0.23, 0.51, 0.84), "SCT^21814001^Cardiac ventricle~SCT^24028007^Right"),
    Part(2, "LeftWall", (0.91, 0.66, 0.17), "SCT^74281007^Myocardium~^^"),
    Part(3, "LeftCavity", (0.82, 0.27, 0.23), "SCT^21814001^Cardiac ventricle~SCT^7771000^Left"),
)
"""In the order in which the later one counts where a person has drawn two over each other."""


def segmentationOf(labels: np.ndarray, ijkToRas: np.ndarray, name: str, isDrawn: bool = False):
    """A vtkMRMLSegmentationNode of labels (k, j, i) uint8, with surfaces, in no scene; takes some 0.2 s.

    :param isDrawn: whether a person has drawn them.
    """
    node = slicer.vtkMRMLSegmentationNode()
    node.SetName(name)
    if isDrawn:
        node.SetAttribute(DRAWN, "1")
    segmentation, image = node.GetSegmentation(), _imageOf(labels, ijkToRas)
    segmentation.SetSourceRepresentationName(LABEL_MAP)
    for part in PARTS:
        segment = slicer.vtkSegment()
        segment.SetName(part.name)
        segment.SetColor(*part.colour)
        segment.SetLabelValue(part.value)
        segment.SetTag("TerminologyEntry", f"{_TERMS}~{part.term}~Anatomic codes - DICOM master list~^^~^^")
        segment.AddRepresentation(LABEL_MAP, image)  # one image that all share
        segmentation.AddSegment(segment, part.segment)
    node.CreateClosedSurfaceRepresentation()
    node.SetAttribute(MADE, _checksum(node))
    return node


def labelsOf(node, ijkToRas: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The labels of a segmentation on a grid, (k, j, i) uint8 of ``shape``; other segments than ours do not count."""
    labels, reference = np.zeros(shape, np.uint8), _emptyImage(shape, ijkToRas)
    for part in PARTS:
        image, resampled = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
        isThere = node.GetSegmentation().GetSegment(part.segment) is not None
        if not isThere or not node.GetBinaryLabelmapRepresentation(part.segment, image) or image.IsEmpty():
            continue
        slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(image, reference, resampled)
        inside = vtk_to_numpy(resampled.GetPointData().GetScalars()).reshape(shape)
        labels[inside > 0] = part.value
    return labels


def boxOf(node, ijkToRas: np.ndarray, parts: Sequence[Part] = PARTS) -> np.ndarray:
    """Where parts of a heart lie on a grid: the lowest and the highest (i, j, k), (2, 3); the origin for nothing."""
    toGrid, corners = np.linalg.inv(ijkToRas), []
    for part in parts:
        found = _insideOf(node, part)
        if found is not None:
            inside, first, toWorld = found
            last = first + np.array(inside.shape)[::-1] - 1
            corners += [toGrid @ toWorld @ [*end, 1.0] for end in (first, last)]
    placed = np.array(corners or [[0.0, 0, 0, 1]])[:, :3]
    return np.stack([placed.min(axis=0), placed.max(axis=0)])


def isDrawn(node) -> bool:
    """Whether a person has drawn the labels of a segmentation, or changed them since they were made."""
    return node.GetAttribute(DRAWN) is not None or node.GetAttribute(MADE) != _checksum(node)


def _checksum(node) -> str:
    """Of which voxels belong to which part, and where they lie: a file may come back with another empty border."""
    told = 0
    for part in PARTS:
        found = _insideOf(node, part)
        if found is not None:
            inside, first, toWorld = found
            place = (toWorld @ [*first, 1.0])[:3].round(1)
            told = zlib.crc32(f"{part.segment} {place.tolist()}".encode(), told)
            told = zlib.crc32(np.packbits(inside).tobytes(), told)
    return f"{told:08x}"


def _insideOf(node, part: Part) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The box (k, j, i) around a part, true inside of it; (i, j, k) of its first voxel; and the affine of these."""
    segment = node.GetSegmentation().GetSegment(part.segment)
    image = segment.GetRepresentation(LABEL_MAP) if segment is not None else None
    if image is None or image.IsEmpty():
        return None
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    inside = values == segment.GetLabelValue()
    if not inside.any():
        return None
    box = tuple(_span(np.asarray(inside.any(axis=axes)), 0) for axes in ((1, 2), (0, 2), (0, 1)))
    first = np.array([side.start for side in box])[::-1] + image.GetExtent()[::2]
    toWorld = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(toWorld)
    return inside[box], first, slicer.util.arrayFromVTKMatrix(toWorld)


def _imageOf(labels: np.ndarray, ijkToRas: np.ndarray):
    """The part of the labels that is not empty: a whole field of view takes ten times the time."""
    box = [_span(np.asarray(labels.any(axis=axes)), _MARGIN) for axes in ((1, 2), (0, 2), (0, 1))]
    starts = [side.start for side in box]
    padded = np.pad(labels, _MARGIN)[tuple(slice(side.start + _MARGIN, side.stop + _MARGIN) for side in box)]
    placed = np.array(ijkToRas)
    placed[:, 3] = ijkToRas @ [*starts[::-1], 1]
    image = _emptyImage(padded.shape, placed)
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR))
    return image


def _emptyImage(shape: tuple[int, ...], ijkToRas: np.ndarray):
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*shape[::-1])
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijkToRas))
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = 0
    return image


def _span(occupied: np.ndarray, margin: int) -> slice:
    """From the first to the last that is occupied, with a margin; the first alone where nothing is."""
    there = np.flatnonzero(occupied) if occupied.any() else np.zeros(1, int)
    return slice(int(there[0]) - margin, int(there[-1]) + 1 + margin)
