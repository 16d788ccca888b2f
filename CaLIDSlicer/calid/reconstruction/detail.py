"""Detail that a real heart has and a mean has not: latent diffusion from the mean of a slice to a sharp one.

The sharp slice is further from the truth than the mean, in the mean; so it is drawn where it is asked for only.
"""

from __future__ import annotations

import numpy as np
import torch

from calid.model.denoiser import reach_of
from calid.model.sampler import AnchoredNoise, Sampling, sample_latents
from calid.model.weights import CalidModel
from calid.reconstruction.parallel import Tick, run_all
from calid.stacks.plan import DensePlan, Target


class Detail:
    """Draws detail for the missing slices of one stack; ``shape`` (rows, columns) is that of the model grid."""

    def __init__(self, model: CalidModel, plan: DensePlan, sampling: Sampling, shape: tuple[int, int]) -> None:
        self.model, self.plan, self.sampling = model, plan, sampling
        vae = model.vae.config
        rows, columns = (side // vae.factor for side in shape)
        self.noise = AnchoredNoise(sampling.seed, len(plan.known), (vae.latent_channels, rows, columns))

    def draw(self, means: np.ndarray, sample: int, axes: tuple[int, ...], on_slice: Tick) -> np.ndarray:
        """(dense slices, rows, columns) what the slices of one sample have beyond their means; 0 at acquired slices.

        :param means: (dense slices, rows, columns) network units, model grid.
        :param axes: along which this sample sees the slices mirrored; noise is mirrored like them.
        :param on_slice: called after each slice.
        """
        model, device = self.model, self.model.device

        def drawn(target: Target, tick: Tick) -> np.ndarray:
            mean = model.vae.encode(torch.from_numpy(means[target.index])[None, None].to(device)).float()
            gap, fraction = (torch.tensor([float(of)], device=device) for of in (target.gap, target.fraction))
            noise = self.noise.at(sample, target.below, target.fraction).flip(axes)[None].to(device)
            sharp = sample_latents(model.denoiser, mean, reach_of(gap, fraction), noise, self.sampling.steps)
            towards = torch.lerp(mean, sharp, self.sampling.detail)
            beyond = model.vae.decode(towards).float() - model.vae.decode(mean).float()
            tick()
            return beyond[0, 0].cpu().numpy()

        detail = np.zeros_like(means)
        for target, one in zip(self.plan.targets, run_all(drawn, self.plan.targets, device, on_slice), strict=True):
            detail[target.index] = one
        return detail
