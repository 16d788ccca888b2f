"""What the trainings of the learned baselines share: the data and the augmentation of the main model, in pixel space.

Patients, views, draws of neighbours and targets are those of :mod:`calid.training.examples`; only the autoencoder is
replaced by :class:`calid.baselines.pixel_models.PixelSpace`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from calid.baselines.conditioning import Neighbours
from calid.baselines.learned import save_baseline
from calid.baselines.pixel_models import KINDS, PixelModelConfig, PixelSpace
from calid.model.layers import channels_last
from calid.reconstruction.device import CPU, autocast
from calid.training.augment import Augmentation
from calid.training.data import TrainingStack, load_stacks
from calid.training.examples import Examples, LatentPool
from calid.training.loop import Recipe, Run

Loss = Callable[[Any, Neighbours, Tensor, bool, Generator], tuple[Tensor, dict[str, float]]]
"""(network, neighbours, truth (n, c, h, w), read in both directions?, random numbers) to a loss and numbers to log."""

VALIDATION_POOL, VALIDATION_BATCHES, VALIDATION_BATCH = 48, 8, 16


def train_command(kind: str, loss: Loss, argv: Sequence[str]) -> int:
    """Entry of ``calid train unet`` and ``calid train pixel-diffusion``."""
    parser = argparse.ArgumentParser(prog=f"calid train {kind}")
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help=f"run folder; {kind}.safetensors is left there")
    args = parser.parse_args(argv)
    config = json.loads(args.config.read_text(encoding="utf-8"))
    pixel = config["architecture"]["pixel"]
    stacks = load_stacks(args.data, "train", pixel)
    train(kind, loss, config, stacks, load_stacks(args.data, "validation", pixel, cine=False), args.out)
    return 0


def train(
    kind: str,
    loss_of: Loss,
    config: dict[str, Any],
    stacks: Sequence[TrainingStack],
    validation: Sequence[TrainingStack],
    out: Path,
) -> None:
    """Train a baseline to its last step, or go on where a killed run was; every validation exports the weights."""
    architecture = PixelModelConfig(**config["architecture"])
    how, space = Augmentation(**config["augmentation"]), PixelSpace(architecture.factor)
    torch.manual_seed(config["seed"])
    run = Run(out, channels_last(KINDS[kind](architecture)), Recipe.of(config))
    run.resume()
    pool = LatentPool(stacks, space, how, config["pool"])
    pool.renew(0, Generator().manual_seed(config["seed"] + run.step))
    examples = _validation_examples(LatentPool(validation, space, how, VALIDATION_POOL))

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        pool.renew(config["renew"], rng)
        examples = pool.draw(config["batch"], rng)
        with autocast(CPU):
            return loss_of(run.net, examples.neighbours, examples.latents, step >= config["symmetric_from"], rng)

    def validate() -> dict[str, float]:
        save_baseline(run.averaged, kind, out / f"{kind}.safetensors")
        return _validate(loss_of, run.averaged, examples)

    run.train(loss, validate, every=config["every"])


def _validation_examples(pool: LatentPool) -> list[Examples]:
    """The same examples at every validation of every run."""
    rng = Generator().manual_seed(0)
    pool.renew(0, rng)
    return [pool.draw(VALIDATION_BATCH, rng) for _ in range(VALIDATION_BATCHES)]


def _validate(loss_of: Loss, net: Any, examples: Sequence[Examples]) -> dict[str, float]:
    """Means over the validation examples, and the error of linear interpolation beside them."""
    sums: dict[str, float] = {}
    for number, part in enumerate(examples):
        with torch.no_grad(), autocast(CPU):
            _, numbers = loss_of(net, part.neighbours, part.latents, True, Generator().manual_seed(number))
        numbers["linear"] = float((part.neighbours.linear - part.latents).square().mean())
        sums = {key: sums.get(key, 0.0) + value for key, value in numbers.items()}
    return {f"val_{key}": round(value / len(examples), 5) for key, value in sums.items()}
