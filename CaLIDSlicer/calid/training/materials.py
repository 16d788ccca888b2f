"""What every part of stage 2 is trained with: a config, frozen networks, pools of training and validation patients."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from calid.model.motion import MotionConfig, MotionEstimator
from calid.model.vae import SliceAutoencoder, VaeConfig
from calid.model.weights import load_weights
from calid.reconstruction.device import CPU, autocast
from calid.training.augment import Augmentation
from calid.training.data import load_stacks
from calid.training.examples import Examples, LatentPool

VALIDATION_POOL, VALIDATION_EXAMPLES = 48, 96


@dataclass(frozen=True)
class Materials:
    """Stage 1 and the motion network, frozen, and views of training and of validation patients."""

    config: dict[str, Any]
    vae: SliceAutoencoder
    motion: MotionEstimator
    training: LatentPool
    validation: LatentPool

    def follow(self, examples: Examples) -> Examples:
        """The same examples, with the latents of the bounding slices along the motion."""
        near, bounding = examples.neighbours, examples.bounding
        with torch.no_grad(), autocast(CPU):
            field = self.motion.find(bounding, near.reach[:, 0])
            followed = self.motion.follow(self.vae, bounding, field, near.fraction)
        return replace(examples, neighbours=replace(examples.neighbours, followed=followed))

    def fixed_examples(self) -> Examples:
        """The validation examples, the same in every run; motion is followed."""
        self.validation.renew(0, Generator().manual_seed(0))
        return self.follow(self.validation.draw(VALIDATION_EXAMPLES, Generator().manual_seed(0)))


def stage_parser(part: str, description: str | None) -> argparse.ArgumentParser:
    """The command line that all parts of stage 2 have in common."""
    parser = argparse.ArgumentParser(prog=f"calid train {part}", description=description)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True, help="vae.safetensors of stage 1")
    parser.add_argument("--motion", type=Path, required=True, help="motion.safetensors of calid train motion")
    parser.add_argument("--out", type=Path, required=True)
    return parser


def load_materials(args: argparse.Namespace) -> Materials:
    """Everything that the command line names."""
    config, vae, motion = load_frozen(args)
    how, pixel = Augmentation(**config["augmentation"]), config["pixel"]
    training = LatentPool(load_stacks(args.data, "train", pixel), vae, how, config["pool"])
    validation = LatentPool(load_stacks(args.data, "validation", pixel, cine=False), vae, how, VALIDATION_POOL)
    return Materials(config, vae, motion, training, validation)


def load_frozen(args: argparse.Namespace) -> tuple[dict[str, Any], SliceAutoencoder, MotionEstimator]:
    """The config, stage 1 and the motion network that the command line names."""
    config = json.loads(args.config.read_text(encoding="utf-8"))
    vae = load_weights(SliceAutoencoder(VaeConfig(**config["vae"])), args.vae)
    return config, vae, load_weights(MotionEstimator(MotionConfig(**config["motion"])), args.motion)
