"""Train stage 1: ``calid train autoencoder CONFIG --data DIR --out DIR``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from calid.model.layers import channels_last
from calid.model.vae import SliceAutoencoder, VaeConfig
from calid.reconstruction.device import CPU, autocast
from calid.training.augment import Augmentation, change_contrast, crop_stack
from calid.training.data import TrainingStack, load_stacks
from calid.training.loop import Recipe, Run, export
from calid.training.losses import edge_loss


def random_slices(stacks: Sequence[TrainingStack], how: Augmentation, batch: int, rng: Generator) -> Tensor:
    """(batch, 1, crop, crop): augmented crops of random slices of random stacks."""
    out = []
    for _ in range(batch):
        stack = stacks[int(torch.randint(len(stacks), (), generator=rng))]
        k = int(torch.randint(len(stack.slices), (), generator=rng))
        view, _ = crop_stack(torch.from_numpy(stack.slices[k : k + 1]), stack.centre, how, rng)
        out.append(change_contrast(view, how, rng))
    return torch.stack(out).contiguous(memory_format=torch.channels_last)


def heart_psnr(model: SliceAutoencoder, stacks: Sequence[TrainingStack], half: int = 40) -> float:
    """Encode-decode PSNR (dB, range 1) in a box of ``2 half`` pixels around the heart, mean over stacks."""
    values = []
    for stack in stacks:
        rows, columns = (n // model.config.factor * model.config.factor for n in stack.slices.shape[1:])
        slices = torch.from_numpy(stack.slices[:, None, :rows, :columns]).float()
        with torch.no_grad(), autocast(CPU):
            decoded = model.decode(model.encode(slices)).float()
        top, left = (max(0, round(c) - half) for c in stack.centre)
        box = (..., slice(top, top + 2 * half), slice(left, left + 2 * half))
        error = ((decoded[box].clamp(-1, 1) - slices[box].clamp(-1, 1)) / 2).square().mean()
        values.append(-10 * float(torch.log10(error)))
    return float(np.mean(values))


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train autoencoder``."""
    parser = argparse.ArgumentParser(prog="calid train autoencoder", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    config = json.loads(args.config.read_text(encoding="utf-8"))
    how = Augmentation(**config["augmentation"])
    stacks = load_stacks(args.data, "train", config["pixel"])
    whole, cine = [s for s in stacks if not s.is_crop], [s for s in stacks if s.is_crop]
    validation = load_stacks(args.data, "validation", config["pixel"], cine=False)[::2]

    torch.manual_seed(config["seed"])
    model = channels_last(SliceAutoencoder(VaeConfig(**config["vae"])))
    run = Run(args.out, model, Recipe.of(config))
    run.resume()

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = Generator().manual_seed(config["seed"] * 1_000_003 + step)
        source = cine if step % 4 == 3 else whole
        slices = random_slices(source, how, config["batch"], rng)
        with autocast(CPU):
            posterior = model.net.encode(slices).latent_dist
            decoded = model.net.decode(posterior.sample()).sample.float()
        pixel, edge = F.l1_loss(decoded, slices), edge_loss(decoded, slices)
        divergence = posterior.kl().mean() / posterior.mean[0].numel()
        total = pixel + config["edge_weight"] * edge + config["kl_weight"] * divergence
        return total, {"pixel": float(pixel.detach()), "edge": float(edge.detach()), "kl": float(divergence.detach())}

    def validate() -> dict[str, float]:
        return {"heart_psnr": round(heart_psnr(run.averaged, validation), 3)}

    run.train(loss, validate, every=config["every"])
    finish(run.averaged, whole, how, args.out / "vae.safetensors")
    return 0


def finish(model: SliceAutoencoder, stacks: Sequence[TrainingStack], how: Augmentation, path: Path) -> None:
    """Fix the latent statistics on training slices and write fp16 weights."""
    slices = random_slices(stacks, how, 128, Generator().manual_seed(0))
    with torch.no_grad(), autocast(CPU):
        raw = torch.cat([model.net.encode(part).latent_dist.mode().float() for part in slices.split(16)])
    model.set_latent_statistics(raw)
    export(model, path)
