"""Train the regression baseline: ``calid train unet CONFIG --data DIR --out DIR``.

A deterministic network with the same inputs, blocks, data and number of parameters as the diffusion model, which
minimises the mean squared error. What it cannot know it blurs: that is what the diffusion model has to beat.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator, Tensor

from calid.baselines.conditioning import Neighbours
from calid.baselines.pixel_models import Regression
from calid.training.baselines import train_command


def regression_loss(
    net: Regression, neighbours: Neighbours, target: Tensor, symmetric: bool, rng: Generator
) -> tuple[Tensor, dict[str, float]]:
    """Mean squared error in network units; over channels or over pixels is the same, they hold the same numbers."""
    error = (net.encoder(neighbours, symmetric).mean - target).square().mean()
    return error, {"pixel": float(error.detach())}


def main(argv: Sequence[str]) -> int:
    """Entry of ``calid train unet``."""
    return train_command("unet", regression_loss, argv)
