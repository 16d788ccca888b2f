"""Where long axes cross the slices, they tell the shifts that neighbours cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from calid.alignment.crossings import Crossings, crossing
from calid.alignment.joint import second_differences, solve_jointly
from calid.alignment.shifts import FEWEST_SLICES, PIXEL, find_shifts
from calid.model.weights import load_model
from calid.phantom.beating_heart import Phantom
from calid.reconstruction.inplane import displaced
from calid.reconstruction.intensity import IntensityScale
from calid.stacks.section import Section
from calid.stacks.stack import SliceStack

PHANTOM = Phantom(slices=8, gap=10.0, pixel=PIXEL, matrix=(136, 136), thickness=8.0, seed=2, dense_spacing=2.0)
BLOCK = np.repeat([[0.0, 0.0], [3.0, -2.0]], 4, axis=0)
SINGLE = np.zeros((8, 2)) + (np.arange(8) == 3)[:, np.newaxis] * [-2.0, 4.0]


@dataclass
class LongAxis:
    voxels: np.ndarray
    affine: np.ndarray
    thickness: float | None = 6.0


def cut(degrees: float, moved: tuple[float, float] = (0.0, 0.0), aside: float = 0.0) -> LongAxis:
    """A long axis of the truth, turned around it; what it shows is ``moved`` by mm down and to the right.

    :param aside: mm of the plane from the middle.
    """
    truth = PHANTOM.dense
    middle = truth.frame @ [67.5, 67.5, truth.positions[-1] / 2, 1]
    x, y = (truth.frame[:3, n] / PIXEL for n in range(2))
    across = np.cos(np.radians(degrees)) * x + np.sin(np.radians(degrees)) * y
    affine = np.eye(4)
    affine[:3, :2] = 1.5 * np.column_stack([across, truth.frame[:3, 2]])
    affine[:3, 2] = np.cross(across, truth.frame[:3, 2])
    affine[:3, 3] = middle[:3] - affine[:3, :2] @ [44.5, 29.5] + aside * affine[:3, 2]
    shown = affine.copy()
    shown[:3, 3] -= affine[:3, :2] @ (np.array(moved[::-1]) / 1.5)
    image = Section.of(truth, shown, (60, 90), 6.0).sample(truth.voxels[0], truth.positions)
    return LongAxis(np.nan_to_num(image)[np.newaxis], affine)


def stack_with(mm: np.ndarray) -> SliceStack:
    sparse = PHANTOM.sparse
    moved = [displaced(image, by / PIXEL) for image, by in zip(sparse.voxels[0], mm, strict=True)]
    return SliceStack(np.stack(moved)[np.newaxis], sparse.frame, sparse.positions)


def seen_by(long_axes: list[LongAxis], mm: np.ndarray) -> np.ndarray:
    """What long axes say, without knowing anything, but for what all slices share."""
    stack = stack_with(mm)
    crossings = Crossings(stack, long_axes, PIXEL, (136, 136), 8.0)
    found = crossings.observe(stack.voxels.astype(np.float32), [0], np.zeros((8, 2)))
    return found - np.nanmedian(found - mm, axis=0)


@pytest.mark.parametrize("mm", [np.zeros((8, 2)), BLOCK, SINGLE])
def test_shifts_are_seen(mm: np.ndarray) -> None:
    found = seen_by([cut(20), cut(80), cut(140)], mm)
    assert np.linalg.norm(found - mm, axis=1).mean() < 0.6


def test_a_long_axis_has_a_breath_hold_of_its_own() -> None:
    found = seen_by([cut(20, (3.0, 2.0)), cut(80, (-2.0, -3.0)), cut(140)], SINGLE)
    assert np.linalg.norm(found - SINGLE, axis=1).mean() < 1.0


def test_a_slice_that_one_long_axis_alone_crosses_is_not_spoken_of() -> None:
    low = cut(80)
    low.voxels, low.affine = low.voxels[:, :30], low.affine.copy()
    found = seen_by([cut(20), low], np.zeros((8, 2)))
    assert np.isfinite(found[1:3]).all()
    assert np.isnan(found[5:]).all()


def test_two_planes_are_needed_and_the_phases_of_the_stack() -> None:
    stack = stack_with(np.zeros((8, 2)))
    assert crossing(stack, [cut(20)]) == []
    assert crossing(stack, [cut(20), cut(30)]) == []
    both = [cut(20), cut(80)]
    assert crossing(stack, both) == both
    both[1].voxels = both[1].voxels.repeat(3, axis=0)
    assert crossing(stack, both) == []


def test_they_find_what_neighbours_take_for_anatomy() -> None:
    stack, net = stack_with(BLOCK), load_model().gap
    pictures = IntensityScale.of(stack.voxels).normalise(stack.voxels)
    crossings = Crossings(stack, [cut(20), cut(80), cut(140)], PIXEL, (136, 136), 8.0)
    assert len(stack.positions) >= FEWEST_SLICES
    alone, crossed = (find_shifts(pictures, stack.positions, 8.0, net, by).mm - BLOCK for by in (None, crossings))
    left = [np.linalg.norm(each - np.median(each, axis=0), axis=1).mean() for each in (alone, crossed)]
    assert left[1] < 0.8
    assert left[1] < left[0] / 1.5


def test_what_all_crossings_share_is_no_shift_and_one_that_is_wrong_moves_little() -> None:
    positions, nothing = np.arange(9) * 10.0, np.zeros((7, 2))
    crossed = np.full((9, 2), 4.0)
    assert np.abs(solve_jointly(positions, nothing, np.full(7, 0.5), crossed, 0.5)).max() < 0.1
    crossed[4] += 8.0
    crossed[7] = np.nan
    assert np.linalg.norm(solve_jointly(positions, nothing, np.full(7, 0.5), crossed, 0.5), axis=1).max() < 1.5
    steps = np.repeat([[0.0, 0.0], [3.0, 0.0]], [5, 4], axis=0)
    observed = second_differences(positions) @ steps
    found = solve_jointly(positions, observed, np.full(7, 0.5), steps, 0.5)
    np.testing.assert_allclose(np.diff(found, axis=0)[4], [3.0, 0.0], atol=0.5)
