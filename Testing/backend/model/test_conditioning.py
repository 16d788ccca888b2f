"""What is known around a missing slice, and what tau_theta1 keeps whatever its weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from calid.model.conditioning import MM_SCALE, ContextEncoder, Neighbours
from calid.training.context import start_from
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Generator

from calid.model.weights import CalidModel


def random_neighbours(seed: int, size: tuple[int, int] = (6, 4), followed: bool = True) -> Neighbours:
    """Around two missing slices of two latent channels; the second one has nothing beyond the slice below."""
    rng = Generator().manual_seed(seed)
    latents = torch.randn(2, 4, 2, *size, generator=rng)
    below, above = (1 + 8 * torch.rand(2, generator=rng) for _ in range(2))
    distance = torch.stack([below + 8, below, above, above + 8], dim=1)
    present = torch.ones(2, 4)
    present[1, 0] = distance[1, 0] = 0
    return Neighbours(latents, present, distance, torch.randn(2, 2, 2, *size, generator=rng) if followed else None)


def test_fraction_reach_and_interpolation_by_hand() -> None:
    latents = torch.tensor([7.0, 1.0, 5.0, 9.0])[None, :, None, None, None]
    around = Neighbours(latents, torch.ones(1, 4), torch.tensor([[14.0, 6.0, 2.0, 10.0]]))
    assert around.fraction.tolist() == [0.75]
    assert around.reach[0].tolist() == pytest.approx([8 / MM_SCALE, 2 / MM_SCALE])
    assert around.linear.item() == pytest.approx(4.0)
    followed = replace(around, followed=torch.tensor([2.0, 10.0])[None, :, None, None, None])
    assert followed.linear.item() == pytest.approx(4.0)
    assert followed.along_motion.item() == pytest.approx(8.0)


@given(st.integers(0, 2**31), st.booleans())
def test_the_reversed_stack_lies_as_far_away(seed: int, followed: bool) -> None:
    around = random_neighbours(seed, followed=followed)
    back = around.reversed()
    torch.testing.assert_close(back.reach, around.reach)
    torch.testing.assert_close(back.fraction, 1 - around.fraction)
    torch.testing.assert_close(back.linear, around.linear)
    if followed:
        torch.testing.assert_close(back.along_motion, around.along_motion)
    torch.testing.assert_close(back.reversed().latents, around.latents)


@given(st.integers(0, 2**31), st.sampled_from([(4, 4), (2, 6)]))
def test_mean_features_and_deviation_are_blind_to_the_order_of_the_stack(
    tiny_model: CalidModel, seed: int, size: tuple[int, int]
) -> None:
    net, around = tiny_model.interpolator, random_neighbours(seed, size)
    context, mirrored = net.context(around), net.context(around.reversed())
    close = {"atol": 1e-4, "rtol": 1e-4}
    torch.testing.assert_close(mirrored.mean, context.mean, **close)
    for there, here in zip(mirrored.features, context.features, strict=True):
        torch.testing.assert_close(there, here, **close)
    torch.testing.assert_close(context.reach, around.reach)
    deviation = net.standard_deviation(context, around)
    torch.testing.assert_close(net.standard_deviation(mirrored, around.reversed()), deviation, **close)
    one_way = net.context(around, symmetric=False)
    assert not torch.allclose(one_way.mean, net.context(around.reversed(), symmetric=False).mean, **close)


@given(st.integers(0, 2**31), st.floats(0.01, 100))
def test_the_deviation_of_every_pixel_is_positive(tiny_model: CalidModel, seed: int, size: float) -> None:
    around = random_neighbours(seed)
    around = replace(around, latents=size * around.latents, followed=size * around.followed)
    deviation = tiny_model.interpolator.standard_deviation(tiny_model.interpolator.context(around), around)
    assert deviation.shape == (2, 1, 24, 16)
    assert torch.isfinite(deviation).all()
    assert (deviation > 0).all()


def test_the_deviation_is_that_of_the_laplace_distribution_whose_scale_is_learned(tiny_model: CalidModel) -> None:
    net, around = tiny_model.interpolator, random_neighbours(0)
    context = net.context(around)
    scale = net.deviation(context, around).exp()
    torch.manual_seed(0)
    drawn = torch.distributions.Laplace(torch.zeros_like(scale), scale).sample((20_000,))
    torch.testing.assert_close(drawn.std(dim=0), net.standard_deviation(context, around), atol=0, rtol=0.08)


def test_what_is_absent_is_not_read(tiny_model: CalidModel) -> None:
    around = random_neighbours(3)
    other = around.latents.clone()
    other[1, 0] = 100.0
    mean = tiny_model.interpolator.context(around).mean
    torch.testing.assert_close(tiny_model.interpolator.context(replace(around, latents=other)).mean, mean)
    other[1, 3] = 100.0
    assert not torch.allclose(tiny_model.interpolator.context(replace(around, latents=other)).mean, mean)


def test_an_encoder_can_start_from_one_that_did_not_follow_motion_and_trusts_it_half(tmp_path: Path) -> None:
    torch.manual_seed(0)
    before, after = (ContextEncoder(2, (8, 8), 1, 16, follows) for follows in (False, True))
    for parameter in before.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape)
    state = {f"encoder.{name}": tensor for name, tensor in before.state_dict().items()}
    save_file({**state, "net.other": torch.zeros(1)}, tmp_path / "earlier.safetensors")
    start_from(after, tmp_path / "earlier.safetensors")

    around = random_neighbours(5)
    read, known = after(around), before(replace(around, followed=None))
    for there, here in zip(read.features, known.features, strict=True):
        torch.testing.assert_close(there, here)
    torch.testing.assert_close(read.mean, (known.mean + around.along_motion) / 2)
