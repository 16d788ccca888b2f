"""How fast, how large, and how much faster than what: ``calid benchmark``.

Times depend on the machine, so all of one report come from one run, and the claims are ratios.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calid.atomic import write_json
from calid.baselines.pixel_models import PixelModelConfig
from calid.benchmarking import settings
from calid.benchmarking.heart import time_heart
from calid.benchmarking.machine import describe_machine
from calid.benchmarking.parts import time_parts
from calid.benchmarking.reference import time_diffusion_autoencoder, time_pixel_diffusion
from calid.benchmarking.settings import Settings
from calid.benchmarking.studies import time_study
from calid.benchmarking.tables import format_report
from calid.benchmarking.volume import time_command, time_loaded
from calid.model.weights import CalidModel, load_model
from calid.reconstruction.device import choose_device
from calid.reconstruction.inplane import InplaneGrid


def benchmark(device: str = "auto", out: Path | None = None, quick: bool = False) -> dict[str, Any]:
    """Measure everything, print it as Markdown and write it to ``out`` (.json) if asked for.

    :param quick: tiny sizes: everything runs, but the times mean nothing.
    :raises OutOfResources: if memory or the device is missing.
    :raises WeightsError: if the weights are missing or altered.
    """
    report = measure(settings.quick() if quick else settings.full(), device)
    if out is not None:
        write_json(out, report)
    print(format_report(report))
    return report


def measure(what: Settings, device: str) -> dict[str, Any]:
    """The report; seconds end in ``_s``, memory in ``_bytes``."""
    where = choose_device(device)
    # First of all, while this process does not yet hold memory that the child might want.
    command = time_command(what.standard, device)
    model = load_model(device=where)
    standard = time_loaded(model, what.standard, what.repeats)
    references = {
        "pixel_diffusion": time_pixel_diffusion(what.pixel_model, what.pixel_steps, what.standard, where),
        "wide_pixel_diffusion": time_pixel_diffusion(_as_wide(model), what.pixel_steps, what.standard, where),
        "diffusion_autoencoder": time_diffusion_autoencoder(what.autoencoder, what.standard, where, what.repeats),
    }
    for reference in references.values():
        reference["ratio"] = reference["compute_s"] / standard["compute_s"]
    return {
        "machine": describe_machine(where),
        "model": model.id,
        "command": command,
        "standard": standard,
        "references": references,
        "growth": {name: [time_loaded(model, job, what.repeats) for job in jobs] for name, jobs in what.growth.items()},
        "parts": _parts(model, what),
        "study": time_study(what.study),
        "heart": time_heart(what.heart, device),
    }


def _as_wide(model: CalidModel) -> PixelModelConfig:
    """The denoiser of a model, moved to pixel space: what the latent space itself saves."""
    like = model.denoiser.config
    return PixelModelConfig(model.pixel, 1, like.channels, like.blocks, like.embedding)


def _parts(model: CalidModel, what: Settings) -> dict[str, Any]:
    stack = what.standard.stack
    grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, model.pixel, model.multiple)
    return time_parts(model, grid.model_shape, what.repeats)
