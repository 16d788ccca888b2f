"""Agreement of numbers whose agreement is known."""

from __future__ import annotations

import numpy as np
import pytest

from calid.evaluation.measures.agreement import agreement, nearer


def test_bias_spread_and_limits_are_those_of_the_differences():
    about = agreement([101, 98, 107, 102], [100, 100, 100, 100])
    assert about.patients == 4
    assert about.bias == pytest.approx(2)
    assert about.sd == pytest.approx(np.sqrt((1 + 16 + 25 + 0) / 3))
    assert about.mae == pytest.approx(3)
    assert (about.low, about.high) == pytest.approx((2 - 1.96 * about.sd, 2 + 1.96 * about.sd))
    assert np.isnan(about.correlation)


def test_a_scale_and_an_offset_leave_the_correlation():
    values = np.array([60.0, 90, 130, 150])
    assert agreement(1.2 * values - 5, values).correlation == pytest.approx(1)
    assert agreement(-values, values).correlation == pytest.approx(-1)


def test_intervals_are_counted_where_there_is_one_and_both_values_are_known():
    intervals = [(0, 2), (0, 2), None, (0, 2)]
    about = agreement([1, 1, 1, float("nan")], [2, 3, 1, 1], intervals)
    assert about.held == 0.5
    assert about.patients == 3


def test_the_nearer_way_has_the_smaller_error_more_often():
    about = nearer([10, 11, 14], [12, 10, 20], [10, 10, 12])
    assert (about.pairs, about.first_mae, about.second_mae) == (3, 1, pytest.approx(10 / 3))
    assert about.first_wins == pytest.approx(2 / 3)
