"""Train the last part of stage 2: how far from the mean a real slice may be, with everything else frozen.

``calid train deviation CONFIG --data DIR --vae FILE --motion FILE --interpolator FILE --out DIR``

Learns from the errors of the decoded mean on training slices, by the likelihood of a Laplace distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor

from calid.model.conditioning import Context, Neighbours
from calid.model.denoiser import DenoiserConfig, LatentInterpolator
from calid.model.layers import channels_last
from calid.model.vae import SliceAutoencoder
from calid.model.weights import load_weights
from calid.reconstruction.device import CPU, autocast
from calid.training.examples import Examples
from calid.training.loop import Run, export
from calid.training.materials import load_materials, stage_parser

Errors = tuple[Context, Neighbours, Tensor]
"""What the deviation is told, and the absolute error of the decoded mean (n, 1, rows, columns) in network units."""


def find_errors(model: LatentInterpolator, vae: SliceAutoencoder, examples: Examples, follow: float) -> Errors:
    """The errors that the mean makes on examples whose motion is followed.

    :param follow: how much of interpolation along the motion is mixed in, as in sampling.
    """
    near = examples.neighbours
    with torch.no_grad(), autocast(CPU):
        context = model.context(near)
        mean = context.toward(near.along_motion, follow).mean
        error = (vae.decode(mean).float() - examples.slices).abs()
    return context, near, error


def likelihood_loss(model: LatentInterpolator, errors: Errors) -> Tensor:
    """Negative log likelihood of absolute errors under a Laplace distribution, up to a constant."""
    context, neighbours, error = errors
    log_scale = model.deviation(context, neighbours)
    return (error * torch.exp(-log_scale) + log_scale).mean()


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train deviation``."""
    parser = stage_parser("deviation", __doc__)
    parser.add_argument("--interpolator", type=Path, required=True, help="of calid train denoiser")
    args = parser.parse_args(argv)
    given = load_materials(args)
    config, vae, pool = given.config, given.vae, given.training
    about, follow = config["deviation"], config["flow"]["follow"]
    model = load_weights(LatentInterpolator(DenoiserConfig(**config["denoiser"])), args.interpolator)
    fixed = find_errors(model, vae, given.fixed_examples(), follow)

    torch.manual_seed(config["seed"])
    model.deviation.requires_grad_(True)
    run = Run(args.out, channels_last(model.deviation), about["steps"], about["rate"], about["average"])
    run.resume()
    pool.renew(0, Generator().manual_seed(config["seed"] + run.step))

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        pool.renew(about["renew"], rng)
        errors = find_errors(model, vae, given.follow(pool.draw(about["batch"], rng)), follow)
        with autocast(CPU):
            value = likelihood_loss(model, errors)
        return value, {"likelihood": float(value.detach())}

    def validate() -> dict[str, float]:
        averaged = LatentInterpolator(model.config)
        trained = {f"deviation.{name}": tensor for name, tensor in run.averaged.state_dict().items()}
        averaged.load_state_dict(model.state_dict() | trained)
        with torch.no_grad(), autocast(CPU):
            value = likelihood_loss(averaged, fixed)
        export(averaged, args.out / "interpolator.safetensors")
        return {"val_likelihood": round(float(value), 5)}

    run.train(loss, validate, every=about["every"])
    return 0
