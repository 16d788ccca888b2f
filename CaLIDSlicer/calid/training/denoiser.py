"""Train the second part of stage 2: the U-Net and tau_theta2, with tau_theta1 frozen.

``calid train denoiser CONFIG --data DIR --vae FILE --motion FILE --context FILE --out DIR [--start FILE]``

Rectified flow (Liu et al., ICLR 2023) from the mean of tau_theta1 to real slices. A part of each batch learns the
velocity itself, the rest what a step of any length comes to: the same as two steps of half the length, as the moving
average of the network takes them (Frans et al., ICLR 2025). A part sees the neighbours through tau_theta2, the rest
does not, so that one network learns both ways to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from calid.model.conditioning import Context
from calid.model.denoiser import FINE, DenoiserConfig, LatentInterpolator
from calid.model.layers import channels_last
from calid.model.weights import load_weights
from calid.reconstruction.device import CPU, autocast
from calid.training.examples import Examples
from calid.training.loop import Run, export
from calid.training.losses import channel_weight
from calid.training.materials import Materials, load_materials, stage_parser


class ContextPool:
    """Contexts of examples with their true latents: each serves several steps, as reading neighbours costs most."""

    def __init__(self, model: LatentInterpolator, given: Materials, size: int, follow: float) -> None:
        self.model, self.given, self.size, self.follow = model, given, size, follow
        self.entries: list[tuple[Context, Tensor]] = []

    def renew(self, count: int, rng: Generator) -> None:
        """Replace the ``count`` oldest entries; fills the pool on the first call."""
        self.given.training.renew(max(1, count // 4), rng)
        missing = max(count, self.size - len(self.entries))
        while missing > 0:
            examples = self.given.follow(self.given.training.draw(min(missing, 32), rng))
            self.entries += _apart(*read_contexts(self.model, examples, self.follow))
            missing -= 32
        self.entries = self.entries[-self.size :]

    def draw(self, batch: int, rng: Generator) -> tuple[Context, Tensor]:
        """``batch`` random entries as one."""
        chosen = [self.entries[int(i)] for i in torch.randint(len(self.entries), (batch,), generator=rng)]
        return joined([c for c, _ in chosen]), torch.cat([z for _, z in chosen])


def read_contexts(model: LatentInterpolator, examples: Examples, follow: float) -> tuple[Context, Tensor]:
    """What tau_theta1 says of examples whose motion is followed, and their true latents.

    :param follow: how much of interpolation along the motion is mixed in, as in sampling.
    """
    with torch.no_grad(), autocast(CPU):
        context = model.context(examples.neighbours).toward(examples.neighbours.along_motion, follow)
    features = [level.float() for level in context.features]
    return Context(context.mean.float(), features, context.reach), examples.latents


def _apart(context: Context, latents: Tensor) -> list[tuple[Context, Tensor]]:
    features = zip(*(level.bfloat16() for level in context.features), strict=True)
    parts = zip(context.mean, features, context.reach, latents, strict=True)
    return [(Context(m[None], [f[None] for f in fs], r[None]), z[None]) for m, fs, r, z in parts]


def joined(parts: Sequence[Context]) -> Context:
    """All contexts in one batch."""
    features = [torch.cat(level).float() for level in zip(*(p.features for p in parts), strict=True)]
    return Context(torch.cat([p.mean for p in parts]), features, torch.cat([p.reach for p in parts]))


@dataclass(frozen=True)
class Drawn:
    """Where on their way from start to ``latents`` (n, c, h, w) a batch of slices is, and what comes next.

    :param step: (n,) how far in time the next step goes; 0 where the velocity itself is asked for.
    :param conditioned: (n,) 1 where tau_theta2 speaks, 0 where the network knows the state only.
    """

    context: Context
    state: Tensor
    velocity: Tensor
    time: Tensor
    step: Tensor
    conditioned: Tensor

    def predict(self, model: LatentInterpolator, state: Tensor, time: Tensor, step: Tensor) -> Tensor:
        """What ``model`` says, (n, c, h, w), elsewhere on the way."""
        injected = [self.conditioned[:, None, None, None] * level for level in model.inject(self.context)]
        return model.velocity(state, time, step, self.context, injected).float()


def draw_states(
    model: LatentInterpolator, context: Context, latents: Tensor, step: Tensor, conditioned: Tensor, rng: Generator
) -> Drawn:
    """Random times that leave room for a ``step`` (n,), and the states there."""
    start = model.start(context, torch.randn(latents.shape, generator=rng))
    time = torch.rand(len(latents), generator=rng) * (1 - step)
    along = time[:, None, None, None]
    return Drawn(context, (1 - along) * start + along * latents, latents - start, time, step, conditioned)


def flow_loss(model: LatentInterpolator, average: LatentInterpolator, drawn: Drawn, weight: Tensor) -> Tensor:
    """(n,) squared error of the velocity, or of the mean velocity of a step as ``average`` takes it in two halves."""
    with torch.no_grad():
        half = drawn.step / 2
        far = half[:, None, None, None]
        first = drawn.predict(average, drawn.state, drawn.time, half)
        second = drawn.predict(average, drawn.state + far * first, drawn.time + half, half)
        target = torch.where(far > 0, (first + second) / 2, drawn.velocity)
    predicted = drawn.predict(model, drawn.state, drawn.time, drawn.step)
    return (weight * (predicted - target).square()).mean(dim=(1, 2, 3))


def draw_steps(count: int, share: float, rng: Generator) -> Tensor:
    """(count,) lengths of steps: the whole way for a ``share`` of them, any length for as many, 0 for the rest."""
    whole = round(share * count)
    step = torch.zeros(count)
    step[:whole] = 1.0
    step[whole : 2 * whole] = FINE + (1 - FINE) * torch.rand(whole, generator=rng)
    return step[torch.randperm(count, generator=rng)]


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train denoiser``."""
    parser = stage_parser("denoiser", __doc__)
    parser.add_argument("--context", type=Path, required=True, help="interpolator.safetensors of calid train context")
    parser.add_argument("--start", type=Path, help="interpolator.safetensors of an earlier run, to start from")
    args = parser.parse_args(argv)
    given = load_materials(args)
    config, vae = given.config, given.vae
    about = config["flow"]
    model = load_weights(LatentInterpolator(DenoiserConfig(**config["denoiser"])), args.context)
    pool = ContextPool(model, given, about["pool"], about["follow"])
    fixed = read_contexts(model, given.fixed_examples(), about["follow"])

    torch.manual_seed(config["seed"])
    flow = flow_of(model).requires_grad_(True)
    if args.start is not None:
        earlier = load_weights(LatentInterpolator(model.config), args.start)
        flow.load_state_dict(flow_of(earlier).state_dict())
    run = Run(args.out, channels_last(flow), about["steps"], about["rate"], about["average"])
    run.resume()
    average = with_flow(model, run.averaged)
    pool.renew(0, Generator().manual_seed(config["seed"] + run.step))
    weight = channel_weight(vae, pool.draw(16, Generator().manual_seed(0))[1])

    def losses(
        of: LatentInterpolator, batch: tuple[Context, Tensor], rng: Generator
    ) -> tuple[Tensor, dict[str, float]]:
        conditioned = (torch.arange(len(batch[1])) < about["conditioned"] * len(batch[1])).float()
        step = draw_steps(len(batch[1]), about["shortcuts"], rng)
        with autocast(CPU):
            error = flow_loss(of, average, draw_states(of, *batch, step, conditioned, rng), weight)
        parts = {"velocity": step == 0, "shortcut": step > 0}
        return error.mean(), {
            name: float(error.detach()[which].sum() / which.sum().clamp(min=1)) for name, which in parts.items()
        }

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        pool.renew(about["renew"], rng)
        return losses(model, pool.draw(about["batch"], rng), rng)

    def validate() -> dict[str, float]:
        with torch.no_grad():
            numbers = losses(average, fixed, Generator().manual_seed(0))[1]
        export(average, args.out / "interpolator.safetensors")
        return {f"val_{k}": round(v, 5) for k, v in numbers.items()}

    run.train(loss, validate, every=about["every"])
    return 0


def flow_of(model: LatentInterpolator) -> torch.nn.ModuleList:
    """All parts of the model that this stage trains."""
    return torch.nn.ModuleList([model.injection, model.embed, model.net, model.to_velocity])


def with_flow(model: LatentInterpolator, flow: Any) -> LatentInterpolator:
    """The model with other weights in all parts that this stage trains."""
    other = LatentInterpolator(model.config)
    other.encoder, other.deviation = model.encoder, model.deviation
    other.injection, other.embed, other.net, other.to_velocity = flow
    return other
