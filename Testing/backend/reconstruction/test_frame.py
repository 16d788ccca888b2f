"""The common frame: shifts out, shifts back, and what is said about them."""

from __future__ import annotations

import numpy as np
import pytest

from calid.alignment.shifts import Shifts
from calid.errors import UnusableInput
from calid.model.gap import GapNet
from calid.model.weights import load_model
from calid.phantom.beating_heart import make_phantom
from calid.reconstruction.frame import CommonFrame
from calid.reconstruction.inplane import displaced
from calid.stacks.padding import NO_PADDING
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack


@pytest.fixture(scope="module")
def stack() -> SliceStack:
    return make_phantom(slices=8, gap=8.0, pixel=2.0, matrix=(112, 112)).sparse


@pytest.fixture(scope="module")
def net() -> GapNet:
    return load_model().gap


def frame(
    stack: SliceStack, align: str = "auto", slice_: int = 3, mm: tuple[float, float] = (5.0, -2.0)
) -> CommonFrame:
    shifts = Shifts.none(len(stack.positions))
    shifts.mm[slice_] = mm
    return CommonFrame(align, shifts, shifts.mm / np.array(stack.pixel_spacing), NO_PADDING)


def test_moving_is_exact_for_whole_pixels_and_undone_by_moving_back(stack: SliceStack) -> None:
    picture = stack.voxels[0, 4].astype(np.float32)
    np.testing.assert_allclose(displaced(picture, np.array([2.0, 3.0]))[2:, 3:], picture[:-2, :-3], atol=1e-2)
    back = displaced(displaced(picture, np.array([0.5, -1.3])), np.array([-0.5, 1.3]))
    assert np.abs(back - picture)[8:-8, 8:-8].mean() < 0.06 * picture.std()


def test_only_a_shifted_slice_is_moved(stack: SliceStack) -> None:
    straight = frame(stack).straighten(stack)
    others = [k for k in range(8) if k != 3]
    assert straight.voxels.dtype == stack.voxels.dtype
    np.testing.assert_array_equal(straight.voxels[:, others], stack.voxels[:, others])
    assert (straight.voxels[:, 3] != stack.voxels[:, 3]).any()


def test_acquired_slices_come_back_bit_for_bit_and_the_wall_is_continuous(stack: SliceStack) -> None:
    """A tube with one shifted slice: what is put beside it follows, half-way to its neighbours nothing does."""
    tube = np.zeros((1, 8, 112, 112), np.int16)
    tube[:, :, 40:60, 40:60] = 1000
    plan, there = plan_slices(stack.positions, 2.0), frame(stack, mm=(8.0, 0.0))
    sparse = SliceStack(tube.copy(), stack.frame, stack.positions)
    sparse.voxels[0, 3] = np.roll(tube[0, 3], 4, axis=0)
    straight = there.straighten(sparse)
    dense = np.repeat(straight.voxels[0], 4, axis=0)[:-3]
    put, _ = there.put_back(plan, sparse.voxels[0], dense, None)
    np.testing.assert_array_equal(put[plan.known], sparse.voxels[0])
    centre = [float(np.average(np.arange(112), weights=np.maximum(p, 0).sum(axis=1))) for p in put.astype(float)]
    np.testing.assert_allclose(np.array(centre[8:17]) - centre[0], [0, 0, 0, 2, 4, 2, 0, 0, 0], atol=0.1)


def test_what_lies_between_slices_of_one_breath_hold_moves_with_them(stack: SliceStack) -> None:
    tube = np.zeros((1, 8, 112, 112), np.int16)
    tube[:, :, 40:60, 40:60] = 1000
    plan, there = plan_slices(stack.positions, 2.0), frame(stack, mm=(8.0, 0.0))
    shifts = np.zeros((8, 2))
    shifts[3], shifts[4] = (4.0, 0.0), (5.0, 0.0)  # pixels; all others are in place
    block = CommonFrame("auto", there.shifts, shifts, NO_PADDING)
    put, _ = block.put_back(plan, None, np.repeat(tube[0], 4, axis=0)[:-3], None)
    centre = [float(np.average(np.arange(112), weights=np.maximum(p, 0).sum(axis=1))) for p in put.astype(float)]
    np.testing.assert_allclose(np.array(centre[10:19]) - centre[0], [0, 2, 4, 4.25, 4.5, 4.75, 5, 2.5, 0], atol=0.1)


def test_straight_leaves_the_shifts_out(stack: SliceStack) -> None:
    plan = plan_slices(stack.positions, 4.0)
    dense = np.zeros((15, 112, 112), np.int16)
    assert frame(stack, "straight").put_back(plan, stack.voxels[0], dense, None)[0] is dense


def test_a_warning_has_slice_and_millimetres_from_3_mm_on(stack: SliceStack) -> None:
    assert frame(stack).warnings == ["slice 4 is shifted by 5.4 mm in its plane: taken into account between the slices"]
    assert frame(stack, mm=(2.0, 2.0)).warnings == []
    assert "slice 4 is shifted by 5.4 mm in its plane: moved in place" in frame(stack, "straight").warnings


def test_what_is_left_alone_is_said(stack: SliceStack) -> None:
    shifts = Shifts(np.zeros((8, 2)), unsettled=[1], capped=[6])
    said = CommonFrame("auto", shifts, shifts.mm, NO_PADDING).warnings
    assert said[0].startswith("slice 2 may be shifted")
    assert said[1].startswith("slice 7 seems to be shifted by more than 30 mm")


def test_off_looks_for_nothing_and_an_unknown_choice_is_refused(stack: SliceStack, net: GapNet) -> None:
    there = CommonFrame.of(stack, "off", 8.0, net)
    assert there.straighten(stack) is stack
    assert there.facts == {"align": "off", "shifts_mm": [[0.0, 0.0]] * 8, "in_place": [], "long_axes": 0}
    with pytest.raises(UnusableInput, match="align is 'on'"):
        CommonFrame.of(stack, "on", 8.0, net)


def test_a_shift_of_a_real_stack_is_found_and_told(stack: SliceStack, net: GapNet) -> None:
    moved = SliceStack(stack.voxels.copy(), stack.frame, stack.positions)
    moved.voxels[0, 4] = np.roll(stack.voxels[0, 4], (3, -3), axis=(0, 1))
    there = CommonFrame.of(moved, "auto", 8.0, net)
    assert np.linalg.norm(there.shifts.mm[4] - [6, -6]) <= 0.8
    assert any(line.startswith("slice 5 is shifted by") for line in there.warnings)
    taken_back = CommonFrame.of(moved, "straight", 8.0, net, (5,))
    others = [k for k in range(8) if k != 4]
    np.testing.assert_array_equal(taken_back.straighten(moved).voxels[:, 4], moved.voxels[:, 4])
    np.testing.assert_array_equal(taken_back.pixels[others], there.pixels[others])
    assert taken_back.facts == {**there.facts, "align": "straight", "in_place": [5]}
    assert any(line.endswith("left in place, as asked for") for line in taken_back.warnings)
    with pytest.raises(UnusableInput, match="no slice 9"):
        CommonFrame.of(moved, "auto", 8.0, net, (9,))


def test_padding_moves_as_it_is(net: GapNet) -> None:
    stack = make_phantom(slices=8, gap=8.0, pixel=2.0, matrix=(112, 112)).sparse
    stack.voxels[:, :, :20, :20] = -2000
    padded = CommonFrame.of(stack, "off", 8.0, net)
    assert padded.padding.values
    there = frame(stack)
    straight = CommonFrame("auto", there.shifts, there.pixels, padded.padding).straighten(stack)
    values = straight.voxels[0, 3]
    assert set(np.unique(values[values < 0])) <= {-2000}
