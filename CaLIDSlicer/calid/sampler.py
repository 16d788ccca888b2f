"""Few-step sampling of missing latents, with noise that is reproducible and smooth along the stack.

Noise is anchored at the acquired slices: each anchor has its own Gaussian field and a missing slice mixes the two of
its gap with unit variance. So neighbouring synthesised slices draw similar detail and do not flicker. Anchors are
numbered from the nearer end of the stack, which makes the noise, like the network, symmetric under reversal. Odd
samples use the negated noise of the even ones (antithetic sampling): their mean converges faster. Noise is drawn on
the CPU from (seed, sample, anchor) alone: batch size, order and device do not change it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler
from torch import Generator, Tensor

from calid.conditioning import Context
from calid.denoiser import LatentInterpolator


@dataclass(frozen=True)
class NoiseSchedule:
    """Scaled-linear betas (Rombach et al. 2022). The residual has unit variance, so it needs less noise to bury it."""

    timesteps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.006

    def scheduler(self) -> DDIMScheduler:
        """The diffusers scheduler used in training and in sampling."""
        return DDIMScheduler(
            num_train_timesteps=self.timesteps,
            beta_schedule="scaled_linear",
            beta_start=self.beta_start,
            beta_end=self.beta_end,
            clip_sample=False,
            prediction_type="epsilon",
            timestep_spacing="trailing",
        )


@dataclass(frozen=True)
class AnchoredNoise:
    """Gaussian noise fields for one stack of ``slices`` acquired slices; ``shape`` is (c, h, w)."""

    seed: int
    slices: int
    shape: tuple[int, int, int]

    def at(self, sample: int, below: int, fraction: float) -> Tensor:
        """(c, h, w) unit-variance noise between acquired slices ``below`` and ``below + 1``."""
        a, b = self._anchor(sample, below), self._anchor(sample, below + 1)
        mixed = (1 - fraction) * a + fraction * b
        same = self._number(below) == self._number(below + 1)
        unit = mixed if same else mixed / math.hypot(1 - fraction, fraction)
        return -unit if sample % 2 else unit

    def _number(self, index: int) -> int:
        return min(index, self.slices - 1 - index)

    def _anchor(self, sample: int, index: int) -> Tensor:
        # Distinct primes keep the streams of seeds, pairs and anchors apart.
        key = (self.seed * 1_000_003 + sample // 2) * 7_919 + self._number(index)
        return torch.randn(self.shape, generator=Generator().manual_seed(key % 2**63))


def sample_latents(
    model: LatentInterpolator,
    schedule: NoiseSchedule,
    context: Context,
    noise: Tensor,
    steps: int,
    temperature: float,
    on_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """Draw latents (n, c, h, w) from unit noise of that shape by ``steps`` deterministic DDIM steps (Song 2021).

    :param temperature: factor on the drawn residual: 1 draws from the learned distribution, less stays nearer to its
        mean, with softer detail.
    """
    scheduler = schedule.scheduler()
    scheduler.set_timesteps(steps)
    injected = model.inject(context)
    residual = noise.to(context.mean)
    for timestep in scheduler.timesteps:
        when = timestep.expand(len(residual)).to(residual.device)
        predicted = model.predict_noise(residual, when, context.mean, injected).to(residual.dtype)
        residual = scheduler.step(predicted, int(timestep), residual).prev_sample
        on_step()
    return context.mean + temperature * model.residual_std * residual
