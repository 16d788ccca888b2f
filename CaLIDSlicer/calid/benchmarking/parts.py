"""Where the time of a synthesised slice goes: encoding, motion, conditioning, denoising, decoding."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from calid.model.conditioning import Neighbours
from calid.model.weights import CalidModel
from calid.reconstruction.parallel import run_all
from calid.reconstruction.reconstruct import choose_sampling


def time_parts(model: CalidModel, shape: Sequence[int], batch: int, repeats: int) -> dict[str, Any]:
    """Seconds per slice that each part takes one worker, in batches of ``batch`` on a model grid of ``shape``.

    ``slice`` is one synthesised slice with the default number of steps: all but ``encode``, which is done once for an
    acquired slice, and ``motion``, once for a gap.
    """
    device = model.vae.latent_mean.device
    (seconds,) = run_all(lambda item, tick: _time_parts(model, shape, batch, repeats), [0], device, lambda: None)
    steps = choose_sampling(model).steps
    whole = seconds["follow"] + seconds["condition"] + steps * seconds["denoise"] + seconds["decode"]
    return {"batch": batch, "steps": steps, **seconds, "slice": whole}


def _time_parts(model: CalidModel, shape: Sequence[int], batch: int, repeats: int) -> dict[str, float]:
    net, device = model.interpolator, model.vae.latent_mean.device
    slices = torch.zeros(batch, 1, *shape, device=device)
    latents = model.vae.encode(slices).float()
    distance = torch.tensor([[15.0, 5.0, 5.0, 15.0]], device=device).repeat(batch, 1)
    neighbours = Neighbours(latents[:, None].repeat(1, 4, 1, 1, 1), torch.ones_like(distance), distance)
    bounding, motion = slices.repeat(1, 2, 1, 1), model.motion
    field, fraction = motion.find(bounding, neighbours.reach[:, 0]), neighbours.fraction
    neighbours = replace(neighbours, followed=motion.follow(model.vae, bounding, field, fraction))
    context, when = net.context(neighbours), torch.zeros(batch, device=device)
    work: dict[str, Callable[[], Any]] = {
        "encode": lambda: model.vae.encode(slices),
        "motion": lambda: motion.find(bounding, neighbours.reach[:, 0]),
        "follow": lambda: motion.follow(model.vae, bounding, field, fraction),
        "condition": lambda: net.context(neighbours),
        "denoise": lambda: net.velocity(latents, when, when + 1, context, None),
        "decode": lambda: model.vae.decode(latents),
    }
    return {name: _fastest(part, repeats, device) / batch for name, part in work.items()}


def _fastest(work: Callable[[], Any], repeats: int, device: torch.device) -> float:
    """Seconds of the fastest of ``repeats`` calls, after one to warm up."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])
