"""The chambers of a whole stack: found anywhere in the field of view, one shape each, and in doubt at their borders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from calid.evaluation.overlap import dice
from calid.phantom.beating_heart import Phantom
from calid.reconstruction.intensity import IntensityScale
from calid.segmentation.chambers import Chambers, load_measurer, one_heart
from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE
from calid.segmentation.segmenter import Segmenter
from calid.stacks.stack import SliceStack


@pytest.fixture(scope="module")
def measurer() -> Segmenter:
    return load_measurer()


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return Phantom(slices=6, matrix=(116, 100), pixel=2.2, gap=10.0)


def chambers_of(measurer: Segmenter, stack: SliceStack, voxels: np.ndarray | None = None) -> Chambers | None:
    slices = stack.voxels[0] if voxels is None else voxels
    return Chambers.around(measurer, slices, stack.positions, stack.pixel_spacing, IntensityScale.of(slices))


def test_a_phantom_is_found_and_labelled_on_its_own_pixels(measurer: Segmenter, phantom: Phantom) -> None:
    stack = phantom.sparse
    chambers = chambers_of(measurer, stack)
    assert chambers is not None
    found = chambers.probabilities(stack.voxels[0], stack.positions)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found.min() >= -1e-5
    labels = chambers.labels(found)
    assert labels.shape == stack.voxels[0].shape
    assert dice(labels == LEFT_VENTRICLE, phantom.sparse_labels == LEFT_VENTRICLE) > 0.7


def test_a_heart_at_the_edge_of_the_field_of_view_is_found_there(measurer: Segmenter, phantom: Phantom) -> None:
    stack = phantom.sparse
    middle = chambers_of(measurer, stack)
    moved = np.roll(stack.voxels[0], 30, axis=-1)
    aside = chambers_of(measurer, stack, moved)
    assert middle is not None
    assert aside is not None
    labels = [
        chambers.labels(chambers.probabilities(slices, stack.positions))
        for chambers, slices in ((middle, stack.voxels[0]), (aside, moved))
    ]
    both = np.roll(labels[0], 30, axis=-1)
    assert dice(both == LEFT_VENTRICLE, labels[1] == LEFT_VENTRICLE) > 0.9


def test_noise_has_no_heart(measurer: Segmenter, phantom: Phantom) -> None:
    noise = np.random.default_rng(0).integers(0, 1000, phantom.sparse.voxels[0].shape).astype(np.int16)
    assert chambers_of(measurer, phantom.sparse, noise) is None


def test_of_several_shapes_the_largest_stays_with_its_doubtful_border() -> None:
    certain = np.zeros((3, 4, 40, 40), np.float32)
    certain[:, LEFT_VENTRICLE, 10:16, 10:16] = 0.9
    certain[:, MYOCARDIUM, 9:17, 9:17] = 0.9 - certain[:, LEFT_VENTRICLE, 9:17, 9:17]
    certain[:, MYOCARDIUM, 8, 9:17] = 0.3  # doubtful, and beside it
    certain[1, LEFT_VENTRICLE, 30:33, 30:33] = 0.8  # another piece
    certain[:, RIGHT_VENTRICLE, 10:16, 20:26] = 0.9
    certain[0, RIGHT_VENTRICLE, 1:3, 1:3] = 0.9
    certain[:, 0] = 1 - certain[:, 1:].sum(axis=1)
    kept = one_heart(certain)
    np.testing.assert_allclose(kept.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(kept[:, 1:, 8:17, 9:17], certain[:, 1:, 8:17, 9:17])
    assert kept[1, LEFT_VENTRICLE, 30:33, 30:33].max() == 0
    for chamber in (kept[:, RIGHT_VENTRICLE] > 0.5, kept[:, MYOCARDIUM:].sum(axis=1) > 0.5):
        assert label(chamber, np.ones((3, 3, 3)))[1] == 1
