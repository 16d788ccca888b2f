"""What is known around a missing slice, and what the conditioning of the baselines keeps whatever its weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator

from calid.baselines.conditioning import MM_SCALE, Context, ContextEncoder, ContextInjection, Neighbours


@pytest.fixture(scope="module")
def encoder() -> ContextEncoder:
    """For two latent channels, none of its layers silent."""
    torch.manual_seed(0)
    net = ContextEncoder(2, (8, 8), 1, 16).eval().requires_grad_(False)
    for parameter in net.parameters():
        parameter += 0.1 * torch.randn(parameter.shape)
    return net


def random_neighbours(seed: int, size: tuple[int, int] = (6, 4)) -> Neighbours:
    """Around two missing slices of two latent channels; the second one has nothing beyond the slice below."""
    rng = Generator().manual_seed(seed)
    latents = torch.randn(2, 4, 2, *size, generator=rng)
    below, above = (1 + 8 * torch.rand(2, generator=rng) for _ in range(2))
    distance = torch.stack([below + 8, below, above, above + 8], dim=1)
    present = torch.ones(2, 4)
    present[1, 0] = distance[1, 0] = 0
    return Neighbours(latents, present, distance)


def test_fraction_reach_and_interpolation_by_hand() -> None:
    latents = torch.tensor([7.0, 1.0, 5.0, 9.0])[None, :, None, None, None]
    around = Neighbours(latents, torch.ones(1, 4), torch.tensor([[14.0, 6.0, 2.0, 10.0]]))
    assert around.fraction.tolist() == [0.75]
    assert around.reach[0].tolist() == pytest.approx([8 / MM_SCALE, 2 / MM_SCALE])
    assert around.linear.item() == pytest.approx(4.0)


@given(st.integers(0, 2**31))
def test_the_reversed_stack_lies_as_far_away(seed: int) -> None:
    around = random_neighbours(seed)
    back = around.reversed()
    torch.testing.assert_close(back.reach, around.reach)
    torch.testing.assert_close(back.fraction, 1 - around.fraction)
    torch.testing.assert_close(back.linear, around.linear)
    torch.testing.assert_close(back.reversed().latents, around.latents)


@given(st.integers(0, 2**31), st.sampled_from([(4, 4), (2, 6)]))
def test_mean_and_features_are_blind_to_the_order_of_the_stack(
    encoder: ContextEncoder, seed: int, size: tuple[int, int]
) -> None:
    around = random_neighbours(seed, size)
    context, mirrored = encoder(around), encoder(around.reversed())
    close = {"atol": 1e-4, "rtol": 1e-4}
    torch.testing.assert_close(mirrored.mean, context.mean, **close)
    for there, here in zip(mirrored.features, context.features, strict=True):
        torch.testing.assert_close(there, here, **close)
    torch.testing.assert_close(context.reach, around.reach)
    one_way = encoder(around, symmetric=False)
    assert not torch.allclose(one_way.mean, encoder(around.reversed(), symmetric=False).mean, **close)


def test_what_is_absent_is_not_read(encoder: ContextEncoder) -> None:
    around = random_neighbours(3)
    other = around.latents.clone()
    other[1, 0] = 100.0
    mean = encoder(around).mean
    torch.testing.assert_close(encoder(replace(around, latents=other)).mean, mean)
    other[1, 3] = 100.0
    assert not torch.allclose(encoder(replace(around, latents=other)).mean, mean)


def test_every_level_is_injected_from_the_features_of_that_level() -> None:
    torch.manual_seed(0)
    injection = ContextInjection((8, 16), (4, 6)).requires_grad_(False)
    context = Context(torch.zeros(1, 2, 8, 8), [torch.randn(1, 8, 8, 8), torch.randn(1, 16, 4, 4)], torch.zeros(1, 2))
    fine, coarse = injection(context)
    assert (fine.shape, coarse.shape) == ((1, 8, 8, 8), (1, 12, 4, 4))
    other = injection(replace(context, features=[context.features[0], context.features[1] + 1]))
    assert torch.equal(other[0], fine)
    assert not torch.allclose(other[1], coarse)
