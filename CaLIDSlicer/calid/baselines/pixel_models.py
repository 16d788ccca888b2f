"""The two learned baselines, both in pixel space and with the conditioning of the main model.

:class:`Regression` answers with the mean that the context encoder proposes. :class:`PixelDiffusion` adds a residual
that diffusion draws: ``slice = mean + residual_std * r`` (as in CorrDiff, Mardani et al. 2023), where a U-Net predicts
the noise in ``r_t = alpha_t r + sigma_t eps`` (Ho et al., NeurIPS 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler
from torch import Tensor, nn

from calid.baselines.conditioning import Context, ContextEncoder, ContextInjection
from calid.model.layers import Fourier, UNet
from calid.model.vae import SliceAutoencoder, VaeConfig

TRAIN_TIMESTEPS = 1000


@dataclass(frozen=True)
class PixelModelConfig:
    """Architecture of a learned baseline.

    :param pixel: size in mm of the pixels it works on.
    :param factor: of the space to depth at its entrance and exit.
    :param channels: per level, finest first, halving the size each time.
    """

    pixel: float
    factor: int
    channels: Sequence[int]
    blocks: int
    embedding: int

    @property
    def multiple(self) -> int:
        """Rows and columns of the model grid must be a multiple of this."""
        return self.factor * 2 ** (len(self.channels) - 1)


class Regression(nn.Module):
    """tau_theta1 alone: a deterministic U-Net on four slices, a residual to linear interpolation."""

    def __init__(self, config: PixelModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ContextEncoder(config.factor**2, config.channels, config.blocks, config.embedding)

    def draw(self, context: Context, noise: Tensor, steps: int) -> Tensor:
        """The mean (n, c, h, w), whatever the noise."""
        return context.mean


class PixelDiffusion(nn.Module):
    """tau_theta1, tau_theta2 and an epsilon-prediction U-Net, trained jointly."""

    residual_std: Tensor

    def __init__(self, config: PixelModelConfig) -> None:
        super().__init__()
        self.config = config
        pixels, channels = config.factor**2, tuple(config.channels)
        self.encoder = ContextEncoder(pixels, channels, config.blocks, config.embedding)
        self.injection = ContextInjection(channels, channels)
        self.embed_time = nn.Sequential(
            Fourier(32, 0.25, 64.0),
            nn.Linear(64, config.embedding),
            nn.SiLU(),
            nn.Linear(config.embedding, config.embedding),
        )
        self.net = UNet(2 * pixels, channels, config.blocks, config.embedding)
        self.to_noise = nn.Conv2d(channels[0], pixels, 3, padding=1)
        nn.init.zeros_(self.to_noise.weight)
        self.register_buffer("residual_std", torch.ones(1, pixels, 1, 1))

    @staticmethod
    def scheduler() -> DDIMScheduler:
        """Of training and sampling. The residual has unit variance, so it takes little noise to bury it."""
        return DDIMScheduler(
            num_train_timesteps=TRAIN_TIMESTEPS,
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.006,
            clip_sample=False,
            prediction_type="epsilon",
            timestep_spacing="trailing",
        )

    def predict_noise(self, noisy: Tensor, timestep: Tensor, mean: Tensor, injected: list[Tensor]) -> Tensor:
        """epsilon in ``noisy`` (n, c, h, w) at integer ``timestep`` (n,); ``injected`` comes from tau_theta2."""
        time = self.embed_time(timestep[:, None].float() / TRAIN_TIMESTEPS)
        # The skip keeps the trivial part of the answer out of the network: most of r_t is noise.
        return noisy + self.to_noise(self.net(torch.cat([noisy, mean], dim=1), time, injected)[0])

    def draw(self, context: Context, noise: Tensor, steps: int) -> Tensor:
        """Slices (n, c, h, w) from unit ``noise`` of that shape by DDIM steps (Song et al., ICLR 2021)."""
        scheduler, injected = self.scheduler(), self.injection(context)
        scheduler.set_timesteps(steps)
        residual = noise.to(context.mean)
        for timestep in scheduler.timesteps:
            when = timestep.expand(len(residual)).to(residual.device)
            predicted = self.predict_noise(residual, when, context.mean, injected).to(residual.dtype)
            residual = scheduler.step(predicted, int(timestep), residual).prev_sample
        return context.mean + self.residual_std * residual


PixelModel = Regression | PixelDiffusion

KINDS: dict[str, type[PixelModel]] = {"unet": Regression, "pixel-diffusion": PixelDiffusion}


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
