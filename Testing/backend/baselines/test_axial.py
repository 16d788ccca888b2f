"""The filter along the axis, and interpolators that are made consistent."""

from __future__ import annotations

import numpy as np
import pytest

from calid.baselines.axial import filter_weights, unlikeness
from calid.baselines.methods import make_method
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack

KNOTS = np.arange(0, 70, 10.0)


def test_what_is_unlike_grows_with_the_distance_from_nothing() -> None:
    values = unlikeness(np.array([0, 1.25, 5, 10, 20]))
    assert values[0] == 0
    assert (np.diff(values) > 0).all()
    np.testing.assert_allclose(values[1:3] * 0.659, [0.0113, 0.0926], atol=0.005)  # as measured on the training hearts


def test_four_taps_that_sum_to_one_and_mirror_each_other() -> None:
    weights = filter_weights(KNOTS, np.array([22.5, 25, 27.5, 2.5, 57.5]), 8.0)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (np.count_nonzero(weights, axis=1) == 4).all()
    np.testing.assert_allclose(weights[0, 1:5], weights[2, 4:0:-1], atol=1e-6)
    np.testing.assert_allclose(weights[1, 1:3], weights[1, 4:2:-1], atol=1e-6)
    np.testing.assert_allclose(weights[3], weights[4, ::-1], atol=1e-6)


def test_thick_slices_are_sharpened_and_thin_ones_hardly() -> None:
    at = np.array([31.25])
    thick, thin = (filter_weights(KNOTS, at, mm)[0, 3] for mm in (10.0, 0.5))
    assert thick > 1
    assert thin < 0.95


def test_two_slices_are_enough() -> None:
    np.testing.assert_allclose(filter_weights(np.array([0.0, 10]), np.array([5.0]), 8.0), [[0.5, 0.5]], atol=1e-6)


@pytest.mark.parametrize("name", ["axial-filter", "linear:consistent=1", "cubic:consistent=1"])
def test_acquired_slices_stay_and_others_change(cine: SliceStack, name: str) -> None:
    plan = plan_slices(cine.positions, 1.5)
    made, spread = make_method(name)(cine, plan)
    plain, _ = make_method("linear")(cine, plan)
    np.testing.assert_array_equal(made[:, plan.known], cine.voxels)
    assert made.shape == plain.shape
    assert (made != plain).any()
    assert spread is None


def test_not_consistent_is_the_interpolator_itself(cine: SliceStack) -> None:
    plan = plan_slices(cine.positions, 3)
    plain, named = (make_method(name)(cine, plan)[0] for name in ("cubic", "cubic:consistent=0"))
    np.testing.assert_array_equal(plain, named)
