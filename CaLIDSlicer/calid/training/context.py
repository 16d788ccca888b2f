"""Train the first part of stage 2: tau_theta1 and its mean.

``calid train context CONFIG --data DIR --vae FILE --motion FILE --out DIR [--start FILE]``

The mean is trained where it counts, on decoded slices: what is best in latents is blurred in pixels.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor

from calid.conditioning import Context
from calid.denoiser import DenoiserConfig, LatentInterpolator
from calid.layers import channels_last
from calid.motion import MotionConfig, MotionEstimator
from calid.training.augment import Augmentation
from calid.training.data import load_stacks
from calid.training.examples import Examples, LatentPool
from calid.training.loop import Run
from calid.training.losses import channel_weight, dissimilarity
from calid.vae import SliceAutoencoder, VaeConfig
from calid.weights import load_weights


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
    parser = argparse.ArgumentParser(prog="calid train context", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True, help="vae.safetensors of stage 1")
    parser.add_argument("--motion", type=Path, required=True, help="motion.safetensors of calid train motion")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="interpolator.safetensors of an earlier run, to start from")
    args = parser.parse_args(argv)
    config = json.loads(args.config.read_text(encoding="utf-8"))
    about = config["context"]
    vae, motion = load_vae(config, args.vae), load_motion(config, args.motion)
    how = Augmentation(**config["augmentation"])
    pool = LatentPool(load_stacks(args.data, "train", config["pixel"]), vae, how, about["pool"])
    validation = LatentPool(load_stacks(args.data, "validation", config["pixel"], cine=False), vae, how, 48)
    validation.renew(0, Generator().manual_seed(0))
    fixed = follow_motion(motion, vae, validation.draw(96, Generator().manual_seed(0)))

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
        examples, decoded = follow_motion(motion, vae, pool.draw(about["batch"], rng)), about["decoded"]
        with torch.autocast("cpu", torch.bfloat16):
            context = model.context(examples.neighbours, symmetric=step >= about["symmetric_from"])
            value, numbers = latent_loss(context, examples, weight)
            more, shown = decoded_loss(
                vae, context.mean[:decoded], examples.slices[:decoded], about["similarity_weight"]
            )
        return value + about["pixel_weight"] * more, numbers | shown

    def validate() -> dict[str, float]:
        averaged = LatentInterpolator(model.config)
        averaged.encoder = run.averaged
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            context = averaged.context(fixed.neighbours)
            numbers = latent_loss(context, fixed, weight)[1]
            numbers |= decoded_loss(vae, context.mean, fixed.slices, about["similarity_weight"])[1]
        export(averaged, args.out / "interpolator.safetensors")
        return {f"val_{k}": round(v, 5) for k, v in numbers.items()}

    run.train(loss, validate, every=about["every"])
    return 0


def load_vae(config: dict, path: Path) -> SliceAutoencoder:
    """Stage 1, frozen."""
    return load_weights(SliceAutoencoder(VaeConfig(**config["vae"])), path)


def load_motion(config: dict, path: Path) -> MotionEstimator:
    """The motion network, frozen."""
    return load_weights(MotionEstimator(MotionConfig(**config["motion"])), path)


def follow_motion(motion: MotionEstimator, vae: SliceAutoencoder, examples: Examples) -> Examples:
    """The same examples, with the latents of the bounding slices along the motion."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        followed = motion.follow(vae, examples.bounding, examples.neighbours)
    return replace(examples, neighbours=replace(examples.neighbours, followed=followed))


def start_from(encoder: torch.nn.Module, path: Path) -> None:
    """Take what fits of the context encoder's weights from an earlier interpolator, which may have read fewer slices.

    What it did not read starts with no effect, and the motion is trusted half.
    """
    state = {name: tensor.float() for name, tensor in load_file(path).items() if name.startswith("encoder.")}
    state = {name.removeprefix("encoder."): tensor for name, tensor in state.items()}
    entrance = torch.zeros_like(encoder.state_dict()["net.enter.weight"])
    entrance[:, : state["net.enter.weight"].shape[1]] = state["net.enter.weight"]
    trust = {name: torch.zeros_like(tensor) for name, tensor in encoder.state_dict().items() if "to_trust" in name}
    encoder.load_state_dict(trust | state | {"net.enter.weight": entrance})


def export(model: torch.nn.Module, path: Path) -> None:
    """Write fp16 weights; every validation leaves a set that can be evaluated."""
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, path)
