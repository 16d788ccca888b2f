"""Stage 2: the conditional latent diffusion model.

The context encoder proposes the mean of what a missing slice can be. Diffusion starts there, with a little noise, and
ends at a slice: a rectified flow from the posterior mean to real slices (Ohayon et al., ICLR 2025). Of all ways to be
as sharp as a real slice this one stays nearest to the truth. The U-Net predicts the velocity of the straight line
``state = (1 - t) * (mean + start_noise * eps) + t * latents``, which is epsilon prediction up to a known scale. It is
told how long a step will be taken with its answer, and answers with the mean velocity of that step (shortcut models,
Frans et al., ICLR 2025): one step ends where many small ones would.

It runs in two ways. Unconditioned it knows the state only, and carries the mean to the nearest sharp slice.
Conditioned on the neighbours by tau_theta2 it draws from all slices that fit between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calid.model.conditioning import Context, ContextEncoder, ContextInjection, Neighbours
from calid.model.layers import Fourier, UNet

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
    context_channels: Sequence[int] = (64, 96, 128)
    channels: Sequence[int] = (64, 96, 128)
    context_blocks: int = 2
    blocks: int = 1
    embedding: int = 128
    start_noise: float = 0.3

    @property
    def multiple(self) -> int:
        """Latent rows and columns must be a multiple of this."""
        return 2 ** (len(self.channels) - 1)


class Deviation(nn.Module):
    """How far from the mean the real slice may be: the scale of a Laplace distribution (Kendall and Gal 2017)."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.factor, width = config.factor, config.context_channels[0]
        last = nn.Conv2d(width, config.factor**2, 1)
        assert last.bias is not None
        nn.init.constant_(last.bias, math.log(0.1))
        self.net = nn.Sequential(
            nn.Conv2d(width + 2 * config.latent_channels, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            last,
        )

    def forward(self, context: Context, neighbours: Neighbours) -> Tensor:
        """(n, 1, rows, columns) logarithm of the expected absolute deviation of each pixel, in network units."""
        assert neighbours.followed is not None
        below, above = neighbours.followed.unbind(dim=1)
        seen = torch.cat([context.features[0], (below - above).abs(), context.mean], dim=1)
        return F.pixel_shuffle(self.net(seen), self.factor).float().clamp(-7, 1)


class LatentInterpolator(nn.Module):
    """tau_theta1 with its mean and deviation, tau_theta2, and the U-Net that predicts the velocity."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ContextEncoder(
            config.latent_channels, config.context_channels, config.context_blocks, config.embedding
        )
        self.deviation = Deviation(config)
        self.injection = ContextInjection(config.context_channels, config.channels)
        self.embed = nn.Sequential(
            Fourier(16, 0.25, 16.0),
            nn.Linear(4 * 32, config.embedding),
            nn.SiLU(),
            nn.Linear(config.embedding, config.embedding),
        )
        self.net = UNet(config.latent_channels, tuple(config.channels), config.blocks, config.embedding)
        self.to_velocity = nn.Conv2d(config.channels[0], config.latent_channels, 3, padding=1)
        nn.init.zeros_(self.to_velocity.weight)

    def context(self, neighbours: Neighbours, symmetric: bool = True) -> Context:
        """tau_theta1; computed once per missing slice, whatever the number of steps and samples."""
        return self.encoder(neighbours, symmetric)

    def standard_deviation(self, context: Context, neighbours: Neighbours) -> Tensor:
        """(n, 1, rows, columns) of the real slice around the decoded mean, in network units."""
        # That of a Laplace distribution is sqrt(2) times its scale, the expected absolute deviation.
        return math.sqrt(2) * self.deviation(context, neighbours).exp()

    def start(self, context: Context, noise: Tensor) -> Tensor:
        """The state at time 0, from unit ``noise`` (n, c, h, w)."""
        return context.mean + self.config.start_noise * noise

    def velocity(
        self, state: Tensor, time: Tensor, step: Tensor, context: Context, injected: list[Tensor] | None
    ) -> Tensor:
        """Change per unit of time of ``state`` (n, c, h, w) at ``time`` (n,), 0 at the mean and 1 at the slice.

        :param step: (n,) how far in time the answer is followed.
        :param injected: from :meth:`inject`, or ``None`` for the unconditioned model.
        """
        step = torch.where(step < FINE, 0.0, step)
        embedding = self.embed(torch.cat([time[:, None], context.reach, step[:, None]], dim=1))
        return self.to_velocity(self.net(state, embedding, injected)[0])

    def inject(self, context: Context) -> list[Tensor]:
        """tau_theta2; the modulations of every level, computed once per context."""
        return self.injection(context)
