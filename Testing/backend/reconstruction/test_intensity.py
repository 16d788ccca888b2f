"""Intensity normalisation is invertible and never flickers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from calid.reconstruction.intensity import IntensityScale


@given(st.integers(0, 10_000), st.floats(-500, 500), st.floats(0.1, 5000))
def test_round_trip_restores_every_voxel_even_extreme_ones(seed, offset, gain):
    rng = np.random.default_rng(seed)
    voxels = offset + gain * rng.gamma(1.0, size=(3, 20, 20))
    voxels[0, 0, 0] = offset + 100 * gain  # a flow artefact far above the 99.5th percentile
    scale = IntensityScale.of(voxels)
    np.testing.assert_allclose(scale.restore(scale.normalise(voxels)), voxels, rtol=2e-4, atol=2e-4 * gain)


def test_percentiles_become_the_ends_of_the_network_range():
    voxels = np.arange(1001.0)
    scale = IntensityScale.of(voxels)
    np.testing.assert_allclose(scale.normalise(np.array([5.0, 995.0])), [-1, 1], atol=1e-6)


def test_an_almost_constant_stack_still_has_a_scale():
    voxels = np.zeros((2, 50, 50))
    voxels[0, 0, 0] = 7
    scale = IntensityScale.of(voxels)
    np.testing.assert_allclose(scale.normalise(np.array([0.0, 7.0])), [-1, 1])


def test_bright_tail_is_compressed_but_kept_in_order():
    scale = IntensityScale(0, 100)
    values = scale.normalise(np.array([100.0, 200.0, 1000.0]))
    assert (np.diff(values) > 0).all()
    assert values[-1] < 6


@given(st.floats(-1000, 1000), st.floats(1, 5000), st.floats(-3, 5), st.floats(0, 2))
def test_a_deviation_is_restored_by_the_slope_of_restore(low, width, at, deviation):
    scale, step = IntensityScale(low, low + width), 2e-2
    slope = (scale.restore(np.array(at + step)) - scale.restore(np.array(at - step))) / (2 * step)
    restored = scale.restore_deviation(np.array(at), np.array(deviation))
    np.testing.assert_allclose(restored, slope * deviation, rtol=0.02, atol=1e-3 * width)


def test_a_deviation_of_the_whole_network_range_is_half_of_the_intensity_range_for_each_unit():
    scale = IntensityScale(100, 300)
    shape, ones = (2, 3, 4), np.ones((2, 3, 4), np.float32)
    np.testing.assert_allclose(scale.restore_deviation(np.zeros(shape), 0.5 * ones), 50 * ones)
    assert scale.restore_deviation(np.zeros(shape), ones).dtype == np.float32
    assert np.isfinite(scale.restore_deviation(np.full(shape, 1e6), ones)).all()
