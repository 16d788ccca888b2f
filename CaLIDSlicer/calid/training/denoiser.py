"""Train stage 2: ``calid train denoiser CONFIG … --gap FILE --vae FILE --out DIR [--start FILE]``.

Rectified flow (Liu et al., ICLR 2023) in the latent space, from the mean that the network of a gap proposes to real
slices. A part of each batch learns the velocity itself, the rest what a step of any length comes to: the same as two
steps of half the length, as the moving average of the network takes them (Frans et al., ICLR 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from calid.model.denoiser import FINE, DenoiserConfig, LatentDenoiser, reach_of
from calid.model.gap import GapNet
from calid.model.knots import KNOTS
from calid.model.layers import channels_last
from calid.model.vae import SliceAutoencoder, VaeConfig
from calid.model.weights import load_weights
from calid.reconstruction.device import autocast
from calid.training.loop import Recipe, Run, export
from calid.training.losses import channel_weight
from calid.training.material import Batch, predict
from calid.training.stage import Stage, stage_parser


@dataclass(frozen=True)
class Pairs:
    """Means and the slices they stand for, as latents (n, c, h, w).

    :param reach: (n, 2) see :func:`~calid.model.denoiser.reach_of`.
    """

    mean: Tensor
    latents: Tensor
    reach: Tensor


def make_pairs(net: GapNet, vae: SliceAutoencoder, batch: Batch, rng: Generator) -> Pairs:
    """A thin slice at one inner knot, drawn, of each dense gap, and the hidden slices of real stacks."""
    means, wanted, gaps, fractions = [], [], [], []
    with torch.no_grad():
        for kind, knots in predict(net, batch).items():
            known = batch[kind]
            mean, fraction = known.of(knots), torch.full((len(knots),), 0.5)
            pick = torch.zeros(len(knots), dtype=torch.long)
            if kind == "dense":
                pick = torch.randint(1, KNOTS - 1, (len(knots),), generator=rng)
                fraction = pick / (KNOTS - 1)
            row = torch.arange(len(knots))
            means.append(mean[row, pick][:, None])
            wanted.append(known.slices[row, pick][:, None])
            gaps.append(known.near.gap)
            fractions.append(fraction.to(known.near.gap.device))
        with autocast(means[0].device):
            latents = vae.encode(torch.cat([*means, *wanted])).float()
    mean, truth = latents.chunk(2)
    return Pairs(mean, truth, reach_of(torch.cat(gaps), torch.cat(fractions)))


def flow_loss(
    model: LatentDenoiser, average: LatentDenoiser, pairs: Pairs, step: Tensor, weight: Tensor, rng: Generator
) -> Tensor:
    """(n,) squared error of the velocity, or of the mean velocity of a step as ``average`` takes it in two halves.

    :param step: (n,) how far in time the next step goes; 0 where the velocity itself is asked for.
    """
    start = model.start(pairs.mean, torch.randn(pairs.mean.shape, generator=rng).to(pairs.mean.device))
    time = torch.rand(len(start), generator=rng).to(step.device) * (1 - step)
    along = time[:, None, None, None]
    state, reach = (1 - along) * start + along * pairs.latents, pairs.reach
    with torch.no_grad():
        half = step / 2
        far = half[:, None, None, None]
        first = average.velocity(state, time, half, reach).float()
        second = average.velocity(state + far * first, time + half, half, reach).float()
        target = torch.where(far > 0, (first + second) / 2, pairs.latents - start)
    predicted = model.velocity(state, time, step, reach).float()
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
    parser.add_argument("--gap", type=Path, required=True, help="gap.safetensors of calid train deviation")
    parser.add_argument("--vae", type=Path, required=True, help="vae.safetensors of stage 1")
    parser.add_argument("--start", type=Path, help="denoiser.safetensors of an earlier run, to start from")
    args = parser.parse_args(argv)
    stage = Stage.of(args, "flow")
    config, about, net = stage.config, stage.about, stage.frozen_gap()
    vae = load_weights(SliceAutoencoder(VaeConfig(**config["vae"])), args.vae, stage.device)
    model = LatentDenoiser(DenoiserConfig(**config["denoiser"]))
    if args.start is not None:
        model.load_state_dict(load_weights(LatentDenoiser(model.config), args.start).state_dict())
    run = Run(args.out, channels_last(model.to(stage.device)), Recipe.of(about))
    run.resume()
    fixed = make_pairs(net, vae, stage.judged(), Generator().manual_seed(0))
    material, weight = stage.material(run.step), channel_weight(vae, fixed.latents)

    def errors(of: LatentDenoiser, pairs: Pairs, rng: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        step = draw_steps(len(pairs.mean), about["shortcuts"], rng).to(stage.device)
        with autocast(stage.device):
            error = flow_loss(of, run.averaged, pairs, step, weight, rng)
        parts = {"velocity": step == 0, "shortcut": step > 0}
        return error.mean(), {
            name: (error.detach() * which).sum() / which.sum().clamp(min=1) for name, which in parts.items()
        }

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        return errors(run.net, make_pairs(net, vae, material.draw(), rng), rng)

    def validate() -> dict[str, float]:
        export(run.averaged, args.out / "denoiser.safetensors")
        with torch.no_grad():
            _, numbers = errors(run.averaged, fixed, Generator().manual_seed(0))
        return {f"val_{name}": round(float(value), 5) for name, value in numbers.items()}

    run.train(loss, validate, every=about["every"])
    return 0
