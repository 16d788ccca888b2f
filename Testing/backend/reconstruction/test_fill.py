"""Fill order: every missing slice once, from slices that are known by then, and no preferred direction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calid.errors import UnusableInput
from calid.reconstruction.fill import FILLS, fill_rounds
from calid.stacks.plan import plan_slices

gaps = st.lists(st.floats(4, 20), min_size=1, max_size=8)


@given(gaps, st.floats(0.8, 3.9), st.sampled_from(FILLS))
def test_every_missing_slice_is_filled_once_from_known_neighbours_around_it(lengths, spacing, fill):
    plan = plan_slices(np.concatenate([[0], np.cumsum(lengths)]), spacing)
    known = {i for i, source in enumerate(plan.acquired) if source is not None}
    for steps in fill_rounds(plan, fill):
        for step in steps:
            beyond_below, below, above, beyond_above = step.neighbours
            assert {i for i in step.neighbours if i is not None} <= known
            assert below < step.index < above
            assert beyond_below is None or beyond_below < below
            assert beyond_above is None or beyond_above > above
        filled = {step.index for step in steps}
        assert len(filled) == len(steps)
        assert not filled & known
        known |= filled
    assert known == set(range(len(plan.acquired)))


@given(gaps, st.floats(0.8, 3.9), st.sampled_from(FILLS))
def test_reversing_the_stack_reverses_the_order(lengths, spacing, fill):
    forward = plan_slices(np.concatenate([[0], np.cumsum(lengths)]), spacing)
    backward = plan_slices(np.concatenate([[0], np.cumsum(lengths[::-1])]), spacing)
    last = len(forward.acquired) - 1
    mirrored = [
        {(last - s.index, tuple(None if n is None else last - n for n in s.neighbours[::-1])) for s in steps}
        for steps in fill_rounds(backward, fill)
    ]
    assert [{(s.index, s.neighbours) for s in steps} for steps in fill_rounds(forward, fill)] == mirrored


def test_direct_fill_uses_acquired_slices_only_and_one_round():
    plan = plan_slices([0, 8, 16, 24], 2.0)
    (steps,) = fill_rounds(plan, "direct")
    assert steps[0].neighbours == (None, 0, 4, 8)
    assert all(plan.acquired[i] is not None for s in steps for i in s.neighbours if i is not None)


def test_autoregressive_fill_halves_the_gaps():
    rounds = fill_rounds(plan_slices([0, 8, 16], 2.0), "autoregressive")
    assert [[s.index for s in steps] for steps in rounds] == [[2, 6], [1, 3, 5, 7]]
    assert rounds[1][0].neighbours == (None, 0, 2, 4)


def test_an_unknown_order_is_refused():
    with pytest.raises(UnusableInput, match="spiral"):
        fill_rounds(plan_slices([0, 8], 2.0), "spiral")
