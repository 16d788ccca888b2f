"""What the trainings of the networks around a gap share: their command line, their data, their device."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from calid.errors import UnusableInput
from calid.model.gap import GapConfig, GapNet
from calid.model.weights import load_weights
from calid.reconstruction.device import choose_device
from calid.training.data import load_end_phases
from calid.training.hearts import LAYER_MM, load_hearts
from calid.training.material import Batch, Material, Mixture

JUDGED_POOL = 48  # bent hearts that validation draws from


def stage_parser(part: str, description: str | None) -> argparse.ArgumentParser:
    """The command line of a stage."""
    parser = argparse.ArgumentParser(prog=f"calid train {part}", description=description)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="ACDC, for hidden slices")
    parser.add_argument("--hearts", type=Path, required=True, help="dense hearts")
    parser.add_argument(
        "--hold-out", nargs="+", default=[], metavar="NAME", help="hearts to validate with; all others are trained on"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--out", type=Path, required=True, help="run folder; a run that was stopped goes on there")
    return parser


def divide(hearts: Mapping[str, Sequence[str]], held_out: Sequence[str]) -> dict[str, list[str]]:
    """Names of hearts to train on and to validate with.

    Without ``held_out`` those for the test stay out of sight and no heart validates. With it, those validate, and all
    others are trained on: the same recipe, judged on hearts that the test does not need.

    :raises UnusableInput: naming a heart that is held out but not in the config.
    """
    known = sorted([*hearts["train"], *hearts["test"]])
    if strange := [name for name in held_out if name not in known]:
        raise UnusableInput(f"there is no heart {', '.join(strange)} in the config", f"choose from {' '.join(known)}")
    if not held_out:
        return {"train": list(hearts["train"]), "validation": []}
    return {"train": [name for name in known if name not in held_out], "validation": list(held_out)}


@dataclass(frozen=True)
class Stage:
    """A command line, its config, and the device it runs on.

    :param section: of the config, that is about this stage.
    """

    args: argparse.Namespace
    config: dict[str, Any]
    section: str
    device: torch.device

    @classmethod
    def of(cls, args: argparse.Namespace, section: str) -> Stage:
        """Of a parsed command line."""
        device = choose_device(args.device)
        torch.backends.cudnn.benchmark = True  # batches are all of one size
        config = json.loads(args.config.read_text(encoding="utf-8"))
        torch.manual_seed(config["seed"])
        return cls(args, config, section, device)

    @property
    def about(self) -> dict[str, Any]:
        """The section."""
        section: dict[str, Any] = self.config[self.section]
        return section

    @property
    def mixture(self) -> Mixture:
        """What a batch of this stage holds."""
        return Mixture(dense=self.about["dense"], thick=self.about["thick"], **self.config["batches"])

    def material(self, step: int) -> Material:
        """To train with, for a run that goes on after ``step`` steps."""
        return self._material("train", self.mixture, self.config["seed"] + step)

    def judged(self, count: int | None = None) -> Batch:
        """The same gaps for each validation: ``count`` of each kind, or as many as are trained with.

        Of hidden slices alone where no heart is held out.
        """
        how = self.mixture
        how = replace(
            how, pool=min(how.pool, JUDGED_POOL), workers=0, dense=count or how.dense, thick=count or how.thick
        )
        if not self.args.hold_out:
            how = replace(how, dense=0)
        return self._material("validation", how, 0).draw()

    def frozen_gap(self) -> GapNet:
        """The network of a gap that the command line names."""
        return load_weights(GapNet(GapConfig.of(self.config["gap"])), self.args.gap, self.device)

    def _material(self, which: str, how: Mixture, seed: int) -> Material:
        patients, names = self.config["patients"][which], divide(self.config["hearts"], self.args.hold_out)[which]
        stacks = load_end_phases(self.args.data, patients, LAYER_MM)
        return Material(load_hearts(self.args.hearts, names), stacks, how, seed, self.device)
