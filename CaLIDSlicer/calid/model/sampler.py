"""Few-step sampling of missing latents, with noise that is reproducible and smooth along the stack.

Noise is anchored at the acquired slices: each anchor has its own Gaussian field and a missing slice mixes the two of
its gap with unit variance. So neighbouring synthesised slices draw similar detail and do not flicker. Anchors are
numbered from the nearer end of the stack, which makes the noise, like the network, symmetric under reversal. Odd
samples use the negated noise of the even ones (antithetic sampling): their mean converges faster. Noise is drawn on
the CPU from (seed, sample, anchor) alone: batch size, order and device do not change it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from calid.model.denoiser import LatentDenoiser


@dataclass(frozen=True)
class Sampling:
    """How often, how finely and how boldly to draw.

    :param samples: of which the mean is taken; each sees the slices mirrored in another way.
    :param steps: of the diffusion model, for one sample.
    :param detail: 1 ends at a slice as sharp as a real one, 0 is the mean, without diffusion. In between lies, for each
        sharpness, the estimate with the least error (Freirich et al., NeurIPS 2021).
    """

    samples: int
    steps: int
    seed: int
    detail: float


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


def sample_latents(model: LatentDenoiser, mean: Tensor, reach: Tensor, noise: Tensor, steps: int) -> Tensor:
    """Draw latents (n, c, h, w) around ``mean`` from unit noise, both of that shape, by Euler steps along the flow.

    :param reach: (n, 2) see :func:`~calid.model.denoiser.reach_of`.
    """
    state = model.start(mean, noise.to(mean))
    for step in range(steps):
        time, length = (torch.full((len(state),), t, device=state.device) for t in (step / steps, 1 / steps))
        state = state + model.velocity(state, time, length, reach).to(state.dtype) / steps
    return state
