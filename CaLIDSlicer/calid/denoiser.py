"""Stage 2: the conditional latent diffusion model.

The latent of a missing slice is the mean that the context encoder proposes plus a residual that diffusion draws:
``z = mean + residual_std * r``. The U-Net predicts the noise in ``r_t = alpha_t r + sigma_t eps`` (epsilon
prediction, Ho et al. 2020) from ``r_t``, the mean and the injected context. Diffusing the residual to a learned mean
(as in CorrDiff, Mardani et al. 2023) lets few steps suffice: what the neighbours determine needs no sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from calid.conditioning import Context, ContextEncoder, ContextInjection, Neighbours
from calid.layers import Fourier, UNet


@dataclass(frozen=True)
class DenoiserConfig:
    """Architecture of the diffusion model; channel counts per level, finest first, halving the size each time."""

    latent_channels: int = 8
    context_channels: Sequence[int] = (64, 96, 128)
    channels: Sequence[int] = (64, 96, 128)
    context_blocks: int = 2
    blocks: int = 1
    embedding: int = 128
    train_timesteps: int = 1000

    @property
    def multiple(self) -> int:
        """Latent rows and columns must be a multiple of this."""
        return 2 ** (len(self.channels) - 1)


class LatentInterpolator(nn.Module):
    """tau_theta1, tau_theta2 and the epsilon-prediction U-Net, trained jointly."""

    residual_std: Tensor

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ContextEncoder(
            config.latent_channels, config.context_channels, config.context_blocks, config.embedding
        )
        self.injection = ContextInjection(config.context_channels, config.channels)
        self.embed_time = nn.Sequential(
            Fourier(32, 0.25, 64.0),
            nn.Linear(64, config.embedding),
            nn.SiLU(),
            nn.Linear(config.embedding, config.embedding),
        )
        self.net = UNet(2 * config.latent_channels, tuple(config.channels), config.blocks, config.embedding)
        self.to_noise = nn.Conv2d(config.channels[0], config.latent_channels, 3, padding=1)
        nn.init.zeros_(self.to_noise.weight)
        self.register_buffer("residual_std", torch.ones(1, config.latent_channels, 1, 1))

    def context(self, neighbours: Neighbours, symmetric: bool = True) -> Context:
        """tau_theta1; computed once per missing slice, whatever the number of steps and samples."""
        return self.encoder(neighbours, symmetric)

    def predict_noise(self, noisy: Tensor, timestep: Tensor, mean: Tensor, injected: list[Tensor]) -> Tensor:
        """epsilon in ``noisy`` (n, c, h, w) at integer ``timestep`` (n,); ``injected`` comes from :meth:`inject`."""
        time = self.embed_time(timestep[:, None].float() / self.config.train_timesteps)
        # The skip keeps the trivial part of the answer out of the network: most of r_t is noise.
        return noisy + self.to_noise(self.net(torch.cat([noisy, mean], dim=1), time, injected)[0])

    def inject(self, context: Context) -> list[Tensor]:
        """tau_theta2; the modulations of every level, computed once per context."""
        return self.injection(context)
