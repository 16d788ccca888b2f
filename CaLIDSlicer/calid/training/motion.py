"""Train the motion network: ``calid train motion CONFIG --data DIR --out DIR [--start FILE]``.

Each of the two warped neighbours, and their blend, has to look like the slice between them. No displacement is ever
given: the slices are the only supervision.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor

from calid.model.layers import channels_last
from calid.model.motion import MotionConfig, MotionEstimator, see
from calid.model.weights import load_weights
from calid.reconstruction.device import CPU, autocast
from calid.training.augment import Augmentation
from calid.training.data import load_stacks
from calid.training.examples import Examples, LatentPool
from calid.training.loop import Run, export
from calid.training.losses import dissimilarity


def motion_loss(model: MotionEstimator, examples: Examples, about: dict[str, float]) -> tuple[Tensor, dict[str, float]]:
    """Error and dissimilarity of the warped neighbours to the true slices, and roughness of the displacement."""
    neighbours, truth = examples.neighbours, examples.slices
    field = model(examples.bounding, neighbours.reach[:, 0])
    seen = see(examples.bounding, field, neighbours.fraction)
    blend, linear = (neighbours.blend(pair[:, :, None]) for pair in (seen, examples.bounding))
    numbers = {
        "blend": (blend - truth).square().mean(),
        "each": (seen - truth).square().mean(),
        "dissimilar": dissimilarity(blend, truth),
        "rough": sum(field.diff(dim=axis).square().mean() for axis in (-1, -2)),
        "linear": (linear - truth).square().mean(),
        "linear_dissimilar": dissimilarity(linear, truth),
    }
    loss = sum(about[f"{part}_weight"] * numbers[part] for part in ("blend", "each", "dissimilar", "rough"))
    return loss, {name: float(value.detach()) for name, value in numbers.items()}


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train motion``."""
    parser = argparse.ArgumentParser(prog="calid train motion", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="motion.safetensors of an earlier run, to start from")
    args = parser.parse_args(argv)
    config = json.loads(args.config.read_text(encoding="utf-8"))
    about, how = config["motion_training"], Augmentation(**config["augmentation"])
    pool = LatentPool(load_stacks(args.data, "train", config["pixel"]), None, how, config["pool"])
    validation = LatentPool(load_stacks(args.data, "validation", config["pixel"], cine=False), None, how, 48)
    validation.renew(0, Generator().manual_seed(0))
    fixed = validation.draw(96, Generator().manual_seed(0))

    torch.manual_seed(config["seed"])
    model = channels_last(MotionEstimator(MotionConfig(**config["motion"])))
    if args.start is not None:
        load_weights(model, args.start).requires_grad_(True)
    run = Run(args.out, model, about["steps"], about["rate"], about["average"])
    run.resume()
    pool.renew(0, Generator().manual_seed(config["seed"] + run.step))

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        pool.renew(about["renew"], rng)
        with autocast(CPU):
            return motion_loss(model, pool.draw(about["batch"], rng), about)

    def validate() -> dict[str, float]:
        with torch.no_grad(), autocast(CPU):
            numbers = motion_loss(run.averaged, fixed, about)[1]
        export(run.averaged, args.out / "motion.safetensors")
        return {f"val_{k}": round(v, 5) for k, v in numbers.items()}

    run.train(loss, validate, every=about["every"])
    return 0
