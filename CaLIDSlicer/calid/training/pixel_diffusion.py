"""Train the pixel-space diffusion baseline: ``calid train pixel-diffusion CONFIG --data DIR --out DIR``.

Diffusion without an autoencoder, conditioned like the main model: what speed and quality are compared with.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from calid.baselines.conditioning import Neighbours
from calid.baselines.pixel_models import TRAIN_TIMESTEPS, PixelDiffusion
from calid.training.baselines import train_command


def diffusion_loss(
    net: PixelDiffusion, neighbours: Neighbours, target: Tensor, symmetric: bool, rng: Generator
) -> tuple[Tensor, dict[str, float]]:
    """Squared error of the proposed mean plus that of the noise found in the residual; moves ``residual_std`` along.

    The mean's error is counted in units of the residual's variance, so that both parts weigh about the same.
    """
    context = net.encoder(neighbours, symmetric)
    error = target - context.mean
    if net.training:
        with torch.no_grad():
            net.residual_std.lerp_(error.square().mean(dim=(0, 2, 3), keepdim=True).sqrt().float(), 0.01)
    residual = error.detach().float() / net.residual_std
    noise = torch.randn(residual.shape, generator=rng)
    when = torch.randint(TRAIN_TIMESTEPS, (len(residual),), generator=rng)
    noisy = net.scheduler().add_noise(residual, noise, when)
    predicted = net.predict_noise(noisy, when, context.mean.detach(), net.injection(context))
    pixel, noise_error = error.square().mean(), (predicted.float() - noise).square().mean()
    total = pixel / net.residual_std.square().mean() + noise_error
    return total, {"pixel": float(pixel.detach()), "noise": float(noise_error.detach())}


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train pixel-diffusion``."""
    return train_command("pixel-diffusion", diffusion_loss, argv)
