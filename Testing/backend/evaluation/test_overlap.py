"""Overlap and contour distance against values counted by hand, and what must hold for any two masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calid.evaluation.overlap import dice, hausdorff95

SPACING = (1.5, 0.8)
MASKS = arrays(bool, (9, 7))
SPACINGS = st.tuples(st.floats(0.5, 3), st.floats(0.5, 3))


def block(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((40, 50), bool)
    mask[rows, columns] = True
    return mask


def test_dice_of_half_covered_squares() -> None:
    square, half, corner = (
        block(slice(10, 20), slice(10, 20)),
        block(slice(10, 20), slice(10, 15)),
        block(slice(15, 25), slice(15, 25)),
    )
    assert dice(square, half) == pytest.approx(2 * 50 / 150)
    assert dice(square, corner) == pytest.approx(25 / 100)
    assert dice(square, block(slice(30, 35), slice(0, 5))) == 0


@given(MASKS, MASKS, SPACINGS)
def test_both_are_symmetric(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float]) -> None:
    np.testing.assert_equal(dice(a, b), dice(b, a))
    np.testing.assert_equal(hausdorff95(a, b, spacing), hausdorff95(b, a, spacing))


@given(MASKS, SPACINGS)
def test_a_mask_agrees_with_itself_unless_there_is_nothing_to_judge(
    mask: np.ndarray, spacing: tuple[float, float]
) -> None:
    expected = (1.0, 0.0) if mask.any() else (np.nan, np.nan)
    np.testing.assert_equal((dice(mask, mask), hausdorff95(mask, mask, spacing)), expected)


@given(MASKS, MASKS, SPACINGS)
def test_values_stay_in_their_range(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float]) -> None:
    if a.any() or b.any():
        assert 0 <= dice(a, b) <= 1
        assert 0 <= hausdorff95(a, b, spacing) <= np.hypot(9 * spacing[0], 7 * spacing[1])


@given(st.integers(0, 9), st.sampled_from([0, 1]), SPACINGS)
def test_a_line_moved_by_n_pixels_is_n_spacings_away(n: int, axis: int, spacing: tuple[float, float]) -> None:
    line = block(slice(12, 13), slice(0, 50)) if axis == 0 else block(slice(0, 40), slice(12, 13))
    assert hausdorff95(line, np.roll(line, n, axis), spacing) == pytest.approx(n * spacing[axis])


def test_only_contours_are_compared() -> None:
    ring = block(slice(10, 21), slice(10, 21)) & ~block(slice(11, 20), slice(11, 20))
    assert hausdorff95(ring, block(slice(10, 21), slice(10, 21)), SPACING) == 0


def test_the_worst_twentieth_of_the_contour_is_forgiven() -> None:
    line = block(slice(20, 21), slice(0, 50))
    speck = line.copy()
    speck[0, 0] = True  # 1 of 51 contour pixels, 20 rows away
    assert hausdorff95(line, speck, SPACING) == 0
    for column in range(5):
        speck[0, column] = True  # 5 of 55
    assert hausdorff95(line, speck, SPACING) == pytest.approx(20 * SPACING[0])


def test_a_structure_in_one_mask_only_costs_its_own_size() -> None:
    found, nothing = block(slice(10, 14), slice(10, 20)), np.zeros((40, 50), bool)
    assert dice(found, nothing) == 0
    assert hausdorff95(nothing, found, SPACING) == pytest.approx(np.hypot(4 * 1.5, 10 * 0.8))
