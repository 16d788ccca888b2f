"""Pixel space in the place of the latent space: an autoencoder that loses nothing and has nothing to learn."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from calid.model.vae import SliceAutoencoder, VaeConfig


class PixelSpace(SliceAutoencoder):
    """Slices (n, 1, rows, columns) as "latents" (n, f * f, rows / f, columns / f) by space to depth, and back.

    :param factor: f, a power of 2; 1 leaves a slice as it is.
    """

    def __init__(self, factor: int) -> None:
        nn.Module.__init__(self)  # none of the autoencoder's networks
        self.config = VaeConfig(channels=(1,) * factor.bit_length(), latent_channels=factor**2)

    def encode(self, slices: Tensor) -> Tensor:
        """Blocks of pixels become channels."""
        return F.pixel_unshuffle(slices, self.config.factor)

    def decode(self, latents: Tensor) -> Tensor:
        """Channels become blocks of pixels (Shi et al., CVPR 2016)."""
        return F.pixel_shuffle(latents, self.config.factor)
