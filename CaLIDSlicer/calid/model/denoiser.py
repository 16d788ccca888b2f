"""Stage 2: the latent diffusion model.

The network of a gap proposes the mean of what a missing slice can be. Diffusion starts there, in the latent space of
the autoencoder, with a little noise, and ends at a slice: a rectified flow from the posterior mean to real slices
(Ohayon et al., ICLR 2025). Of all ways to be as sharp as a real slice this one stays nearest to the truth. The U-Net
predicts the velocity of the straight line ``state = (1 - t) * (mean + start_noise * eps) + t * latents``, which is
epsilon prediction up to a known scale. It is told how long a step will be taken with its answer, and answers with the
mean velocity of that step (shortcut models, Frans et al., ICLR 2025): one step ends where many small ones would.

All that the neighbours say of a slice reaches it through the mean that it starts from, and their distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from calid.model.layers import Fourier, UNet

MM_SCALE = 20.0
"""Distances enter the network in units of this many mm."""

FINE = 1 / 8
"""Steps shorter than this are infinitely short, as far as the U-Net knows."""


@dataclass(frozen=True)
class DenoiserConfig:
    """Architecture of the diffusion model; channel counts per level, finest first, halving the size each time.

    :param factor: pixels per latent along each in-plane axis.
    :param start_noise: standard deviation of the noise that diffusion starts with, in units of the latents'.
    """

    latent_channels: int = 8
    factor: int = 4
    channels: Sequence[int] = (64, 96, 128)
    blocks: int = 1
    embedding: int = 128
    start_noise: float = 0.3

    @property
    def multiple(self) -> int:
        """Latent rows and columns must be a multiple of this."""
        return 2 ** (len(self.channels) - 1)


class LatentDenoiser(nn.Module):
    """The U-Net that predicts the velocity from the mean of a missing slice to a real one."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Sequential(
            Fourier(16, 0.25, 16.0),
            nn.Linear(4 * 32, config.embedding),
            nn.SiLU(),
            nn.Linear(config.embedding, config.embedding),
        )
        self.net = UNet(config.latent_channels, tuple(config.channels), config.blocks, config.embedding)
        self.to_velocity = nn.Conv2d(config.channels[0], config.latent_channels, 3, padding=1)
        nn.init.zeros_(self.to_velocity.weight)

    def start(self, mean: Tensor, noise: Tensor) -> Tensor:
        """The state at time 0, from latents of the mean and unit ``noise``, both (n, c, h, w)."""
        return mean + self.config.start_noise * noise

    def velocity(self, state: Tensor, time: Tensor, step: Tensor, reach: Tensor) -> Tensor:
        """Change per unit of time of ``state`` (n, c, h, w) at ``time`` (n,), 0 at the mean and 1 at the slice.

        :param step: (n,) how far in time the answer is followed.
        :param reach: (n, 2) how far the slice is inferred, see :func:`reach_of`.
        """
        step = torch.where(step < FINE, 0.0, step)
        embedding = self.embed(torch.cat([time[:, None], reach, step[:, None]], dim=1))
        return self.to_velocity(self.net(state, embedding)[0])


def reach_of(gap: Tensor, fraction: Tensor) -> Tensor:
    """(n, 2) width of the gap and distance to the nearer slice, in units of :data:`MM_SCALE`, of ``gap`` (n,) mm."""
    return torch.stack([gap, gap * torch.minimum(fraction, 1 - fraction)], dim=1) / MM_SCALE
