"""Loading the weights of a models folder (see :mod:`calid.model.manifest`); every load checks every file's SHA256."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from calid.errors import WeightsError
from calid.model.denoiser import DenoiserConfig, LatentInterpolator
from calid.model.layers import Net, channels_last
from calid.model.manifest import REMEDY, find_models, read_manifest, verify_model
from calid.model.motion import MotionConfig, MotionEstimator
from calid.model.temporal import TemporalConfig, TemporalCorrection
from calid.model.vae import SliceAutoencoder, VaeConfig


@dataclass(frozen=True)
class CalidModel:
    """Both stages, ready on a device, with what the manifest says of them.

    :param temporal: what makes it 2D+T; a model may come without.
    """

    id: str
    sha256: dict[str, str]
    vae: SliceAutoencoder
    motion: MotionEstimator
    interpolator: LatentInterpolator
    pixel: float
    defaults: dict[str, Any]
    temporal: TemporalCorrection | None = None

    @property
    def multiple(self) -> int:
        """Rows and columns of the model grid must be a multiple of this."""
        return math.lcm(self.vae.config.factor * self.interpolator.config.multiple, self.motion.config.multiple)


def load_model(models: str | Path | None = None, device: str | torch.device = "cpu") -> CalidModel:
    """Verify and load the default model of a models folder onto a device, in evaluation mode.

    :raises WeightsError: if anything is missing or altered.
    """
    folder = find_models(models)
    entry = read_manifest(folder)
    hashes = verify_model(folder, entry)
    architecture = entry["architecture"]
    vae = SliceAutoencoder(VaeConfig(**architecture["vae"]))
    motion = MotionEstimator(MotionConfig(**architecture["motion"]))
    interpolator = LatentInterpolator(DenoiserConfig(**architecture["denoiser"]))
    nets = {"vae": vae, "motion": motion, "interpolator": interpolator}
    temporal = None
    if "temporal" in architecture:
        nets["temporal"] = temporal = TemporalCorrection(TemporalConfig(**architecture["temporal"]))
    for name, net in nets.items():
        load_weights(net, folder / entry["id"] / f"{name}.safetensors", device)
    pixel, defaults = architecture["pixel"], entry["defaults"]
    return CalidModel(entry["id"], hashes, vae, motion, interpolator, pixel, defaults, temporal)


def load_weights(net: Net, path: Path, device: str | torch.device = "cpu") -> Net:
    """The network with the weights of a safetensors file, frozen, in evaluation mode, on a device.

    :raises WeightsError: if they are the weights of another architecture.
    """
    state = {name: tensor.float() for name, tensor in load_file(path).items()}
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit the architecture in the manifest: {error}", REMEDY) from error
    return channels_last(net.eval().requires_grad_(False).to(device))
