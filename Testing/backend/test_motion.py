"""Motion: what a displacement field does to two slices, and what the network keeps whatever its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from calid.conditioning import Neighbours
from calid.motion import LARGEST, MotionConfig, MotionEstimator, warp
from calid.training.augment import Augmentation
from calid.training.data import TrainingStack
from calid.training.examples import LatentPool
from calid.training.motion import motion_loss
from calid.weights import CalidModel

SIZES = st.sampled_from([(8, 8), (16, 24), (40, 8)])
SEEDS = st.integers(0, 2**31)
WEIGHTS = {"blend_weight": 1.0, "each_weight": 0.5, "dissimilar_weight": 0.1, "rough_weight": 0.02}


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


@given(SEEDS, st.integers(1, 3), SIZES)
def test_no_displacement_leaves_slices_as_they_are(seed: int, n: int, size: tuple[int, int]) -> None:
    slices = noise(seed, n, 2, *size)
    torch.testing.assert_close(warp(slices, torch.zeros(n, 4, *size)), slices, atol=1e-4, rtol=0)


@given(SEEDS, SIZES, st.tuples(*[st.integers(-3, 3)] * 4))
def test_whole_pixels_shift_each_slice_by_its_own_x_and_y(
    seed: int, size: tuple[int, int], shift: tuple[int, int, int, int]
) -> None:
    slices = noise(seed, 1, 2, *size)
    field = torch.tensor(shift, dtype=torch.float32)[None, :, None, None].expand(1, 4, *size)
    seen = warp(slices, field)
    for k in range(2):
        x, y = shift[2 * k : 2 * k + 2]
        # What is seen at a pixel is what lies (x, y) further on; beyond the border it is the border's.
        rows, columns = ((torch.arange(s) + d).clamp(0, s - 1) for s, d in zip(size, (y, x), strict=True))
        torch.testing.assert_close(seen[0, k], slices[0, k][rows][:, columns], atol=1e-4, rtol=0)


@given(SEEDS, SIZES, st.floats(0, 1), st.floats(0.1, 2))
def test_reversing_the_stack_swaps_the_displacements(
    tiny_model: CalidModel, seed: int, size: tuple[int, int], fraction: float, gap: float
) -> None:
    slices, where, width = noise(seed, 1, 2, *size), torch.tensor([fraction]), torch.tensor([gap])
    field = tiny_model.motion(slices, where, width)
    assert field.shape == (1, 4, *size)
    assert field.abs().max() > 0.1
    torch.testing.assert_close(tiny_model.motion(slices.flip(1), 1 - where, width), field.roll(2, dims=1))


def test_displacements_depend_on_the_position_and_are_bounded(tiny_model: CalidModel) -> None:
    slices = noise(0, 1, 2, 16, 24)
    near, far = (tiny_model.motion(slices, torch.tensor([f]), torch.tensor([0.5])) for f in (0.25, 0.5))
    assert (near - far).abs().max() > 1e-3
    wild = MotionEstimator(MotionConfig((8, 8), 1, 16))
    torch.nn.init.constant_(wild.to_field.bias, 1e6)
    assert wild(slices, torch.tensor([0.5]), torch.tensor([0.5])).abs().max() <= LARGEST


def test_a_slice_must_fit_the_multiple() -> None:
    for levels in (1, 2, 3):
        net = MotionEstimator(MotionConfig((8,) * levels, 1, 16))
        size = (net.config.multiple, 3 * net.config.multiple)
        assert net(noise(0, 2, 2, *size), torch.rand(2), torch.rand(2)).shape == (2, 4, *size)


def test_followed_latents_are_those_of_the_warped_slices(tiny_model: CalidModel) -> None:
    vae, motion, slices = tiny_model.vae, tiny_model.motion, noise(1, 3, 2, 16, 24)
    distance = torch.tensor([[12.0, 2.0, 6.0, 14.0]]).repeat(3, 1)
    neighbours = Neighbours(torch.zeros(3, 4, 2, 4, 6), torch.ones(3, 4), distance)
    followed = motion.follow(vae, slices, neighbours)
    seen = warp(slices, motion(slices, torch.full((3,), 0.25), torch.full((3,), 8 / 20)))
    for k in range(2):
        torch.testing.assert_close(followed[:, k], vae.encode(seen[:, k : k + 1]), atol=1e-4, rtol=1e-4)


def moving_discs() -> list[TrainingStack]:
    """Stacks of a disc that moves by 3 pixels along the columns from slice to slice."""
    rows, columns = np.meshgrid(np.arange(64.0) - 32, np.arange(64.0) - 32, indexing="ij")
    centres = 3 * (np.arange(7) - 3)
    slices = np.tanh((9 - np.hypot(rows, columns - centres[:, None, None])) / 2).astype(np.float16) * 0.8
    return [TrainingStack("disc", slices, 8.0, (32.0, 32.0), is_crop=False)]


def test_training_learns_to_follow_what_moves(tmp_path: Path) -> None:
    how = Augmentation(crop=48, jitter=0.05, rotation=0.1, scale=0.05, gamma=0.1, gain=0.05)
    pool, rng = LatentPool(moving_discs(), None, how, 12), Generator().manual_seed(0)
    pool.renew(0, rng)
    torch.manual_seed(0)
    net = MotionEstimator(MotionConfig((16, 16, 16), 1, 16))
    optimiser = torch.optim.AdamW(net.parameters(), lr=4e-3)
    for _ in range(60):
        loss, _ = motion_loss(net, pool.draw(8, rng), WEIGHTS)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        _, numbers = motion_loss(net, pool.draw(32, rng), WEIGHTS)
    assert numbers["blend"] < 0.5 * numbers["linear"]
    assert numbers["dissimilar"] < 0.8 * numbers["linear_dissimilar"]


@pytest.mark.parametrize("part", ["blend", "each", "dissimilar", "rough"])
def test_every_part_of_the_loss_counts_by_its_weight(tiny_model: CalidModel, part: str) -> None:
    pool = LatentPool(moving_discs(), None, Augmentation(crop=32), 2)
    pool.renew(0, Generator().manual_seed(0))
    only = dict.fromkeys(WEIGHTS, 0.0) | {f"{part}_weight": 3.0}
    loss, numbers = motion_loss(tiny_model.motion, pool.draw(2, Generator().manual_seed(0)), only)
    assert float(loss) == pytest.approx(3 * numbers[part])
    assert numbers[part] > 0
