"""The plan of a dense stack: a requested spacing is a ceiling, and every acquired slice is on the grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from calid.errors import UnusableInput
from calid.stacks.plan import plan_slices
from calid.stacks.stack import POSITION_TOLERANCE_MM

gaps = st.lists(st.floats(0.5, 20, allow_nan=False), min_size=1, max_size=12)


@given(gaps=gaps, spacing=st.floats(0.3, 10))
def test_every_gap_is_split_equally_into_as_few_steps_as_the_spacing_allows(gaps: list[float], spacing: float) -> None:
    assume(max(gaps) > spacing + 1.001 * POSITION_TOLERANCE_MM)
    sparse = np.concatenate([[0], np.cumsum(gaps)])
    plan = plan_slices(sparse, spacing)
    kept = [index for index, source in enumerate(plan.acquired) if source is not None]
    assert [plan.acquired[index] for index in kept] == list(range(len(sparse)))
    np.testing.assert_array_equal(plan.positions[kept], sparse)
    for gap, first, last in zip(np.diff(sparse), kept, kept[1:], strict=False):
        steps = np.diff(plan.positions[first : last + 1])
        np.testing.assert_allclose(steps, gap / len(steps), atol=1e-9)
        assert gap <= spacing * len(steps) + POSITION_TOLERANCE_MM + 1e-9
        assert len(steps) == 1 or gap / (len(steps) - 1) > spacing


@given(gaps=gaps, spacing=st.floats(0.3, 10))
def test_targets_say_where_they_are(gaps: list[float], spacing: float) -> None:
    assume(max(gaps) > spacing + 1.001 * POSITION_TOLERANCE_MM)
    sparse = np.concatenate([[0], np.cumsum(gaps)])
    plan = plan_slices(sparse, spacing)
    assert [t.index for t in plan.targets] == np.flatnonzero(plan.synthesised).tolist()
    for target in plan.targets:
        assert 0 < target.fraction < 1
        assert target.above == target.below + 1
        assert target.gap == pytest.approx(sparse[target.above] - sparse[target.below])
        place = sparse[target.below] + target.fraction * target.gap
        assert plan.positions[target.index] == pytest.approx(place)


def test_ten_slices_of_8_mm_to_2_mm() -> None:
    plan = plan_slices(np.arange(10) * 8.0, 2.0)
    assert len(plan.positions) == 37
    assert len(plan.targets) == 27
    assert [t.fraction for t in plan.targets[:3]] == [0.25, 0.5, 0.75]


def test_unequal_gaps_are_planned_each_by_its_own_length() -> None:
    plan = plan_slices([0, 8, 18, 19], 2.0)
    assert plan.acquired == [0, None, None, None, 1, None, None, None, None, 2, 3]
    np.testing.assert_allclose(np.diff(plan.positions), [2] * 9 + [1])


def test_a_rounded_header_costs_no_extra_slice() -> None:
    assert len(plan_slices(np.arange(3) * 8.0000004, 2.0).positions) == 9
    assert len(plan_slices([0, 8.0], 8 / 3 - 1e-6).positions) == 4


@pytest.mark.parametrize(
    ("spacing", "message"),
    [
        (0, "0 mm is not possible"),
        (-2, "-2 mm is not possible"),
        (float("nan"), "nan mm is not possible"),
        (float("inf"), "inf mm is not possible"),
        (0.249, "0.249 mm is not possible"),
        (10, "nothing to do: a spacing of 10 mm is asked for, and no gap is larger than 10 mm"),
        (25, "nothing to do"),
    ],
)
def test_spacings_that_make_no_sense_are_refused(spacing: float, message: str) -> None:
    with pytest.raises(UnusableInput, match=message) as caught:
        plan_slices([0, 8, 18], spacing)
    assert caught.value.remedy


def test_more_than_2000_slices_are_refused_before_they_take_memory() -> None:
    with pytest.raises(UnusableInput, match=r"0\.25 mm asks for 2003 slices, more than 2000") as caught:
        plan_slices([0, 250, 500.3], 0.25)
    assert len(plan_slices([0, 250, 500.3], float(caught.value.remedy.split()[-2])).positions) <= 2000
