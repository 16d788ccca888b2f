"""Motion through a gap: what the network keeps whatever its weights, and how one field serves the whole gap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from calid.model.demons import smooth
from calid.model.motion import FIELD, LARGEST, MotionConfig, MotionEstimator, along, see
from calid.model.weights import CalidModel
from calid.training.augment import Augmentation
from calid.training.data import TrainingStack
from calid.training.examples import LatentPool
from calid.training.motion import motion_loss

SIZES = st.sampled_from([(8, 8), (16, 24), (40, 8)])
SEEDS = st.integers(0, 2**31)
WEIGHTS = {"blend_weight": 1.0, "each_weight": 0.5, "dissimilar_weight": 0.1, "rough_weight": 0.02}


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


@given(SEEDS, SIZES, st.floats(0.1, 2))
def test_reversing_the_stack_swaps_the_displacements(
    tiny_model: CalidModel, seed: int, size: tuple[int, int], gap: float
) -> None:
    slices, width = noise(seed, 1, 2, *size), torch.tensor([gap])
    field = tiny_model.motion(slices, width)
    assert field.shape == (1, 4, size[0] // FIELD, size[1] // FIELD)
    assert field.abs().max() > 0.1
    torch.testing.assert_close(tiny_model.motion(slices.flip(1), width), field.roll(2, dims=1))
    refined = tiny_model.motion.find(slices, width)
    assert (refined - field).abs().max() > 1e-3
    swapped = tiny_model.motion.find(slices.flip(1), width)
    torch.testing.assert_close(swapped, refined.roll(2, dims=1), atol=1e-3, rtol=1e-3)


def test_displacements_depend_on_the_gap_and_are_bounded(tiny_model: CalidModel) -> None:
    slices = noise(0, 1, 2, 16, 24)
    near, far = (tiny_model.motion(slices, torch.tensor([gap])) for gap in (0.25, 0.5))
    assert (near - far).abs().max() > 1e-3
    wild = MotionEstimator(MotionConfig((8, 8), 1, 16))
    torch.nn.init.constant_(wild.to_field.bias, 1e6)
    assert wild(slices, torch.tensor([0.5])).abs().max() <= LARGEST


def test_a_slice_must_fit_the_multiple() -> None:
    for levels in (1, 2, 3):
        net = MotionEstimator(MotionConfig((8,) * levels, 1, 16))
        rows, columns = net.config.multiple, 3 * net.config.multiple
        field = net(noise(0, 2, 2, rows, columns), torch.rand(2))
        assert field.shape == (2, 4, rows // FIELD, columns // FIELD)


def smooth_field(seed: int, rows: int = 12, columns: int = 10) -> Tensor:
    return smooth(8 * noise(seed, 1, 4, rows, columns), 3.0)


@given(SEEDS)
def test_motion_is_what_was_found_in_the_middle_and_nothing_at_the_acquired_slices(seed: int) -> None:
    field = smooth_field(seed)
    torch.testing.assert_close(along(field, torch.tensor([0.5])), field)
    assert along(field, torch.tensor([0.0]))[:, :2].abs().max() < 1e-5
    assert along(field, torch.tensor([1.0]))[:, 2:].abs().max() < 1e-5


@given(SEEDS, st.floats(0, 1))
def test_motion_through_a_gap_is_the_same_in_the_reversed_stack(seed: int, fraction: float) -> None:
    field, at = smooth_field(seed), torch.tensor([fraction])
    torch.testing.assert_close(along(field.roll(2, dims=1), 1 - at), along(field, at).roll(2, dims=1))


@given(st.floats(0, 1), st.floats(-6, 6), st.floats(-3, 3))
def test_all_move_alike_on_a_straight_line_but_for_what_bulges(fraction: float, shift: float, bulge: float) -> None:
    field = torch.tensor([bulge - shift, 0, bulge + shift, 0])[None, :, None, None].expand(1, 4, 8, 8)
    found = along(field, torch.tensor([fraction]))[0, :, 4, 4]
    bulged = 4 * fraction * (1 - fraction) * bulge
    expected = [bulged - 2 * fraction * shift, 0, bulged + 2 * (1 - fraction) * shift, 0]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=1e-4)


@given(SEEDS, st.integers(1, 3), st.floats(0, 1))
def test_nothing_moves_where_nothing_is_found(seed: int, n: int, fraction: float) -> None:
    slices = noise(seed, n, 2, 16, 24)
    seen = see(slices, torch.zeros(n, 4, 8, 12), torch.full((n,), fraction))
    torch.testing.assert_close(seen, slices, atol=1e-4, rtol=0)


def test_followed_latents_are_those_of_the_slices_as_seen_from_the_missing_one(tiny_model: CalidModel) -> None:
    vae, motion, slices = tiny_model.vae, tiny_model.motion, noise(1, 3, 2, 16, 24)
    field, fraction = motion.find(slices, torch.full((3,), 0.4)), torch.tensor([0.25, 0.5, 0.8])
    followed, seen = motion.follow(vae, slices, field, fraction), see(slices, field, fraction)
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
