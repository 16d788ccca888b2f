"""Interpolation with a predefined rule in the latent space: the same autoencoder, without the diffusion model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from calid.model.weights import CalidModel, load_model
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack

Combine = Callable[[Tensor, Tensor, float], Tensor]

load_once = cache(load_model)


def lerp(below: Tensor, above: Tensor, fraction: float) -> Tensor:
    """The straight line between two latents."""
    return torch.lerp(below, above, fraction)


def slerp(below: Tensor, above: Tensor, fraction: float) -> Tensor:
    """The arc between two latents, which keeps their length; the straight line where they are parallel."""
    cosine = torch.nn.functional.cosine_similarity(below.flatten(), above.flatten(), dim=0)
    angle = torch.arccos(cosine.clamp(-1, 1))
    if torch.sin(angle) < 1e-4:
        return lerp(below, above, fraction)
    return (torch.sin((1 - fraction) * angle) * below + torch.sin(fraction * angle) * above) / torch.sin(angle)


RULES: dict[str, Combine] = {"linear": lerp, "slerp": slerp}


def interpolate_latents(
    model: CalidModel, combine: Combine, stack: SliceStack, plan: DensePlan
) -> tuple[np.ndarray, None]:
    """Dense voxels, float32 (phases, dense slices, rows, columns): acquired slices, and combined latents decoded."""
    grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, model.pixel, model.multiple)
    scale = IntensityScale.of(stack.voxels)
    dense = np.empty((len(stack.voxels), len(plan.positions), *stack.voxels.shape[2:]), np.float32)
    acquired = [index for index, source in enumerate(plan.acquired) if source is not None]
    for phase, voxels in enumerate(stack.voxels):
        made = _decode_targets(model, combine, plan, grid.to_model(scale.normalise(voxels)))
        dense[phase, acquired] = voxels
        dense[phase, [t.index for t in plan.targets]] = scale.restore(grid.from_model(made))
    return dense, None


def _decode_targets(model: CalidModel, combine: Combine, plan: DensePlan, slices: np.ndarray) -> np.ndarray:
    """(targets, rows, columns) from the acquired slices (k, rows, columns), both in network units on the model grid."""
    device = model.device
    with torch.inference_mode():
        latents = [model.vae.encode(torch.from_numpy(s)[None, None].to(device)) for s in slices]
        made = (model.vae.decode(combine(latents[t.below], latents[t.above], t.fraction)) for t in plan.targets)
        return np.concatenate([image[0].cpu().numpy() for image in made])
