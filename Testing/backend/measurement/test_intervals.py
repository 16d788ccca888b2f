"""Intervals hold as many values as they say, if errors are as assumed."""

from __future__ import annotations

import numpy as np
import pytest

from calid.measurement.intervals import Spread, around, stroke_half_widths


def test_half_widths_of_stroke_volume_and_fraction_are_those_of_drawn_errors():
    """Of volumes with normal errors that go together by a half, drawn many times."""
    edv, esv = 140.0, 60.0
    halves = 8.0, 6.0
    errors = np.random.default_rng(0).multivariate_normal([0, 0], [[64, 24], [24, 36]], 200_000)
    ed, es = edv + errors[:, 0], esv + errors[:, 1]
    stroke, fraction = stroke_half_widths(edv, esv, *halves, 0.5)
    assert stroke == pytest.approx((ed - es).std(), rel=0.01)
    assert fraction == pytest.approx((100 * (ed - es) / ed).std(), rel=0.03)


def test_doubt_widens_an_interval_and_none_leaves_a_share():
    spread = Spread(doubt=2.0, share=0.05, base=1.0)
    assert spread.half_width(100.0, 0.0) == pytest.approx(5)
    assert spread.half_width(100.0, 10.0) == pytest.approx(np.hypot(20, 5))
    assert spread.half_width(100.0, 0.0, 12.0) == pytest.approx(13)


def test_an_interval_stays_within_what_is_possible():
    assert around(3.0, 5.0) == (0.0, 8.0)
    assert around(98.0, 5.0, high=100.0) == (93.0, 100.0)
