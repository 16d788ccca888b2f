"""Consistency with slabs: exact where the stack is, careful where it is not, the same for every pixel."""

from __future__ import annotations

import numpy as np
import pytest

from calid.reconstruction.misfit import noise_variance, without_noise, without_shifts
from calid.reconstruction.slab import Slabs, slab_operator
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack

STEP, GAP, THICKNESS = 1.25, 10.0, 8.0


def cone(count: int = 49, size: int = 64) -> np.ndarray:
    """A wall that narrows along the axis, known at every 1.25 mm, with papillary muscles; (count, size, size)."""
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    z = np.arange(count)[:, None, None]
    radius = np.hypot(rows, columns)
    bulge = 1.5 * np.sin(z / 4) - 0.2 * z
    outer, inner = 20 + bulge, 12 + bulge
    wall = 1 / (1 + np.exp(radius - outer)) - 1 / (1 + np.exp(radius - inner))
    return (600 + 100 * np.cos(columns / 5) * np.sin(z / 4) - 400 * wall).astype(np.float32)


def acquired(dense: np.ndarray, shifts: tuple[int, ...] = (), noise: float = 0.0) -> SliceStack:
    """Slices 10 mm apart and 8 mm thick, moved by whole pixels along the rows."""
    count = len(dense)
    operator = slab_operator(np.arange(count) * STEP, np.arange(0, count * STEP, GAP), THICKNESS)
    slices = np.tensordot(operator, dense, 1)
    slices = np.stack([np.roll(s, by, 0) for s, by in zip(slices, (*shifts, *[0] * len(slices)), strict=False)])
    slices += np.random.default_rng(0).normal(0, noise, slices.shape)
    return SliceStack.from_affine(slices.astype(np.float32), np.diag([1.5, 1.5, GAP, 1]))


def linear(stack: SliceStack, positions: np.ndarray) -> np.ndarray:
    weights = np.stack([np.interp(positions, stack.positions, unit) for unit in np.eye(len(stack.positions))], axis=1)
    return np.tensordot(weights, stack.voxels[0], 1).astype(np.float32)


def gain(dense: np.ndarray, stack: SliceStack) -> tuple[float, Slabs]:
    """dB that consistency is worth between the slices, over linear interpolation."""
    plan = plan_slices(stack.positions, STEP)
    slabs = Slabs.of(stack, plan, THICKNESS)
    plain = linear(stack, plan.positions)
    errors = [np.square(x - dense)[plan.synthesised].mean() for x in (plain, slabs.consistent(plain, stack.voxels[0]))]
    return float(10 * np.log10(errors[0] / errors[1])), slabs


def test_a_slab_has_fractional_ends_and_a_slice_stands_for_what_is_nearest_to_it() -> None:
    operator = slab_operator(np.arange(0, 12.5, 2.5), np.array([5.0]), 8.0)
    np.testing.assert_allclose(operator * 8, [[0.25, 2.5, 2.5, 2.5, 0.25]])
    uneven = slab_operator(np.array([0.0, 2, 4, 10, 16]), np.array([4.0]), 4.0)
    np.testing.assert_allclose(uneven * 4, [[0, 1, 3, 0, 0]])


def test_what_comes_out_gives_the_acquired_slices_back() -> None:
    dense = cone()
    stack = acquired(dense)
    plan = plan_slices(stack.positions, STEP)
    slabs = Slabs.of(stack, plan, THICKNESS)
    plain = linear(stack, plan.positions)
    before, after = (
        np.abs(np.tensordot(slabs.operator, x, 1) - stack.voxels[0])[1:-1].mean()
        for x in (plain, slabs.consistent(plain, stack.voxels[0]))
    )
    assert after < 0.25 * before


def test_a_stack_that_explains_its_slices_stays_as_it_is() -> None:
    dense = cone()
    stack = acquired(dense)
    plan = plan_slices(stack.positions, STEP)
    slabs = Slabs.of(stack, plan, THICKNESS)
    explained = np.tensordot(slabs.operator, dense, 1)
    np.testing.assert_allclose(slabs.consistent(dense, explained), dense, atol=0.01)


def test_it_is_worth_much_on_a_perfect_stack_and_never_harms_a_noisy_or_a_shifted_one() -> None:
    dense = cone()
    clean, slabs = gain(dense, acquired(dense))
    noisy, with_noise = gain(dense, acquired(dense, noise=30))
    shifted, with_shifts = gain(dense, acquired(dense, (0, 2, -2, 2, 0, -2, 2)))
    assert clean > 0.5
    assert noisy > 0
    assert shifted > 0
    assert slabs.misfit.penalty < with_noise.misfit.penalty
    assert slabs.misfit.penalty < with_shifts.misfit.penalty


@pytest.mark.parametrize("thickness", [6.0, 10.0])
def test_a_thickness_wrong_by_a_quarter_costs_little(thickness: float) -> None:
    dense = cone()
    stack = acquired(dense)
    plan = plan_slices(stack.positions, STEP)
    plain = linear(stack, plan.positions)

    def error(x: np.ndarray) -> float:
        return float(np.square(x - dense)[plan.synthesised].mean())

    right, wrong = (
        error(Slabs.of(stack, plan, mm).consistent(plain, stack.voxels[0])) for mm in (THICKNESS, thickness)
    )
    assert wrong < error(plain)
    assert error(plain) - wrong > 0.5 * (error(plain) - right)


def test_thin_slices_leave_nothing_to_explain() -> None:
    stack = acquired(cone())
    plan = plan_slices(stack.positions, STEP)
    plain = linear(stack, plan.positions)
    np.testing.assert_allclose(Slabs.of(stack, plan, STEP).consistent(plain, stack.voxels[0]), plain, atol=0.01)


def test_what_a_shift_explains_is_left_out_and_the_rest_stays() -> None:
    image = cone(3)[:1]
    moved = image + 0.4 * np.gradient(image, axis=1) - 0.2 * np.gradient(image, axis=2)
    assert np.square(without_shifts(moved - image, image)).mean() < 0.05 * np.square(moved - image).mean()
    brighter = np.full_like(image, 5.0)
    np.testing.assert_allclose(without_shifts(brighter, image), brighter, atol=1.5)


def test_noise_is_told_from_anatomy() -> None:
    noise = np.random.default_rng(1).normal(0, 20, (5, 64, 64))
    assert noise_variance(cone()[:40:8] + noise) == pytest.approx(400, rel=0.25)
    assert noise_variance(cone()[:40:8]) < 20


def test_fine_detail_goes_where_it_is_noise_and_stays_where_it_is_not() -> None:
    noise = np.random.default_rng(2).normal(0, 20, (3, 64, 64)).astype(np.float32)
    assert without_noise(noise, 400).std() < 0.5 * noise.std()
    np.testing.assert_allclose(without_noise(noise, 0.0), noise, atol=1e-4)
