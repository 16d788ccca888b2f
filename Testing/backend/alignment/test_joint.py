"""Shifts of a stack from second differences: what heavy tails are for, and what no second difference can say."""

from __future__ import annotations

import numpy as np
import pytest

from calid.alignment.joint import second_differences, solve_jointly

POSITIONS = np.arange(11) * 10.0
QUIET = np.full(9, 0.6)


def observed(shifts: np.ndarray, positions: np.ndarray = POSITIONS, anatomy: float = 0.0) -> np.ndarray:
    noise = anatomy * np.random.default_rng(0).normal(size=(len(positions) - 2, 2))
    return second_differences(positions) @ shifts + noise


def solve(shifts: np.ndarray, anatomy: float = 0.0) -> np.ndarray:
    return solve_jointly(POSITIONS, observed(shifts, anatomy=anatomy), QUIET)


def length(shifts: np.ndarray) -> np.ndarray:
    return np.linalg.norm(shifts, axis=1)


def test_a_steady_drift_is_no_shift() -> None:
    ramp = np.outer(POSITIONS, [0.3, -0.2])
    np.testing.assert_allclose(observed(ramp), 0, atol=1e-12)


def test_a_straight_line_through_unequal_gaps_is_no_shift() -> None:
    positions = np.array([0.0, 8.0, 16.0, 34.0, 42.0])
    np.testing.assert_allclose(observed(np.outer(positions, [1.0, 2.0]), positions), 0, atol=1e-12)


@pytest.mark.parametrize("size", [5.0, 8.0, 28.0])
def test_a_single_slice_is_found_among_curved_anatomy(size: float) -> None:
    shifts = np.zeros((11, 2))
    shifts[4] = size * np.array([0.6, -0.8])
    assert length(solve(shifts, anatomy=0.3) - shifts).max() <= 0.8


def test_the_step_to_a_block_is_found() -> None:
    shifts = np.zeros((11, 2))
    shifts[7:] = [6.0, -6.0]
    assert length(np.diff(solve(shifts, anatomy=0.1) - shifts, axis=0)).max() <= 0.8


def test_anatomy_is_left_in_place() -> None:
    assert length(solve(np.zeros((11, 2)), anatomy=0.5)).mean() < 0.3


def test_an_uncertain_observation_moves_less() -> None:
    shifts = np.zeros((11, 2))
    shifts[5] = [2.0, 0.0]
    noise = QUIET.copy()
    noise[3:6] = 4.0
    unsure = solve_jointly(POSITIONS, observed(shifts), noise)
    assert length(unsure)[5] < length(solve(shifts))[5] / 2


def test_a_reversed_stack_has_reversed_shifts() -> None:
    seen = observed(3 * np.random.default_rng(1).standard_t(3, (11, 2)), anatomy=0.5)
    there, back = solve_jointly(POSITIONS, seen, QUIET), solve_jointly(POSITIONS, seen[::-1], QUIET)
    # Jumps are counted from one end, which only the bound on the pull of the prior can see.
    np.testing.assert_allclose(back[::-1], there, atol=0.2)
