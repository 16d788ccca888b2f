"""What the learned baselines learn from: true distances, the same whichever way the stack is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Generator

from calid.baselines.pixel_models import PixelSpace
from calid.training.augment import Augmentation
from calid.training.data import TrainingStack
from calid.training.examples import EncodedStack, Examples, LatentPool, draw_example

GAP = 5.0


def counted(count: int) -> EncodedStack:
    """A stack whose latents hold their own position, counted from 1."""
    return EncodedStack(torch.arange(1.0, count + 1)[:, None, None, None].expand(count, 1, 2, 3), GAP)


def examples(count: int = 9, draws: int = 200) -> Iterator[Examples]:
    for seed in range(draws):
        example = draw_example(counted(count), Generator().manual_seed(seed))
        if example is not None:
            yield example


def test_distances_are_true_and_positions_in_order() -> None:
    for example in examples():
        around, here = example.neighbours, example.latents[0, 0, 0, 0]
        positions, present = around.latents[0, :, 0, 0, 0], around.present[0].bool()
        torch.testing.assert_close(around.distance[0], GAP * (positions - here).abs() * present)
        assert (positions[present].diff() > 0).all()
        assert present[1:3].all()
        assert (positions[~present] == 0).all()
        assert positions[1] <= here <= positions[2]


def test_draws_cover_all_widths_both_ends_and_missing_outer_slices() -> None:
    drawn = list(examples(draws=400))
    steps = {round(float(e.neighbours.distance[0, 1:3].sum()) / GAP) for e in drawn}
    fractions = {round(float(e.neighbours.fraction), 3) for e in drawn}
    missing = {tuple(e.neighbours.present[0, [0, 3]].int().tolist()) for e in drawn}
    assert steps == {2, 3, 4}
    assert fractions == {0, 0.25, 0.333, 0.5, 0.667, 0.75, 1}
    assert missing == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_stack_too_short_for_a_triplet_gives_no_example() -> None:
    assert draw_example(counted(2), Generator().manual_seed(0)) is None


def test_reversed_twice_is_the_same_and_once_swaps_the_sides() -> None:
    for example in examples(draws=20):
        back = example.reversed()
        torch.testing.assert_close(back.neighbours.fraction, 1 - example.neighbours.fraction)
        assert torch.equal(back.neighbours.latents, example.neighbours.latents.flip(1))
        assert torch.equal(back.latents, example.latents)
        again = back.reversed()
        for field in ("latents", "present", "distance"):
            assert torch.equal(getattr(again.neighbours, field), getattr(example.neighbours, field))


def test_joined_examples_keep_their_order() -> None:
    parts = list(examples(draws=6))
    whole = Examples.joined(parts)
    for n, part in enumerate(parts):
        assert torch.equal(whole.neighbours.latents[n : n + 1], part.neighbours.latents)
        assert torch.equal(whole.latents[n : n + 1], part.latents)
        assert torch.equal(whole.neighbours.distance[n : n + 1], part.neighbours.distance)


@pytest.fixture
def stacks() -> list[TrainingStack]:
    slices = np.random.default_rng(0).uniform(-1, 1, (6, 40, 36)).astype(np.float16)
    return [TrainingStack("noise", slices, gap, (20.0, 18.0), is_crop=False) for gap in (GAP, 10.0)]


@pytest.fixture
def space() -> PixelSpace:
    return PixelSpace(2)


def test_a_pool_encodes_the_slices_of_its_stacks(space: PixelSpace, stacks: list[TrainingStack]) -> None:
    level = torch.linspace(-0.5, 0.5, 6).numpy()[:, None, None] * np.ones((6, 40, 36))
    pool = LatentPool([replace(stacks[0], slices=level.astype(np.float16))], space, Augmentation(crop=16), 4)
    pool.renew(0, Generator().manual_seed(0))
    for entry in pool.entries:
        assert entry.latents.shape == (6, 4, 8, 8)
        assert (entry.latents.mean(dim=(1, 2, 3)).diff() > 0).all()  # contrast changes, and order stays
    assert len({entry.gap for entry in pool.entries}) > 1  # some are zoomed
    drawn = pool.draw(12, Generator().manual_seed(0))
    assert drawn.neighbours.latents.shape == (12, 4, 4, 8, 8)
    assert drawn.latents.shape == (12, 4, 8, 8)


def test_a_pool_is_filled_once_and_then_renewed_one_by_one(space: PixelSpace, stacks: list[TrainingStack]) -> None:
    pool, rng = LatentPool(stacks, space, Augmentation(crop=16), 5), Generator().manual_seed(0)
    pool.renew(0, rng)
    before = list(pool.entries)
    pool.renew(1, rng)
    assert len(pool.entries) == len(before) == 5
    assert sum(a is not b for a, b in zip(pool.entries, before, strict=True)) == 1
