"""The segmentation network through its public functions: on phantoms of any size, and on real hearts."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from calid.cohorts.acdc import split_patients
from calid.evaluation.anatomy import pooled_dice
from calid.evaluation.cases import load_cases
from calid.evaluation.overlap import dice
from calid.phantom.beating_heart import Phantom
from calid.reconstruction.intensity import IntensityScale
from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE
from calid.segmentation.segmenter import Segmenter, feature_distance, load_segmenter, segment

DATA = Path(os.environ.get("CALID_DATA", "data/acdc"))


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return load_segmenter()


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return Phantom(slices=5, matrix=(116, 100), pixel=2.2)


@pytest.mark.parametrize(("shape", "spacing"), [((37, 61), (1.9, 0.9)), ((9, 5), (1.5, 1.5)), ((160, 96), (1.2, 2.5))])
def test_labels_have_the_shape_of_the_slices_whatever_their_size(
    segmenter: Segmenter, shape: tuple[int, int], spacing: tuple[float, float]
) -> None:
    voxels = np.random.default_rng(0).integers(0, 1000, (2, 3, *shape)).astype(np.int16)
    labels = segment(segmenter, voxels, spacing)
    assert labels.shape == voxels.shape
    assert labels.dtype == np.uint8
    assert labels.max() <= 3


def test_a_slice_has_one_heart_even_in_noise_or_with_two_in_view(segmenter: Segmenter, phantom: Phantom) -> None:
    noise = np.random.default_rng(1).normal(size=(3, 90, 110))
    stack = phantom.sparse
    twins = np.concatenate([stack.voxels[0], stack.voxels[0, ..., ::-1]], axis=-1)
    for slices in (noise, twins):
        for labels in segment(segmenter, slices, stack.pixel_spacing):
            assert label(labels == RIGHT_VENTRICLE)[1] <= 1
            assert label(labels >= MYOCARDIUM)[1] <= 1


def test_the_cavity_of_a_phantom_is_found(segmenter: Segmenter, phantom: Phantom) -> None:
    labels = segment(segmenter, phantom.sparse.voxels, phantom.sparse.pixel_spacing)
    assert dice(labels == LEFT_VENTRICLE, phantom.sparse_labels == LEFT_VENTRICLE) > 0.7


def test_a_slice_is_labelled_by_itself_whatever_its_units(segmenter: Segmenter, phantom: Phantom) -> None:
    stack, scale = phantom.sparse, IntensityScale.of(phantom.sparse.voxels)
    whole = segment(segmenter, stack.voxels, stack.pixel_spacing)
    alone = segment(segmenter, stack.voxels[0, 3], stack.pixel_spacing, scale)
    other_units = segment(segmenter, 40 * stack.voxels.astype(np.float64) - 700, stack.pixel_spacing)
    assert np.mean(alone != whole[0, 3]) < 0.002
    assert np.mean(other_units != whole) < 0.002


def test_a_mirrored_slice_has_mirrored_labels(segmenter: Segmenter, phantom: Phantom) -> None:
    stack = phantom.sparse
    labels = segment(segmenter, stack.voxels, stack.pixel_spacing)
    mirrored = segment(segmenter, stack.voxels[..., ::-1, :], stack.pixel_spacing)
    assert np.mean(mirrored[..., ::-1, :] != labels) < 0.002


def test_features_are_as_far_apart_as_slices_look(segmenter: Segmenter, phantom: Phantom) -> None:
    stack = phantom.sparse
    real, scale = stack.voxels[0, 2:5], IntensityScale.of(stack.voxels)

    def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return feature_distance(segmenter, first, second, stack.pixel_spacing, scale)

    blurred = [gaussian_filter(real, (0, sigma, sigma)) for sigma in (0.5, 1.5, 4.0)]
    values = [distance(real, other).mean() for other in (real, *blurred)]
    assert distance(real, blurred[0]).shape == real.shape
    assert values[0] == 0
    assert values == sorted(values)
    assert values[3] < 2
    np.testing.assert_allclose(distance(real, blurred[1]), distance(blurred[1], real), atol=1e-5)


@pytest.mark.skipif(not (DATA / "index.json").is_file(), reason="CALID_DATA does not name the labelled cohort")
def test_real_hearts_that_were_never_trained_on_are_labelled_well(segmenter: Segmenter) -> None:
    found = []
    for case in load_cases(DATA, split_patients("validation")[:2]):
        labels = segment(segmenter, case.stack.voxels, case.stack.pixel_spacing)[0]
        found.append(pooled_dice(case, range(len(labels)), list(labels)))
    mean = {name: np.mean([one[name] for one in found]) for name in found[0]}
    assert mean["dice_lv"] > 0.9
    assert mean["dice_myo"] > 0.8
    assert mean["dice_rv"] > 0.7
