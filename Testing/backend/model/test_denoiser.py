"""The flow from the mean to a slice: what a sample is, whatever the weights."""

from __future__ import annotations

import copy

import pytest
import torch
from calid.model.conditioning import Context
from torch import Tensor

from calid.model.denoiser import FINE, LatentInterpolator
from calid.model.sampler import AnchoredNoise, sample_latents
from calid.model.weights import CalidModel
from calid.training.denoiser import draw_states, draw_steps, flow_loss

SHAPE = (2, 6, 4)


@pytest.fixture(scope="module")
def context() -> Context:
    torch.manual_seed(0)
    return Context(torch.randn(3, *SHAPE), [torch.randn(3, 8, 6, 4), torch.randn(3, 8, 3, 2)], torch.rand(3, 2))


@pytest.fixture(scope="module")
def constant(tiny_model: CalidModel) -> LatentInterpolator:
    """A network that says the same velocity everywhere: 1 in the first channel, -2 in the second."""
    net = copy.deepcopy(tiny_model.interpolator)
    net.to_velocity.weight.zero_()
    net.to_velocity.bias.copy_(torch.tensor([1.0, -2.0]))
    return net


def noise(seed: int = 0) -> Tensor:
    return torch.stack([AnchoredNoise(seed, 4, SHAPE).at(0, 1, fraction) for fraction in (0.25, 0.5, 0.75)])


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_a_constant_velocity_is_followed_exactly_in_any_number_of_steps(
    constant: LatentInterpolator, context: Context, steps: int
) -> None:
    drawn = sample_latents(constant, context, noise(), steps)
    velocity = torch.tensor([1.0, -2.0])[:, None, None]
    torch.testing.assert_close(drawn, context.mean + constant.config.start_noise * noise() + velocity)


class Clock(LatentInterpolator):
    """Its velocity is the time it is asked at."""

    def velocity(
        self, state: Tensor, time: Tensor, step: Tensor, context: Context, injected: list[Tensor] | None
    ) -> Tensor:
        return time[:, None, None, None].expand_as(state)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_step_asks_for_the_velocity_at_its_beginning(tiny_model: CalidModel, context: Context, steps: int) -> None:
    clock = Clock(tiny_model.interpolator.config)
    drawn = sample_latents(clock, context, torch.zeros(3, *SHAPE), steps)
    torch.testing.assert_close(drawn, context.mean + (steps - 1) / (2 * steps))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_steps_are_counted_and_change_the_result(tiny_model: CalidModel, context: Context, steps: int) -> None:
    calls: list[None] = []
    drawn = sample_latents(tiny_model.interpolator, context, noise(), steps, on_step=lambda: calls.append(None))
    assert len(calls) == steps
    assert drawn.shape == context.mean.shape
    assert torch.isfinite(drawn).all()
    more = sample_latents(tiny_model.interpolator, context, noise(), steps + 1)
    assert (more - drawn).abs().max() > 1e-3


def test_detail_leads_in_a_straight_line_from_the_mean_to_the_end_of_the_flow(
    tiny_model: CalidModel, context: Context
) -> None:
    mean, half, drawn = (sample_latents(tiny_model.interpolator, context, noise(), 2, d) for d in (0.0, 0.5, 1.0))
    assert torch.equal(mean, context.mean)
    torch.testing.assert_close(half, (mean + drawn) / 2)
    assert (drawn - mean).abs().mean() > 0.1


def test_the_same_seed_draws_the_same_and_another_does_not(tiny_model: CalidModel, context: Context) -> None:
    first, again, other = (sample_latents(tiny_model.interpolator, context, noise(seed), 2) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert (first - other).abs().mean() > 0.01


def test_only_the_conditioned_flow_reads_the_features_of_the_neighbours(
    tiny_model: CalidModel, context: Context
) -> None:
    other = Context(context.mean, [feature + 1 for feature in context.features], context.reach)

    def drawn(of: Context, conditioned: bool) -> Tensor:
        return sample_latents(tiny_model.interpolator, of, noise(), 2, conditioned=conditioned)

    assert torch.equal(drawn(other, False), drawn(context, False))
    assert (drawn(other, True) - drawn(context, True)).abs().max() > 1e-3
    assert (drawn(context, True) - drawn(context, False)).abs().max() > 1e-3


def test_the_velocity_knows_the_time_the_step_and_the_reach(tiny_model: CalidModel, context: Context) -> None:
    net = tiny_model.interpolator

    def velocity(time: float, step: float, of: Context) -> Tensor:
        return net.velocity(of.mean, torch.full((3,), time), torch.full((3,), step), of, None)

    further = Context(context.mean, context.features, context.reach + 0.5)
    asked = velocity(0.1, 0.5, context)
    for other in (velocity(0.9, 0.5, context), velocity(0.1, 0.9, context), velocity(0.1, 0.5, further)):
        assert (asked - other).abs().max() > 1e-3
    assert torch.equal(velocity(0.1, 0.0, context), velocity(0.1, FINE / 2, context))


def test_the_loss_is_zero_for_the_true_velocity_and_the_variance_of_the_noise_for_the_mean_one(
    constant: LatentInterpolator, context: Context
) -> None:
    silent = constant.config.start_noise
    exact = copy.deepcopy(constant)
    exact.config = type(constant.config)(**{**vars(constant.config), "start_noise": 0.0})
    latents, rng = context.mean + torch.tensor([1.0, -2.0])[:, None, None], torch.Generator()

    def loss(net: LatentInterpolator, seed: int) -> Tensor:
        step, conditioned = torch.zeros(3), torch.tensor([0.0, 1.0, 0.0])
        drawn = draw_states(net, context, latents, step, conditioned, rng.manual_seed(seed))
        return flow_loss(net, net, drawn, torch.ones(1, 2, 1, 1))

    assert loss(exact, 0).max() < 1e-10
    assert float(torch.stack([loss(constant, n) for n in range(200)]).mean()) == pytest.approx(silent**2, rel=0.05)


class Accelerating(LatentInterpolator):
    """Its velocity is the time at the middle of the step: exact for a state that moves as the time squared halved."""

    def velocity(
        self, state: Tensor, time: Tensor, step: Tensor, context: Context, injected: list[Tensor] | None
    ) -> Tensor:
        return (time + step / 2)[:, None, None, None].expand_as(state)


def test_a_step_is_learned_as_two_of_half_its_length(tiny_model: CalidModel, context: Context) -> None:
    config, rng = tiny_model.interpolator.config, torch.Generator().manual_seed(0)
    exact, clock, weight = Accelerating(config), Clock(config), torch.ones(1, 2, 1, 1)
    step = torch.tensor([0.25, 0.5, 1.0])
    drawn = draw_states(exact, context, context.mean, step, torch.zeros(3), rng)
    assert bool((drawn.time + step <= 1 + 1e-6).all())
    assert flow_loss(exact, exact, drawn, weight).max() < 1e-10
    # Both halves of a clock that runs behind: half of the first, and the beginning of the second.
    torch.testing.assert_close(flow_loss(clock, clock, drawn, weight), (step / 4).square())


def test_steps_to_learn_are_of_every_length() -> None:
    step = draw_steps(400, 0.25, torch.Generator().manual_seed(0))
    assert int((step == 0).sum()) == 200
    assert int((step == 1).sum()) == 100
    between = step[(step > 0) & (step < 1)]
    assert float(between.min()) >= FINE
    assert float(between.max() - between.min()) > 0.8
