"""Train the first part of stage 2: tau_theta1 and its mean.

``calid train context CONFIG --data DIR --vae FILE --motion FILE --out DIR [--start FILE]``

The mean is trained where it counts, on decoded slices: what is best in latents is blurred in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Generator, Tensor

from calid.model.conditioning import Context
from calid.model.denoiser import DenoiserConfig, LatentInterpolator
from calid.model.layers import channels_last
from calid.model.vae import SliceAutoencoder
from calid.reconstruction.device import CPU, autocast
from calid.training.examples import Examples
from calid.training.loop import Run, export
from calid.training.losses import channel_weight, dissimilarity
from calid.training.materials import load_materials, stage_parser


def latent_loss(context: Context, examples: Examples, weight: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Squared error of the mean; linear interpolation of latents is logged beside it."""
    loss = (weight * (examples.latents - context.mean).square()).mean()
    linear = (weight * (examples.latents - examples.neighbours.linear).square()).mean()
    return loss, {"latent": float(loss.detach()), "latent_linear": float(linear)}


def decoded_loss(
    vae: SliceAutoencoder, mean: Tensor, slices: Tensor, similarity_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """Squared error and dissimilarity of the decoded ``mean`` (n, c, h, w) to true slices (n, 1, rows, columns)."""
    decoded = vae.decode(mean).float()
    pixel, dissimilar = (decoded - slices).square().mean(), dissimilarity(decoded, slices)
    numbers = {"pixel": float(pixel.detach()), "dissimilar": float(dissimilar.detach())}
    return pixel + similarity_weight * dissimilar, numbers


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train context``."""
    parser = stage_parser("context", __doc__)
    parser.add_argument("--start", type=Path, help="interpolator.safetensors of an earlier run, to start from")
    args = parser.parse_args(argv)
    given = load_materials(args)
    config, vae, pool, fixed = given.config, given.vae, given.training, given.fixed_examples()
    about = config["context"]

    torch.manual_seed(config["seed"])
    model = channels_last(LatentInterpolator(DenoiserConfig(**config["denoiser"])))
    if args.start is not None:
        start_from(model.encoder, args.start)
    run = Run(args.out, model.encoder, about["steps"], about["rate"], about["average"])
    run.resume()
    pool.renew(0, Generator().manual_seed(config["seed"] + run.step))
    weight = channel_weight(vae, pool.draw(16, Generator().manual_seed(0)).latents)

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        pool.renew(about["renew"], rng)
        examples, decoded = given.follow(pool.draw(about["batch"], rng)), about["decoded"]
        with autocast(CPU):
            context = model.context(examples.neighbours, symmetric=step >= about["symmetric_from"])
            value, numbers = latent_loss(context, examples, weight)
            more, shown = decoded_loss(
                vae, context.mean[:decoded], examples.slices[:decoded], about["similarity_weight"]
            )
        return value + about["pixel_weight"] * more, numbers | shown

    def validate() -> dict[str, float]:
        averaged = LatentInterpolator(model.config)
        averaged.encoder = run.averaged
        with torch.no_grad(), autocast(CPU):
            context = averaged.context(fixed.neighbours)
            numbers = latent_loss(context, fixed, weight)[1]
            numbers |= decoded_loss(vae, context.mean, fixed.slices, about["similarity_weight"])[1]
        export(averaged, args.out / "interpolator.safetensors")
        return {f"val_{k}": round(v, 5) for k, v in numbers.items()}

    run.train(loss, validate, every=about["every"])
    return 0


def start_from(encoder: torch.nn.Module, path: Path) -> None:
    """Take what fits of the context encoder's weights from an earlier interpolator, which may have read fewer slices.

    What it did not read starts with no effect, and the motion is trusted half.
    """
    state = {name: tensor.float() for name, tensor in load_file(path).items() if name.startswith("encoder.")}
    state = {name.removeprefix("encoder."): tensor for name, tensor in state.items()}
    entrance = torch.zeros_like(encoder.state_dict()["net.enter.weight"])
    entrance[:, : state["net.enter.weight"].shape[1]] = state["net.enter.weight"]
    new = ("to_trust", "to_rest")
    heads = {k: torch.zeros_like(v) for k, v in encoder.state_dict().items() if k.startswith(new)}
    encoder.load_state_dict(heads | state | {"net.enter.weight": entrance})
