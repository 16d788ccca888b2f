"""What every network around a gap is trained with: batches from dense hearts and from hidden slices of real stacks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from calid.model.gap import GapConfig, GapNeighbours, GapNet
from calid.model.weights import load_weights
from calid.training.data import TrainingStack, load_end_phases
from calid.training.hearts import LAYER_MM, Layers, bent, load_hearts
from calid.training.hidden import hidden
from calid.training.slabs import MARGIN, acquire

FINE_MM = 6.0  # stacks below this distance are the rarest, and nearest to the use that is made of the network


@dataclass
class Material:
    """Draws batches. Bent hearts are kept in a pool, of which ``renew`` are replaced before each batch.

    :param stacks: real ones; those with fine slices are drawn ``fine_weight`` times as often as the others.
    """

    hearts: Sequence[Tensor]
    stacks: Sequence[TrainingStack]
    crop: int
    size: int
    renew: float
    fine_weight: float
    rng: np.random.Generator
    pool: list[Layers] = field(default_factory=list)
    _made: int = 0
    _due: float = 0.0

    def dense(self, count: int) -> tuple[GapNeighbours, Tensor]:
        """The surroundings of ``count`` gaps, and the truth at the knots (count, 9, crop, crop)."""
        self._refresh()
        drawn = [acquire(self.pool[int(self.rng.integers(len(self.pool)))], self.crop, self.rng) for _ in range(count)]
        return joined([near for near, _ in drawn]), torch.stack([truth for _, truth in drawn])

    def thick(self, count: int) -> tuple[GapNeighbours, Tensor, Tensor]:
        """The surroundings of ``count`` hidden slices, weights (count, 1, 9), the slices (count, 1, crop, crop)."""
        share = np.array([self.fine_weight if s.gap < FINE_MM else 1.0 for s in self.stacks])
        chosen = self.rng.choice(len(self.stacks), count, p=share / share.sum())
        nears, weights, slices = zip(*(hidden(self.stacks[i], self.crop, self.rng) for i in chosen), strict=True)
        return joined(nears), torch.stack(weights), torch.stack(slices)

    def _refresh(self) -> None:
        self._due += self.renew if self.pool else self.size
        while self._due >= 1:
            made = bent(self.hearts[int(self.rng.integers(len(self.hearts)))], self.crop + 2 * MARGIN, self.rng)
            if len(self.pool) < self.size:
                self.pool.append(made)
            else:
                self.pool[self._made % self.size] = made
            self._made, self._due = self._made + 1, self._due - 1


def joined(parts: Sequence[GapNeighbours]) -> GapNeighbours:
    """Several surroundings as one."""
    names = ("slices", "present", "offset", "gap", "thickness")
    return GapNeighbours(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def load_material(data: Path, hearts: Path, config: Mapping[str, Any], which: str, seed: int) -> Material:
    """Hearts and patients of ``which``, ``"train"`` or ``"validation"``."""
    about, patients = config["gap_training"], config["patients"][which]
    stacks = [s for patient in patients for s in load_end_phases(data, patient, LAYER_MM)]
    dense = load_hearts(hearts, config["hearts"][which])
    how = (about["crop"], about["pool"], about["renew"], about["fine_weight"])
    return Material(dense, stacks, *how, np.random.default_rng(seed))


def stage_parser(part: str, description: str | None) -> argparse.ArgumentParser:
    """The command line of what is trained after the network of a gap."""
    parser = argparse.ArgumentParser(prog=f"calid train {part}", description=description)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="ACDC, for hidden slices")
    parser.add_argument("--hearts", type=Path, required=True, help="dense hearts")
    parser.add_argument("--gap", type=Path, required=True, help="gap.safetensors of calid train gap")
    parser.add_argument("--out", type=Path, required=True)
    return parser


def frozen_gap(args: argparse.Namespace) -> tuple[dict[str, Any], GapNet]:
    """The config and the network of a gap that the command line names."""
    config = json.loads(args.config.read_text(encoding="utf-8"))
    return config, load_weights(GapNet(GapConfig.of(config["gap"])), args.gap)
