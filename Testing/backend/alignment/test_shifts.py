"""Known shifts of the phantom are found; where there are none, nothing moves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from calid.alignment.displacement import shifted
from calid.alignment.shifts import PIXEL, Shifts, find_shifts
from calid.model.weights import load_model
from calid.phantom.beating_heart import make_phantom
from calid.reconstruction.intensity import IntensityScale

SLICES, GAP, THICKNESS = 9, 8.0, 8.0
POSITIONS = np.arange(SLICES) * GAP

Find = Callable[[np.ndarray], Shifts]


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """(phases, slices, rows, columns), one of them, in pixels of ``PIXEL`` mm, network units."""
    voxels = make_phantom(slices=SLICES, gap=GAP, pixel=PIXEL, matrix=(136, 136), noise=0.02).sparse.voxels
    return IntensityScale.of(voxels).normalise(voxels)


@pytest.fixture(scope="module")
def find() -> Find:
    """Shifts of pictures at the first of ``POSITIONS``, judged by the bundled model."""
    net = load_model().gap
    return lambda pictures: find_shifts(pictures, POSITIONS[: pictures.shape[1]], THICKNESS, net)


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


def test_an_undisturbed_heart_stays(pictures: np.ndarray, find: Find) -> None:
    assert find(pictures).lengths.mean() < 0.3


@pytest.mark.parametrize("size", [5.2, 8.0, 28.0])
def test_a_shifted_slice_is_found(pictures: np.ndarray, find: Find, size: float) -> None:
    found = find(displaced(pictures, single(size)))
    assert residual(found, single(size))[4] <= 0.8
    assert residual(found, single(size)).mean() <= 0.5


def test_a_block_is_found(pictures: np.ndarray, find: Find) -> None:
    mm = np.zeros((SLICES, 2))
    mm[6:] = [5.0, -6.0]
    assert residual(find(displaced(pictures, mm)), mm).mean() <= 0.8


def test_a_tilted_stack_stays(pictures: np.ndarray, find: Find) -> None:
    """Tilted by 10 degrees: each slice is off the one below by the same."""
    ramp = np.outer(POSITIONS - POSITIONS.mean(), [0.12, -0.13])
    assert find(displaced(pictures, ramp)).lengths.mean() < 0.3


def test_what_all_slices_share_is_no_shift(pictures: np.ndarray, find: Find) -> None:
    mm = single(6.0)
    alone = find(displaced(pictures, mm))
    shared = find(displaced(pictures, mm + np.array([2 * PIXEL, -PIXEL])))
    np.testing.assert_allclose(shared.mm, alone.mm, atol=0.3)


def test_the_order_of_phases_does_not_matter(pictures: np.ndarray, find: Find) -> None:
    few = pictures[:, :7]
    moved = np.concatenate([displaced(few, single(5.0)[:7]), displaced(0.9 * few, single(5.0)[:7])])
    np.testing.assert_allclose(find(moved[::-1].copy()).mm, find(moved).mm, atol=1e-6)


def test_a_reversed_stack_has_reversed_shifts(pictures: np.ndarray, find: Find) -> None:
    moved = displaced(pictures, single(7.0))
    there, back = find(moved), find(moved[:, ::-1].copy())
    np.testing.assert_allclose(back.mm[::-1], there.mm, atol=0.3)


def test_too_few_slices_stay(pictures: np.ndarray, find: Find) -> None:
    found = find(displaced(pictures, single(8.0))[:, 3:6])
    assert not found.mm.any()
