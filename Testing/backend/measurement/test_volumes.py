"""Volumes of shapes whose volume is known, dense and sparse."""

from __future__ import annotations

import numpy as np
import pytest

from calid.measurement.volumes import basal_volumes, counted_volumes, partial_volumes, slab_lengths


@pytest.mark.parametrize("radius", [12.0, 24.0, 30.0])
@pytest.mark.parametrize("length", [55.0, 90.0])
def test_the_volumes_of_an_ellipsoid_in_its_wall_are_found(ventricle, radius, length):
    heart = type(ventricle)(radius=radius, length=length)
    positions = np.arange(0, 120, 1.25)
    volumes = partial_volumes(heart.probabilities(positions), slab_lengths(positions), heart.pixel**2)
    assert volumes.ml["lv"] == pytest.approx(heart.cavity_ml, rel=0.01)
    assert volumes.ml["wall"] == pytest.approx(heart.wall_ml, rel=0.01)


def test_counting_whole_voxels_of_acquired_slices_comes_near(ventricle):
    errors = []
    for start in np.arange(0, 10, 1.0):
        positions = start + 10 * np.arange(12)
        labels = ventricle.probabilities(positions).argmax(axis=1)
        found = counted_volumes(labels, slab_lengths(positions), ventricle.pixel**2)
        errors.append(found["lv"] / ventricle.cavity_ml - 1)
    assert abs(np.mean(errors)) < 0.01
    assert np.ptp(errors) > 0.05  # where the first slice happens to lie matters: what dense slices are for


def test_a_dense_stack_is_as_long_as_the_sparse_one_that_it_was_made_of():
    sparse = np.array([3.0, 11.0, 19.0, 29.0])
    dense = np.array([3.0, 7.0, 11.0, 15.0, 19.0, 24.0, 29.0])
    assert slab_lengths(sparse).sum() == pytest.approx(26 + 4 + 5)
    assert slab_lengths(dense, 9.0).sum() == pytest.approx(26 + 9)
    np.testing.assert_allclose(slab_lengths(dense, 9.0)[1:-1], [4, 4, 4, 4.5, 5])


def test_what_is_certain_is_not_doubtful_and_what_is_even_is_wholly():
    shares = np.zeros((2, 4, 3, 3), np.float32)
    shares[0, 3], shares[1, 3], shares[1, 2] = 1.0, 0.5, 0.5
    volumes = partial_volumes(shares, np.array([10.0, 10.0]), 2.0)
    assert volumes.ml["lv"] == pytest.approx(9 * 20 * 1.5 / 1000)
    assert volumes.doubtful_ml["lv"] == pytest.approx(9 * 20 * 0.5 / 1000)
    assert volumes.doubtful_ml["rv"] == 0


@pytest.mark.parametrize("base_first", [True, False])
@pytest.mark.parametrize("gap", [1.0, 2.5, 10.0])
def test_next_to_the_base_is_a_slab_of_the_heart_wherever_slices_lie(ventricle, base_first, gap):
    positions = np.arange((ventricle.base_mm + gap / 2) % gap, 115, gap)
    found, lengths = ventricle.probabilities(positions), slab_lengths(positions)
    if not base_first:
        found, lengths = found[::-1], lengths[::-1]
    volumes = basal_volumes(found, lengths, ventricle.pixel**2, base_first, 10.0)
    depth = 10 / ventricle.length
    slab = np.pi * ventricle.radius**2 * ventricle.length * (depth - depth**3 / 3) / 1000
    assert volumes["lv"] == pytest.approx(slab, rel=0.05 if gap < 5 else 0.2)


def test_what_is_not_there_has_no_base():
    nothing = np.zeros((4, 4, 3, 3), np.float32)
    assert basal_volumes(nothing, np.full(4, 10.0), 2.0, True, 10.0) == {"lv": 0, "wall": 0, "rv": 0}
