"""Train the segmentation network: ``calid train segmentation CONFIG --data DIR --out DIR``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Generator, Tensor

from calid.cohorts.acdc import label_maps, split_patients
from calid.errors import WeightsError
from calid.files.reading import read_stack
from calid.model.layers import channels_last
from calid.reconstruction.device import CPU, autocast
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.segmentation.context import NOTHING, with_context
from calid.segmentation.network import CLASSES, SegmentationConfig, SegmentationNet
from calid.training.augment import Augmentation, change_contrast, crop_stack, degrade
from calid.training.loop import Recipe, Run, export


@dataclass(frozen=True, eq=False)
class LabelledStack:
    """One phase of one patient on the model grid, float16.

    :param slices: (k, rows, columns) in network units.
    :param labels: (k, classes - 1, rows, columns), the share of each pixel that belongs to each part of the heart.
    :param positions: (k,) mm along the slice axis.
    :param centre: the heart's (row, column).
    """

    slices: np.ndarray
    labels: np.ndarray
    positions: np.ndarray
    centre: tuple[float, float]


def load_labelled(data: Path, split: str, pixel: float, multiple: int = 1) -> list[LabelledStack]:
    """End-diastole and end-systole of all patients of a split; raises as :func:`calid.cohorts.acdc.label_maps`."""
    found = label_maps(data, split_patients(split))
    return [_load(path, pixel, multiple) for paths in found.values() for path in paths]


def _load(path: Path, pixel: float, multiple: int) -> LabelledStack:
    stack, labels = read_stack(path.with_name(path.name.replace("_gt", ""))), read_stack(path).voxels[0]
    grid = InplaneGrid(labels.shape[1:], stack.pixel_spacing, pixel, multiple)
    slices = grid.to_model(IntensityScale.of(stack.voxels).normalise(stack.voxels[0]))
    shares = grid.to_model(np.stack([labels == c for c in range(1, CLASSES)], axis=1)).clip(0, 1)
    row, column = np.argwhere(shares.sum(axis=(0, 1)) > 0.5).mean(axis=0)
    centre = (float(row), float(column))
    return LabelledStack(slices.astype(np.float16), shares.astype(np.float16), stack.positions, centre)


@dataclass(frozen=True)
class Sight:
    """What the network gets to see of a stack, and how that is varied.

    :param anywhere: share of the crops that lie somewhere in the field of view, not around the heart: what is not a
        heart has to be seen as well.
    :param alone: share of the slices that are shown without those beside them.
    :param shift: pixels, standard deviation, by which the slices beside are off, as breath-holds are.
    """

    reach: float
    anywhere: float
    alone: float = 0.15
    shift: float = 1.0


def random_view(stack: LabelledStack, how: Augmentation, sight: Sight, rng: Generator) -> tuple[Tensor, Tensor]:
    """An augmented crop of a random slice (seen, crop, crop), and the share of each class (classes, crop, crop)."""
    k = int(torch.randint(len(stack.slices), (), generator=rng))
    seen = _shown(stack, k, sight, rng)
    both = torch.cat([seen, torch.from_numpy(stack.labels[k]).float()])
    row, column = torch.rand(2, generator=rng).tolist()
    astray = bool(torch.rand((), generator=rng) < sight.anywhere)
    centre = (row * both.shape[1], column * both.shape[2]) if astray else stack.centre
    view, _ = crop_stack(both, centre, how, rng)  # the labels ride along as more slices of the stack
    parts = view[len(seen) :].clamp(0, 1)
    background = (1 - parts.sum(dim=0, keepdim=True)).clamp(min=0)
    return degrade(change_contrast(view[: len(seen)], how, rng), rng), torch.cat([background, parts])


def _shown(stack: LabelledStack, k: int, sight: Sight, rng: Generator) -> Tensor:
    """Slice ``k`` and, for a network that sees them, those beside it (seen, rows, columns), in either order."""
    alone = torch.from_numpy(stack.slices[k : k + 1]).float()
    if not sight.reach:
        return alone
    beside = torch.from_numpy(with_context(stack.slices, stack.positions, sight.reach)[k, 1:]).float()
    if torch.rand((), generator=rng) < sight.alone:
        beside = torch.full_like(beside, NOTHING)
    moved = (sight.shift * torch.randn(2, 2, generator=rng)).round().int().tolist()
    beside = torch.stack([one.roll(by, dims=(0, 1)) for one, by in zip(beside, moved, strict=True)])
    return torch.cat([alone, beside.flip(0) if torch.rand((), generator=rng) < 0.5 else beside])


def random_batch(
    stacks: Sequence[LabelledStack], how: Augmentation, sight: Sight, batch: int, rng: Generator
) -> tuple[Tensor, Tensor]:
    """Slices (batch, seen, crop, crop) and class shares (batch, classes, crop, crop)."""
    chosen = torch.randint(len(stacks), (batch,), generator=rng).tolist()
    slices, shares = zip(*(random_view(stacks[n], how, sight, rng) for n in chosen), strict=True)
    return torch.stack(slices).contiguous(memory_format=torch.channels_last), torch.stack(shares)


def start_from(net: SegmentationNet, weights: Path) -> None:
    """Begin with the weights of a network of the same shape; one that saw single slices ignores those beside at first.

    Raises :class:`WeightsError` if they do not fit.
    """
    state = load_file(weights)
    narrow = state["enter.weight"]
    wide = torch.zeros(*narrow.shape[:1], net.config.seen, *narrow.shape[2:])
    wide[:, : narrow.shape[1]] = narrow
    try:
        net.load_state_dict({name: value.float() for name, value in {**state, "enter.weight": wide}.items()})
    except RuntimeError as error:
        raise WeightsError(
            f"{weights} has other layers than the config: {error}", "name the config that made it"
        ) from error


def segmentation_loss(logits: Tensor, shares: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy plus one minus the soft Dice of the parts of the heart, over the batch; and both numbers."""
    logits = logits.float()
    entropy = F.cross_entropy(logits, shares)
    probability, wanted = logits.softmax(dim=1)[:, 1:], shares[:, 1:]
    overlap = 2 * (probability * wanted).sum(dim=(0, 2, 3))
    total = (probability + wanted).sum(dim=(0, 2, 3))
    dice = ((overlap + 1) / (total + 1)).mean()
    return entropy + 1 - dice, {"entropy": float(entropy.detach()), "dice": float(dice.detach())}


def validation_dice(net: SegmentationNet, stacks: Sequence[LabelledStack]) -> dict[str, float]:
    """Dice of each label value on the model grid, pooled over the slices of a stack, mean over stacks."""
    values = []
    for stack in stacks:
        slices = torch.from_numpy(with_context(stack.slices, stack.positions, net.config.reach)).float()
        with torch.no_grad(), autocast(CPU):
            found = net(slices.contiguous(memory_format=torch.channels_last)).argmax(dim=1).numpy()
        background = 1 - stack.labels.sum(axis=1, keepdims=True, dtype=np.float32)
        truth = np.concatenate([background, stack.labels], axis=1).argmax(axis=1)
        values.append([_dice(found == c, truth == c) for c in range(1, CLASSES)])
    return {f"val_dice_{c + 1}": round(float(value), 4) for c, value in enumerate(np.mean(values, axis=0))}


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / max(1, int(a.sum()) + int(b.sum()))


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train segmentation``."""
    parser = argparse.ArgumentParser(prog="calid train segmentation", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights to begin with: segmentation.safetensors")
    args = parser.parse_args(argv)
    config = json.loads(args.config.read_text(encoding="utf-8"))
    how = Augmentation(**config["augmentation"])

    torch.manual_seed(config["seed"])
    net = channels_last(SegmentationNet(SegmentationConfig(**config["segmentation"])))
    if args.start is not None:
        start_from(net, args.start)
    sight = Sight(net.config.reach, config["anywhere"])
    stacks = load_labelled(args.data, "train", config["pixel"])
    validation = load_labelled(args.data, "validation", config["pixel"], net.config.multiple)
    run = Run(args.out, net, Recipe.of(config))
    run.resume()

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        slices, shares = random_batch(stacks, how, sight, config["batch"], rng)
        with autocast(CPU):
            logits = net(slices)
        return segmentation_loss(logits, shares)

    def validate() -> dict[str, float]:
        export(run.averaged, args.out / "segmentation.safetensors")
        return validation_dice(run.averaged, validation)

    run.train(loss, validate, every=config["every"])
    return 0
