"""Known shifts of the phantom are found; where there are none, nothing moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calid.alignment.displacement import shifted
from calid.alignment.shifts import PIXEL, Shifts, find_shifts
from calid.phantom.beating_heart import make_phantom

SLICES, GAP = 10, 8.0
POSITIONS = np.arange(SLICES) * GAP


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """(phases, slices, rows, columns), two of them, in pixels of ``PIXEL`` mm."""
    stack = make_phantom(phases=2, slices=SLICES, gap=GAP, pixel=PIXEL, matrix=(96, 96), noise=0.02).sparse
    return stack.voxels.astype(np.float32)


def displaced(pictures: np.ndarray, mm: np.ndarray) -> np.ndarray:
    pixels = torch.from_numpy(mm / PIXEL).float()
    return np.stack([shifted(torch.from_numpy(phase), pixels).numpy() for phase in pictures])


def residual(found: Shifts, mm: np.ndarray) -> np.ndarray:
    """(slices,) mm, but for what all slices share."""
    error = found.mm - mm
    return np.linalg.norm(error - np.median(error, axis=0), axis=1)


def single(size: float, at: int = 4) -> np.ndarray:
    mm = np.zeros((SLICES, 2))
    mm[at] = size * np.array([0.6, -0.8])
    return mm


def test_an_undisturbed_heart_stays(pictures: np.ndarray) -> None:
    assert find_shifts(pictures, POSITIONS).lengths.mean() < 0.3


@pytest.mark.parametrize("size", [5.2, 8.0, 28.0])
def test_a_shifted_slice_is_found(pictures: np.ndarray, size: float) -> None:
    found = find_shifts(displaced(pictures, single(size)), POSITIONS)
    assert residual(found, single(size))[4] <= 0.8
    assert residual(found, single(size)).mean() <= 0.5


def test_a_block_is_found(pictures: np.ndarray) -> None:
    mm = np.zeros((SLICES, 2))
    mm[6:] = [5.0, -6.0]
    assert residual(find_shifts(displaced(pictures, mm), POSITIONS), mm).mean() <= 0.8


def test_a_tilted_stack_stays(pictures: np.ndarray) -> None:
    """Tilted by 10 degrees: each slice is off the one below by the same."""
    ramp = np.outer(POSITIONS - POSITIONS.mean(), [0.12, -0.13])
    assert find_shifts(displaced(pictures, ramp), POSITIONS).lengths.mean() < 0.3


def test_what_all_slices_share_is_no_shift(pictures: np.ndarray) -> None:
    mm = single(6.0)
    alone = find_shifts(displaced(pictures, mm), POSITIONS)
    shared = find_shifts(displaced(pictures, mm + np.array([2 * PIXEL, -PIXEL])), POSITIONS)
    np.testing.assert_allclose(shared.mm, alone.mm, atol=0.3)


def test_the_order_of_phases_does_not_matter(pictures: np.ndarray) -> None:
    moved = displaced(pictures, single(5.0))
    np.testing.assert_allclose(
        find_shifts(moved[::-1].copy(), POSITIONS).mm, find_shifts(moved, POSITIONS).mm, atol=1e-6
    )


def test_a_reversed_stack_has_reversed_shifts(pictures: np.ndarray) -> None:
    moved = displaced(pictures, single(7.0))
    there, back = find_shifts(moved, POSITIONS), find_shifts(moved[:, ::-1].copy(), POSITIONS)
    np.testing.assert_allclose(back.mm[::-1], there.mm, atol=0.3)


def test_too_few_slices_stay(pictures: np.ndarray) -> None:
    found = find_shifts(displaced(pictures, single(8.0))[:, 3:6], POSITIONS[:3])
    assert not found.mm.any()
