"""The methods to be faster than, with random weights: that is enough for timing.

Their whole volume would take hours, so a few slices or steps are measured and multiplied; every result says by what.
Precision, memory layout and use of the cores are those of the product.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers import UNet2DModel
from torch import nn

from calid.baselines.conditioning import Neighbours
from calid.baselines.pixel_models import PixelDiffusion, PixelModelConfig
from calid.benchmarking.settings import DiffusionAutoencoder, Job
from calid.model.layers import Net, channels_last
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.parallel import run_all, worker_count

BATCH = 8  # slices at a time on an accelerator; a CPU works slice by slice


def time_pixel_diffusion(config: PixelModelConfig, steps: int, job: Job, device: torch.device) -> dict[str, Any]:
    """Diffusion in pixel space: conditioning and all ``steps`` of a few slices, times the slices of ``job``."""
    net = _ready(PixelDiffusion(config), device)
    grid = InplaneGrid(job.stack.voxels.shape[2:], job.stack.pixel_spacing, config.pixel, config.multiple)
    batch = 1 if device.type == "cpu" else BATCH
    shape = (config.factor**2, *(side // config.factor for side in grid.model_shape))
    slices, distance = torch.zeros(batch, 4, *shape), torch.tensor([[15.0, 5.0, 5.0, 15.0]]).expand(batch, 4)
    neighbours = Neighbours(*(known.to(device) for known in (slices, torch.ones_like(distance), distance)))
    noise = torch.zeros(batch, *shape)

    def draw(steps: int) -> None:
        net.draw(net.encoder(neighbours), noise, steps).cpu()

    _seconds(lambda: draw(1), device)  # warm-up
    at_a_time = batch * worker_count(device)
    per_slice = _seconds(lambda: draw(steps), device) / at_a_time
    how = f"{at_a_time} slices at a time with all steps, times {job.missing / at_a_time:g}"
    return {"steps": steps, "per_slice_s": per_slice, "compute_s": per_slice * job.missing, "measured": how}


def time_diffusion_autoencoder(
    size: DiffusionAutoencoder, job: Job, device: torch.device, repeats: int
) -> dict[str, Any]:
    """Interpolation by a diffusion autoencoder: decoding alone, which favours it.

    Its semantic encoder and the inversion of every acquired slice to noise, as many steps again, are left out.
    """
    net = _ready(_decoder(size), device)
    batch = 1 if device.type == "cpu" else BATCH
    noise = torch.zeros(batch, 1, size.pixels, size.pixels, device=device)

    def step() -> None:
        net(noise, 500).sample.cpu()

    seconds = [_seconds(step, device) for _ in range(repeats + 1)]
    at_a_time = batch * worker_count(device)
    per_slice = min(seconds[1:]) / at_a_time * size.steps  # the first is a warm-up
    how = f"decoding only, {at_a_time} slices at a time with 1 step, times {size.steps} x {job.missing / at_a_time:g}"
    return {"steps": size.steps, "per_slice_s": per_slice, "compute_s": per_slice * job.missing, "measured": how}


def _seconds(work: Callable[[], Any], device: torch.device) -> float:
    """Seconds that ``work`` takes when every worker does it once, at the same time."""
    started = time.perf_counter()
    run_all(lambda item, tick: work(), range(worker_count(device)), device, lambda: None)
    return time.perf_counter() - started


def _ready(net: Net, device: torch.device) -> Net:
    return channels_last(net.eval().requires_grad_(False).to(device))


def _decoder(size: DiffusionAutoencoder) -> nn.Module:
    sides = [size.pixels // 2**level for level in range(len(size.channels))]
    return UNet2DModel(
        sample_size=size.pixels,
        in_channels=1,
        out_channels=1,
        block_out_channels=tuple(size.channels),
        layers_per_block=size.blocks,
        down_block_types=tuple("AttnDownBlock2D" if s in size.attention else "DownBlock2D" for s in sides),
        up_block_types=tuple("AttnUpBlock2D" if s in size.attention else "UpBlock2D" for s in reversed(sides)),
    )
