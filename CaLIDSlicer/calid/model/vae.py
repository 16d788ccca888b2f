"""Stage 1: the slice autoencoder. A short-axis slice becomes a latent of a quarter of its size, and back.

A :class:`diffusers.AutoencoderKL` without attention, so that it is purely local and works on any field of view.
Latents are standardised per channel with statistics of the training slices: the diffusion model sees unit variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn


@dataclass(frozen=True)
class VaeConfig:
    """Architecture of the slice autoencoder: one channel count per level, each level but the last halves the size."""

    channels: Sequence[int] = (32, 64, 64)
    latent_channels: int = 8
    norm_groups: int = 8

    @property
    def factor(self) -> int:
        """Pixels per latent along each in-plane axis."""
        return 2 ** (len(self.channels) - 1)


class SliceAutoencoder(nn.Module):
    """Encodes normalised slices (n, 1, rows, columns) to standardised latents (n, c, rows / f, columns / f)."""

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        levels = len(config.channels)
        self.net = AutoencoderKL(
            in_channels=1,
            out_channels=1,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            block_out_channels=tuple(config.channels),
            layers_per_block=1,
            latent_channels=config.latent_channels,
            norm_num_groups=config.norm_groups,
            mid_block_add_attention=False,
            use_quant_conv=False,
            use_post_quant_conv=False,
        )
        self.register_buffer("latent_mean", torch.zeros(1, config.latent_channels, 1, 1))
        self.register_buffer("latent_std", torch.ones(1, config.latent_channels, 1, 1))

    def encode(self, slices: Tensor) -> Tensor:
        """The mode of the posterior, standardised."""
        return (self.net.encode(slices).latent_dist.mode() - self.latent_mean) / self.latent_std

    def decode(self, latents: Tensor) -> Tensor:
        """Standardised latents to normalised slices."""
        return self.net.decode(latents * self.latent_std + self.latent_mean).sample

    def set_latent_statistics(self, latents: Tensor) -> None:
        """Fix the standardisation from raw (unstandardised) latents (n, c, rows, columns)."""
        self.latent_mean.copy_(latents.mean(dim=(0, 2, 3), keepdim=True))
        self.latent_std.copy_(latents.std(dim=(0, 2, 3), keepdim=True))
