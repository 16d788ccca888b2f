"""Train the second part of stage 2: the U-Net and tau_theta2, with tau_theta1 frozen.

``calid train denoiser CONFIG --data DIR --vae FILE --motion FILE --context FILE --out DIR``

Rectified flow (Liu et al., ICLR 2023) from the mean of tau_theta1 to real slices. A part of each batch sees the
neighbours through tau_theta2, the rest does not, so that one network learns both ways to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from calid.conditioning import Context
from calid.denoiser import DenoiserConfig, LatentInterpolator
from calid.layers import channels_last
from calid.training.examples import Examples
from calid.training.loop import Run, export
from calid.training.losses import channel_weight
from calid.training.materials import Materials, load_materials, stage_parser
from calid.weights import load_weights


class ContextPool:
    """Contexts of examples with their true latents: each serves several steps, as reading neighbours costs most."""

    def __init__(self, model: LatentInterpolator, given: Materials, size: int) -> None:
        self.model, self.given, self.size = model, given, size
        self.entries: list[tuple[Context, Tensor]] = []

    def renew(self, count: int, rng: Generator) -> None:
        """Replace the ``count`` oldest entries; fills the pool on the first call."""
        self.given.training.renew(max(1, count // 4), rng)
        missing = max(count, self.size - len(self.entries))
        while missing > 0:
            examples = self.given.follow(self.given.training.draw(min(missing, 32), rng))
            self.entries += _apart(*read_contexts(self.model, examples))
            missing -= 32
        self.entries = self.entries[-self.size :]

    def draw(self, batch: int, rng: Generator) -> tuple[Context, Tensor]:
        """``batch`` random entries as one."""
        chosen = [self.entries[int(i)] for i in torch.randint(len(self.entries), (batch,), generator=rng)]
        return joined([c for c, _ in chosen]), torch.cat([z for _, z in chosen])


def read_contexts(model: LatentInterpolator, examples: Examples) -> tuple[Context, Tensor]:
    """What tau_theta1 says of examples whose motion is followed, and their true latents."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        context = model.context(examples.neighbours)
    features = [level.bfloat16() for level in context.features]
    return Context(context.mean.float(), features, context.reach), examples.latents


def _apart(context: Context, latents: Tensor) -> list[tuple[Context, Tensor]]:
    parts = zip(context.mean, zip(*context.features, strict=True), context.reach, latents, strict=True)
    return [(Context(m[None], [f[None] for f in fs], r[None]), z[None]) for m, fs, r, z in parts]


def joined(parts: Sequence[Context]) -> Context:
    """All contexts in one batch."""
    features = [torch.cat(level) for level in zip(*(p.features for p in parts), strict=True)]
    return Context(torch.cat([p.mean for p in parts]), features, torch.cat([p.reach for p in parts]))


def flow_loss(
    model: LatentInterpolator, context: Context, latents: Tensor, weight: Tensor, conditioned: Tensor, rng: Generator
) -> Tensor:
    """(n,) squared error of the velocity at a random time between start and ``latents`` (n, c, h, w).

    :param conditioned: (n,) 1 where tau_theta2 speaks, 0 where the network knows the state only.
    """
    start = model.start(context, torch.randn(latents.shape, generator=rng))
    time = torch.rand(len(latents), generator=rng)
    along = time[:, None, None, None]
    injected = [conditioned[:, None, None, None] * level for level in model.inject(context)]
    predicted = model.velocity((1 - along) * start + along * latents, time, context, injected)
    return (weight * (predicted.float() - (latents - start)).square()).mean(dim=(1, 2, 3))


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train denoiser``."""
    parser = stage_parser("denoiser", __doc__)
    parser.add_argument("--context", type=Path, required=True, help="interpolator.safetensors of calid train context")
    args = parser.parse_args(argv)
    given = load_materials(args)
    config, vae = given.config, given.vae
    about = config["flow"]
    model = load_weights(LatentInterpolator(DenoiserConfig(**config["denoiser"])), args.context)
    pool, fixed = ContextPool(model, given, about["pool"]), read_contexts(model, given.fixed_examples())

    torch.manual_seed(config["seed"])
    flow = torch.nn.ModuleList([model.injection, model.embed, model.net, model.to_velocity]).requires_grad_(True)
    run = Run(args.out, channels_last(flow), about["steps"], about["rate"], about["average"])
    run.resume()
    pool.renew(0, Generator().manual_seed(config["seed"] + run.step))
    weight = channel_weight(vae, pool.draw(16, Generator().manual_seed(0))[1])

    def losses(
        of: LatentInterpolator, batch: tuple[Context, Tensor], rng: Generator
    ) -> tuple[Tensor, dict[str, float]]:
        conditioned = (torch.arange(len(batch[1])) < about["conditioned"] * len(batch[1])).float()
        with torch.autocast("cpu", torch.bfloat16):
            error = flow_loss(of, *batch, weight, conditioned, rng)
        given, alone = (float((error.detach() * who).sum() / who.sum()) for who in (conditioned, 1 - conditioned))
        return error.mean(), {"conditioned": given, "unconditioned": alone}

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        pool.renew(about["renew"], rng)
        return losses(model, pool.draw(about["batch"], rng), rng)

    def validate() -> dict[str, float]:
        averaged = with_flow(model, run.averaged)
        with torch.no_grad():
            numbers = losses(averaged, fixed, Generator().manual_seed(0))[1]
        export(averaged, args.out / "interpolator.safetensors")
        return {f"val_{k}": round(v, 5) for k, v in numbers.items()}

    run.train(loss, validate, every=about["every"])
    return 0


def with_flow(model: LatentInterpolator, flow: Any) -> LatentInterpolator:
    """The model with other weights in all parts that this stage trains."""
    other = LatentInterpolator(model.config)
    other.encoder, other.deviation = model.encoder, model.deviation
    other.injection, other.embed, other.net, other.to_velocity = flow
    return other
