"""Positions in a gap: the spline through the knots, its mean over a slab, and straight lines."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from calid.model.knots import KNOTS, between_weights, consistent_weights, slab_weights, thin_weights

PLACES = np.linspace(0, 1, KNOTS)


def test_the_spline_goes_through_the_knots():
    np.testing.assert_allclose(thin_weights(PLACES), np.eye(KNOTS), atol=1e-6)


def test_a_cubic_is_met_exactly_between_the_knots():
    at = np.array([0.03, 0.31, 0.5, 0.77])
    np.testing.assert_allclose(thin_weights(at) @ (PLACES**3 - PLACES), at**3 - at, atol=1e-6)


def test_the_spline_and_its_mean_are_those_of_scipy():
    at, spline = np.linspace(0, 1, 33), CubicSpline(PLACES, np.eye(KNOTS), bc_type="not-a-knot")
    np.testing.assert_allclose(thin_weights(at), spline(at), atol=1e-6)
    for low, high in ((0.0, 0.3), (0.37, 0.49), (0.2, 1.0)):
        wanted = spline.integrate(low, high) / (high - low)
        np.testing.assert_allclose(slab_weights([(low + high) / 2], high - low), [wanted], atol=1e-6)


@pytest.mark.parametrize(("fraction", "width"), [(0.5, 0.5), (0.5, 1.0), (0.25, 0.3)])
def test_a_slab_is_the_mean_over_its_width(fraction, width):
    low, high = fraction - width / 2, fraction + width / 2
    wanted = (high**3 - low**3) / 3 / width
    np.testing.assert_allclose(slab_weights([fraction], width) @ PLACES**2, [wanted], atol=1e-6)


def test_a_slab_that_reaches_beyond_the_gap_is_cut_there():
    np.testing.assert_allclose(slab_weights([0.0], 0.4) @ PLACES, [0.1], atol=1e-6)
    np.testing.assert_allclose(slab_weights([0.0, 0.9, 1.0], 3.0).sum(axis=1), 1, atol=1e-6)


def test_no_width_is_the_thin_slice():
    np.testing.assert_array_equal(slab_weights([0.3], 0), thin_weights([0.3]))


def test_straight_lines_join_the_two_nearest_knots_and_stay_in_their_range():
    at = np.array([0.0, 0.03, 0.25, 0.31, 1.0])
    jagged = np.array([0, 5, -1, 7, 7, 2, 9, -3, 4.0])
    between = between_weights(at) @ jagged
    np.testing.assert_allclose(between, [0, 5 * 0.24, -1, -1 + 8 * 0.48, 4], atol=1e-5)
    fine = np.linspace(0, 1, 101)
    assert (between_weights(fine) >= 0).all()
    assert (thin_weights(fine) @ jagged).min() < jagged.min() <= (between_weights(fine) @ jagged).min() + 1e-5


ALL = (True,) * 6
PLACES_OF_SIX = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


def test_consistent_weights_keep_a_constant_and_a_ramp():
    weights = consistent_weights(PLACES_OF_SIX, ALL, 10.0, 8.0)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-3)
    np.testing.assert_allclose(weights @ np.array(PLACES_OF_SIX), PLACES, atol=0.02)


def test_slabs_of_what_they_give_are_nearer_to_the_slices_than_those_of_lines():
    def body(z):
        return np.sin(2 * np.pi * z / 3.3 + 0.4)

    slices = np.array([np.mean(body(np.linspace(c - 0.4, c + 0.4, 801))) for c in PLACES_OF_SIX])
    made = consistent_weights(PLACES_OF_SIX, ALL, 10.0, 8.0) @ slices
    lines = slices[2] + PLACES * (slices[3] - slices[2])
    error, base = (np.abs(a - body(PLACES)).mean() for a in (made, lines))
    assert error < 0.7 * base


def test_an_absent_slice_has_no_weight():
    present = (False, True, True, True, True, False)
    weights = consistent_weights(PLACES_OF_SIX, present, 10.0, 8.0)
    assert not weights[:, [0, 5]].any()
    two = consistent_weights(PLACES_OF_SIX, (False, False, True, True, False, False), 10.0, 8.0)
    np.testing.assert_allclose(two.sum(axis=1), 1, atol=1e-3)
