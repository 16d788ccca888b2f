"""Labels become a segmentation and come back voxel for voxel, on any grid."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.spatial.transform import Rotation

from CaLIDSlicerLib.Scene.Labels import PARTS, boxOf, isDrawn, labelsOf, segmentationOf

LABELS = array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 3))
)


@st.composite
def affines(draw) -> np.ndarray:
    """Rotated, scaled, left- or right-handed, and shifted."""
    angles = draw(st.tuples(*[st.floats(-180, 180)] * 3))
    steps = draw(st.tuples(*[st.floats(0.3, 12)] * 3))
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.diag(steps)
    affine[:3, 0] *= draw(st.sampled_from([-1, 1]))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-300, 300)] * 3))
    return affine


@settings(max_examples=60, deadline=None)
@given(LABELS, affines())
def test_labels_come_back(labels: np.ndarray, affine: np.ndarray) -> None:
    node = segmentationOf(labels, affine, "heart")
    assert not isDrawn(node)
    np.testing.assert_array_equal(labelsOf(node, affine, labels.shape), labels)


@settings(max_examples=30, deadline=None)
@given(LABELS, affines())
def test_the_box_holds_the_part(labels: np.ndarray, affine: np.ndarray) -> None:
    node = segmentationOf(labels, affine, "heart")
    for part in PARTS:
        there = np.argwhere(labels == part.value)[:, ::-1]
        if len(there):
            np.testing.assert_allclose(boxOf(node, affine, [part]), [there.min(axis=0), there.max(axis=0)], atol=1e-3)


@pytest.mark.parametrize("change", ["removed", "painted"])
def test_a_change_is_noticed(change: str) -> None:
    labels = np.zeros((4, 10, 10), np.uint8)
    labels[1:3, 3:7, 3:7] = 3
    node = segmentationOf(labels, np.eye(4), "heart")
    if change == "removed":
        node.GetSegmentation().RemoveSegment("LeftCavity")
        labels[:] = 0
    else:
        image = node.GetSegmentation().GetSegment("LeftCavity").GetRepresentation("Binary labelmap")
        image.SetScalarComponentFromDouble(5 - 3 + 2, 4, 3, 0, 0)  # (i, j, k) from the corner of its box
        labels = labelsOf(node, np.eye(4), labels.shape)
    assert isDrawn(node)
    np.testing.assert_array_equal(labelsOf(node, np.eye(4), labels.shape), labels)


def test_segments_that_the_user_adds_do_not_count() -> None:
    labels = np.zeros((4, 10, 10), np.uint8)
    labels[1:3, 3:7, 3:7] = 2
    node = segmentationOf(labels, np.eye(4), "heart")
    node.GetSegmentation().AddEmptySegment("scar", "scar")
    assert not isDrawn(node)
    np.testing.assert_array_equal(labelsOf(node, np.eye(4), labels.shape), labels)
    assert isinstance(node, slicer.vtkMRMLSegmentationNode)
