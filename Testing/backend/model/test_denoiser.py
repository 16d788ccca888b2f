"""The flow from the mean to a slice: what a sample is, whatever the weights."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from calid.model.denoiser import FINE, MM_SCALE, LatentDenoiser, reach_of
from calid.model.sampler import AnchoredNoise, sample_latents
from calid.model.weights import CalidModel
from calid.training.denoiser import Pairs, draw_steps, flow_loss

SHAPE = (2, 6, 4)
VELOCITY = torch.tensor([1.0, -2.0])[:, None, None]


@pytest.fixture(scope="module")
def mean() -> Tensor:
    return torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def reach() -> Tensor:
    return reach_of(torch.tensor([6.0, 8.0, 10.0]), torch.tensor([0.25, 0.5, 0.75]))


@pytest.fixture(scope="module")
def constant(tiny_model: CalidModel) -> LatentDenoiser:
    """A network that says the same velocity everywhere: 1 in the first channel, -2 in the second."""
    net = copy.deepcopy(tiny_model.denoiser)
    net.to_velocity.weight.zero_()
    net.to_velocity.bias.copy_(VELOCITY.flatten())
    return net


def noise(seed: int = 0) -> Tensor:
    return torch.stack([AnchoredNoise(seed, 4, SHAPE).at(0, 1, fraction) for fraction in (0.25, 0.5, 0.75)])


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_a_constant_velocity_is_followed_exactly_in_any_number_of_steps(
    constant: LatentDenoiser, mean: Tensor, reach: Tensor, steps: int
) -> None:
    drawn = sample_latents(constant, mean, reach, noise(), steps)
    torch.testing.assert_close(drawn, mean + constant.config.start_noise * noise() + VELOCITY)


class Clock(LatentDenoiser):
    """Its velocity is the time it is asked at."""

    def velocity(self, state: Tensor, time: Tensor, step: Tensor, reach: Tensor) -> Tensor:
        return time[:, None, None, None].expand_as(state)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_step_asks_for_the_velocity_at_its_beginning(
    tiny_model: CalidModel, mean: Tensor, reach: Tensor, steps: int
) -> None:
    drawn = sample_latents(Clock(tiny_model.denoiser.config), mean, reach, torch.zeros(3, *SHAPE), steps)
    torch.testing.assert_close(drawn, mean + (steps - 1) / (2 * steps))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_steps_change_the_result(tiny_model: CalidModel, mean: Tensor, reach: Tensor, steps: int) -> None:
    drawn, more = (sample_latents(tiny_model.denoiser, mean, reach, noise(), n) for n in (steps, steps + 1))
    assert drawn.shape == mean.shape
    assert torch.isfinite(drawn).all()
    assert (more - drawn).abs().max() > 1e-3


def test_the_same_seed_draws_the_same_and_another_does_not(tiny_model: CalidModel, mean: Tensor, reach: Tensor) -> None:
    first, again, other = (sample_latents(tiny_model.denoiser, mean, reach, noise(seed), 2) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert (first - other).abs().mean() > 0.01


def test_the_reach_is_the_gap_and_the_way_to_the_nearer_slice_from_either_end() -> None:
    gap = torch.tensor([10.0, 8.0])
    wanted = torch.tensor([[10.0, 2.5], [8.0, 4.0]]) / MM_SCALE
    for fraction in (torch.tensor([0.25, 0.5]), torch.tensor([0.75, 0.5])):
        torch.testing.assert_close(reach_of(gap, fraction), wanted)


def test_the_velocity_knows_the_time_the_step_and_the_reach(
    tiny_model: CalidModel, mean: Tensor, reach: Tensor
) -> None:
    def velocity(time: float, step: float, reach: Tensor = reach) -> Tensor:
        return tiny_model.denoiser.velocity(mean, torch.full((3,), time), torch.full((3,), step), reach)

    asked = velocity(0.1, 0.5)
    for other in (velocity(0.9, 0.5), velocity(0.1, 0.9), velocity(0.1, 0.5, reach + 0.5)):
        assert (asked - other).abs().max() > 1e-3
    assert torch.equal(velocity(0.1, 0.0), velocity(0.1, FINE / 2))


def test_the_loss_is_zero_for_the_true_velocity_and_the_variance_of_the_noise_for_the_mean_one(
    constant: LatentDenoiser, mean: Tensor, reach: Tensor
) -> None:
    exact = copy.deepcopy(constant)
    exact.config = replace(constant.config, start_noise=0.0)
    many = mean.repeat(100, 1, 1, 1)
    pairs, step = Pairs(many, many + VELOCITY, reach.repeat(100, 1)), torch.zeros(300)

    def loss(net: LatentDenoiser) -> Tensor:
        return flow_loss(net, net, pairs, step, torch.ones(1, 2, 1, 1), torch.Generator().manual_seed(0))

    assert loss(exact).max() < 1e-10
    assert float(loss(constant).mean()) == pytest.approx(constant.config.start_noise**2, rel=0.05)


class Accelerating(LatentDenoiser):
    """Its velocity is the time at the middle of the step: exact for a state that moves as the time squared halved."""

    def velocity(self, state: Tensor, time: Tensor, step: Tensor, reach: Tensor) -> Tensor:
        assert bool((time + step <= 1 + 1e-6).all())
        return (time + step / 2)[:, None, None, None].expand_as(state)


def test_a_step_is_learned_as_two_of_half_its_length_as_the_average_takes_them(
    tiny_model: CalidModel, mean: Tensor, reach: Tensor
) -> None:
    config, weight, pairs = tiny_model.denoiser.config, torch.ones(1, 2, 1, 1), Pairs(mean, mean, reach)
    exact, clock, step = Accelerating(config), Clock(config), torch.tensor([0.25, 0.5, 1.0])

    def loss(net: LatentDenoiser, average: LatentDenoiser) -> Tensor:
        return flow_loss(net, average, pairs, step, weight, torch.Generator().manual_seed(0))

    assert loss(exact, exact).max() < 1e-10
    # Both halves of a clock that runs behind: half of the first, and the beginning of the second.
    torch.testing.assert_close(loss(clock, clock), (step / 4).square())
    torch.testing.assert_close(loss(clock, exact), (step / 2).square())


def test_steps_to_learn_are_of_every_length() -> None:
    step = draw_steps(400, 0.25, torch.Generator().manual_seed(0))
    assert int((step == 0).sum()) == 200
    assert int((step == 1).sum()) == 100
    between = step[(step > 0) & (step < 1)]
    assert float(between.min()) >= FINE
    assert float(between.max() - between.min()) > 0.8
