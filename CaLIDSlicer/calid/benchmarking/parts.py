"""Where the time goes: reading a gap, and, where detail is asked for, encoding, denoising and decoding each slice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from calid.model.denoiser import reach_of
from calid.model.gap import GapNeighbours
from calid.model.weights import CalidModel
from calid.reconstruction.parallel import run_all
from calid.reconstruction.reconstruct import choose_sampling


def time_parts(model: CalidModel, shape: Sequence[int], repeats: int) -> dict[str, Any]:
    """Seconds that each part takes one worker, on a model grid of ``shape``.

    ``gap`` is all slices of a gap, read in both directions. ``detail`` is what one slice costs beyond that: its mean is
    encoded, denoised and, like the result, decoded.
    """
    (seconds,) = run_all(lambda item, tick: _time_parts(model, shape, repeats), [0], model.device, lambda: None)
    steps = choose_sampling(model).steps
    detail = seconds["encode"] + steps * seconds["denoise"] + 2 * seconds["decode"]
    return {"steps": steps, **seconds, "detail": detail}


def _time_parts(model: CalidModel, shape: Sequence[int], repeats: int) -> dict[str, float]:
    net, device = model.denoiser, model.device
    near = GapNeighbours.around(torch.zeros(6, *shape, device=device), 10.0 * np.arange(6), range(6), 8.0)
    slices = torch.zeros(1, 1, *shape, device=device)
    latents, when = model.vae.encode(slices).float(), torch.zeros(1, device=device)
    reach = reach_of(near.gap, when + 0.5)
    work: dict[str, Callable[[], Any]] = {
        "gap": lambda: (model.gap.beyond_linear(near), model.gap.beyond_linear(near.reversed())),
        "encode": lambda: model.vae.encode(slices),
        "denoise": lambda: net.velocity(latents, when, when + 1, reach),
        "decode": lambda: model.vae.decode(latents),
    }
    return {name: _fastest(part, repeats, device) for name, part in work.items()}


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
