"""Train the end of stage 1: a decoder as sharp as the slices it was shown.

``calid train decoder CONFIG --data DIR --vae FILE --out DIR``

Trained for fidelity alone, a decoder leaves out the fine texture that a latent cannot fix to the pixel. Here it goes
on training with the encoder frozen, so that latents keep their meaning, and pays for missing local power as well.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from calid.model.layers import channels_last
from calid.model.vae import SliceAutoencoder, VaeConfig
from calid.model.weights import load_weights
from calid.reconstruction.device import CPU, autocast
from calid.training.augment import Augmentation
from calid.training.autoencoder import heart_psnr, random_slices
from calid.training.data import load_stacks
from calid.training.loop import Recipe, Run, export
from calid.training.losses import edge_loss, power_loss


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train decoder``."""
    parser = argparse.ArgumentParser(prog="calid train decoder", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True, help="vae.safetensors of calid train autoencoder")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    config = json.loads(args.config.read_text(encoding="utf-8"))
    how = Augmentation(**config["augmentation"])
    stacks = load_stacks(args.data, "train", config["pixel"], cine=False)
    validation = load_stacks(args.data, "validation", config["pixel"], cine=False)[::2]

    torch.manual_seed(config["seed"])
    model = load_weights(SliceAutoencoder(VaeConfig(**config["vae"])), args.vae)
    model.net.decoder.requires_grad_(True)
    about = config["decoder"]
    run = Run(args.out, channels_last(model.net.decoder), Recipe.of(about))
    run.resume()

    def loss(step: int) -> tuple[Tensor, dict[str, float]]:
        slices = random_slices(stacks, how, about["batch"], Generator().manual_seed(config["seed"] * 1_000_003 + step))
        with autocast(CPU):
            with torch.no_grad():
                latents = model.net.encode(slices).latent_dist.mode()
            decoded = run.net(latents).float()
        pixel, edge, power = F.l1_loss(decoded, slices), edge_loss(decoded, slices), power_loss(decoded, slices)
        total = pixel + config["edge_weight"] * edge + about["power_weight"] * power
        return total, {"pixel": float(pixel.detach()), "edge": float(edge.detach()), "power": float(power.detach())}

    def validate() -> dict[str, float]:
        current, model.net.decoder = model.net.decoder, run.averaged
        value = heart_psnr(model, validation)
        export(model, args.out / "vae.safetensors")
        model.net.decoder = current
        return {"heart_psnr": round(value, 3)}

    run.train(loss, validate, every=about["every"])
    return 0
