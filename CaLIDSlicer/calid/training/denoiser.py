"""Train stage 2: ``calid train denoiser CONFIG … --gap FILE --vae FILE --out DIR [--start FILE]``.

Rectified flow (Liu et al., ICLR 2023) in the latent space, from the mean that the network of a gap proposes to real
slices. A part of each batch learns the velocity itself, the rest what a step of any length comes to: the same as two
steps of half the length, as the moving average of the network takes them (Frans et al., ICLR 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from calid.model.denoiser import FINE, DenoiserConfig, LatentDenoiser, reach_of
from calid.model.gap import GapNet
from calid.model.knots import KNOTS
from calid.model.layers import channels_last
from calid.model.vae import SliceAutoencoder, VaeConfig
from calid.model.weights import load_weights
from calid.reconstruction.device import CPU, autocast
from calid.training.loop import Run, export
from calid.training.losses import channel_weight
from calid.training.material import Material, frozen_gap, load_material, stage_parser


@dataclass(frozen=True)
class Pairs:
    """Means and the slices they stand for, as latents (n, c, h, w).

    :param reach: (n, 2) see :func:`~calid.model.denoiser.reach_of`.
    """

    mean: Tensor
    latents: Tensor
    reach: Tensor


def draw_pairs(net: GapNet, vae: SliceAutoencoder, material: Material, dense: int, thick: int) -> Pairs:
    """A thin slice at one knot of each of ``dense`` gaps of hearts, and ``thick`` hidden slices of real stacks."""
    near, truth = material.dense(dense)
    real, weights, slices = material.thick(thick)
    knot = torch.from_numpy(material.rng.integers(1, KNOTS - 1, dense).astype(np.int64))
    with torch.no_grad(), autocast(CPU):
        thin, slab = (one.linear + net.beyond_linear(one).float() for one in (near, real))
        mean = torch.cat([thin[torch.arange(dense), knot][:, None], torch.einsum("ntk,nkhw->nthw", weights, slab)])
        wanted = torch.cat([truth[torch.arange(dense), knot][:, None], slices])
        latents = vae.encode(torch.cat([mean, wanted])).float()
    fraction = torch.cat([knot / (KNOTS - 1), torch.full((thick,), 0.5)])
    mean, wanted = latents.chunk(2)
    return Pairs(mean, wanted, reach_of(torch.cat([near.gap, real.gap]), fraction))


def flow_loss(
    model: LatentDenoiser, average: LatentDenoiser, pairs: Pairs, step: Tensor, weight: Tensor, rng: Generator
) -> Tensor:
    """(n,) squared error of the velocity, or of the mean velocity of a step as ``average`` takes it in two halves.

    :param step: (n,) how far in time the next step goes; 0 where the velocity itself is asked for.
    """
    start = model.start(pairs.mean, torch.randn(pairs.mean.shape, generator=rng))
    time = torch.rand(len(start), generator=rng) * (1 - step)
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
    parser.add_argument("--vae", type=Path, required=True, help="vae.safetensors of stage 1")
    parser.add_argument("--start", type=Path, help="denoiser.safetensors of an earlier run, to start from")
    args = parser.parse_args(argv)
    config, net = frozen_gap(args)
    vae = load_weights(SliceAutoencoder(VaeConfig(**config["vae"])), args.vae)
    about, counts = config["flow"], (config["flow"]["dense"], config["flow"]["thick"])
    torch.manual_seed(config["seed"])
    model = LatentDenoiser(DenoiserConfig(**config["denoiser"]))
    if args.start is not None:
        model.load_state_dict(load_weights(LatentDenoiser(model.config), args.start).state_dict())
    run = Run(args.out, channels_last(model), about["steps"], about["rate"], about["average"])
    run.resume()
    material = load_material(args.data, args.hearts, config, "train", config["seed"] + run.step)
    fixed = draw_pairs(net, vae, load_material(args.data, args.hearts, config, "validation", 0), *counts)
    weight = channel_weight(vae, fixed.latents)

    def errors(of: LatentDenoiser, pairs: Pairs, rng: Generator) -> tuple[Tensor, dict[str, float]]:
        step = draw_steps(len(pairs.mean), about["shortcuts"], rng)
        with autocast(CPU):
            error = flow_loss(of, run.averaged, pairs, step, weight, rng)
        parts = {"velocity": step == 0, "shortcut": step > 0}
        return error.mean(), {
            name: float(error.detach()[which].sum() / which.sum().clamp(min=1)) for name, which in parts.items()
        }

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        return errors(run.net, draw_pairs(net, vae, material, *counts), rng)

    def validate() -> dict[str, float]:
        export(run.averaged, args.out / "denoiser.safetensors")
        with torch.no_grad():
            _, numbers = errors(run.averaged, fixed, Generator().manual_seed(0))
        return {f"val_{name}": round(value, 5) for name, value in numbers.items()}

    run.train(loss, validate, every=about["every"])
    return 0
