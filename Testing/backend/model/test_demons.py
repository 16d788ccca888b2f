"""Refinement of a motion on the slices themselves: which way it pulls, and what it leaves alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from calid.model.demons import refine, smooth, warp

SIZES = st.sampled_from([(8, 8), (16, 24), (40, 8)])
SEEDS = st.integers(0, 2**31)


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


def disc(column: float, size: int = 48) -> Tensor:
    at = torch.arange(size) - (size - 1) / 2
    return torch.tanh((9 - torch.hypot(at[:, None], at - column)) / 2)


@given(SEEDS, st.integers(1, 3), SIZES, st.sampled_from(["bilinear", "bicubic"]))
def test_no_displacement_leaves_slices_as_they_are(seed: int, n: int, size: tuple[int, int], mode: str) -> None:
    slices = noise(seed, n, 2, *size)
    torch.testing.assert_close(warp(slices, torch.zeros(n, 4, *size), mode), slices, atol=1e-4, rtol=0)


@given(SEEDS, SIZES, st.tuples(*[st.integers(-3, 3)] * 4), st.sampled_from(["bilinear", "bicubic"]))
def test_whole_pixels_shift_each_slice_by_its_own_x_and_y(
    seed: int, size: tuple[int, int], shift: tuple[int, int, int, int], mode: str
) -> None:
    slices = noise(seed, 1, 2, *size)
    field = torch.tensor(shift, dtype=torch.float32)[None, :, None, None].expand(1, 4, *size)
    seen = warp(slices, field, mode)
    for k in range(2):
        x, y = shift[2 * k : 2 * k + 2]
        # What is seen at a pixel is what lies (x, y) further on; beyond the border it is the border's.
        rows, columns = ((torch.arange(s) + d).clamp(0, s - 1) for s, d in zip(size, (y, x), strict=True))
        torch.testing.assert_close(seen[0, k], slices[0, k][rows][:, columns], atol=1e-4, rtol=0)


@given(SEEDS, SEEDS)
def test_equal_slices_keep_the_displacement_that_they_have(seed: int, other: int) -> None:
    slices = smooth(noise(seed, 1, 1, 24, 24), 2.0).expand(1, 2, 24, 24)
    same = smooth(noise(other, 1, 2, 24, 24), 2.0).repeat(1, 2, 1, 1)  # moves both alike
    torch.testing.assert_close(refine(slices, same), same, atol=1e-5, rtol=0)


def test_a_disc_that_moved_is_pulled_together_in_the_middle() -> None:
    slices = torch.stack([disc(-3), disc(3)])[None]
    still = torch.zeros(1, 4, 48, 48)
    field = refine(slices, still)
    apart, together = ((a[0, 0] - a[0, 1]).square().mean() for a in (slices, warp(slices, field)))
    assert together < 0.2 * apart
    assert warp(slices, field)[0].mean(dim=0).sub(disc(0)).square().mean() < 0.2 * apart
    rim = field[0, :, 24, [14, 33]]  # left and right edge of the disc in the middle
    assert bool((rim[0] < -1).all())
    assert bool((rim[2] > 1).all())


def test_a_good_displacement_hardly_changes() -> None:
    slices = torch.stack([disc(-3), disc(3)])[None]
    right = torch.tensor([-3.0, 0, 3, 0])[None, :, None, None].expand(1, 4, 48, 48)
    assert (refine(slices, right) - right).abs().max() < 0.1


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_smoothing_keeps_what_is_constant_and_the_sum_of_a_point(sigma: float) -> None:
    assert smooth(torch.full((1, 3, 20, 20), 4.0), sigma).sub(4).abs().max() < 1e-5
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1.0
    spread = smooth(point, sigma)[0, 0]
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    variance = (spread.sum(dim=0) * (torch.arange(41) - 20) ** 2).sum()
    assert float(variance) == pytest.approx(sigma**2, rel=0.05)
