"""Train the last part of stage 2: how far from the mean a real slice may be, with everything else frozen.

``calid train deviation CONFIG --data DIR --vae FILE --motion FILE --interpolator FILE --out DIR``

Learns from the errors of the decoded mean on training slices, by the likelihood of a Laplace distribution.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor

from calid.conditioning import Context, Neighbours
from calid.denoiser import DenoiserConfig, LatentInterpolator
from calid.layers import channels_last
from calid.motion import MotionEstimator
from calid.training.augment import Augmentation
from calid.training.context import export, follow_motion, load_motion, load_vae
from calid.training.data import load_stacks
from calid.training.examples import Examples, LatentPool
from calid.training.loop import Run
from calid.vae import SliceAutoencoder
from calid.weights import load_weights

Errors = tuple[Context, Neighbours, Tensor]
"""What the deviation is told, and the absolute error of the decoded mean (n, 1, rows, columns) in network units."""


def find_errors(
    model: LatentInterpolator, motion: MotionEstimator, vae: SliceAutoencoder, examples: Examples
) -> Errors:
    """The errors that the mean makes."""
    examples = follow_motion(motion, vae, examples)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        context = model.context(examples.neighbours)
        error = (vae.decode(context.mean).float() - examples.slices).abs()
    return context, examples.neighbours, error


def likelihood_loss(model: LatentInterpolator, errors: Errors) -> Tensor:
    """Negative log likelihood of absolute errors under a Laplace distribution, up to a constant."""
    context, neighbours, error = errors
    log_scale = model.deviation(context, neighbours)
    return (error * torch.exp(-log_scale) + log_scale).mean()


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train deviation``."""
    parser = argparse.ArgumentParser(prog="calid train deviation", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True, help="vae.safetensors of stage 1")
    parser.add_argument("--motion", type=Path, required=True, help="motion.safetensors of calid train motion")
    parser.add_argument("--interpolator", type=Path, required=True, help="of calid train denoiser")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    config = json.loads(args.config.read_text(encoding="utf-8"))
    about = config["deviation"]
    how, vae = Augmentation(**config["augmentation"]), load_vae(config, args.vae)
    motion = load_motion(config, args.motion)
    model = load_weights(LatentInterpolator(DenoiserConfig(**config["denoiser"])), args.interpolator)
    pool = LatentPool(load_stacks(args.data, "train", config["pixel"]), vae, how, about["pool"])
    held_out = LatentPool(load_stacks(args.data, "validation", config["pixel"], cine=False), vae, how, 48)
    held_out.renew(0, Generator().manual_seed(0))
    fixed = find_errors(model, motion, vae, held_out.draw(96, Generator().manual_seed(0)))

    torch.manual_seed(config["seed"])
    model.deviation.requires_grad_(True)
    run = Run(args.out, channels_last(model.deviation), about["steps"], about["rate"], about["average"])
    run.resume()
    pool.renew(0, Generator().manual_seed(config["seed"] + run.step))

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        pool.renew(about["renew"], rng)
        errors = find_errors(model, motion, vae, pool.draw(about["batch"], rng))
        with torch.autocast("cpu", torch.bfloat16):
            value = likelihood_loss(model, errors)
        return value, {"likelihood": float(value.detach())}

    def validate() -> dict[str, float]:
        averaged = LatentInterpolator(model.config)
        trained = {f"deviation.{name}": tensor for name, tensor in run.averaged.state_dict().items()}
        averaged.load_state_dict(model.state_dict() | trained)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            value = likelihood_loss(averaged, fixed)
        export(averaged, args.out / "interpolator.safetensors")
        return {"val_likelihood": round(float(value), 5)}

    run.train(loss, validate, every=about["every"])
    return 0
