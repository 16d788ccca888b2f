"""Loading the weights of a models folder (see :mod:`calid.model.manifest`); every load checks every file's SHA256."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from calid.errors import WeightsError
from calid.model.denoiser import DenoiserConfig, LatentDenoiser
from calid.model.gap import GapConfig, GapNet
from calid.model.keeping import kept
from calid.model.layers import Net, channels_last
from calid.model.manifest import REMEDY, find_models, read_manifest, verify_model
from calid.model.vae import SliceAutoencoder, VaeConfig


@dataclass(frozen=True)
class CalidModel:
    """Both stages, ready on a device, with what the manifest says of them.

    :param gap: tau_theta1, which proposes the mean of a gap.
    :param vae: the latent space in which diffusion starts from that mean.
    :param pixel: mm of the model's grid.
    :param defaults: of :class:`~calid.model.sampler.Sampling`.
    """

    id: str
    sha256: dict[str, str]
    gap: GapNet
    vae: SliceAutoencoder
    denoiser: LatentDenoiser
    pixel: float
    defaults: dict[str, Any]

    @property
    def multiple(self) -> int:
        """Rows and columns of the model grid must be a multiple of this."""
        return math.lcm(self.gap.multiple, self.vae.config.factor * self.denoiser.config.multiple)

    @property
    def device(self) -> torch.device:
        """The one that it is on."""
        return self.vae.latent_mean.device


@kept
def load_model(models: str | Path | None = None, device: str | torch.device = "cpu") -> CalidModel:
    """Verify and load the default model of a models folder onto a device, in evaluation mode.

    :raises WeightsError: if anything is missing, altered, or of another version of the program.
    """
    folder = find_models(models)
    entry = read_manifest(folder)
    hashes = verify_model(folder, entry)
    architecture = entry["architecture"]
    lacking = {"gap", "vae", "denoiser"} - set(architecture)
    if lacking:
        raise WeightsError(
            f"the model {entry['id']} in {folder} is of another version of CaLIDSlicer: it lacks {min(lacking)}",
            REMEDY,
        )
    nets = {
        "gap": GapNet(GapConfig.of(architecture["gap"])),
        "vae": SliceAutoencoder(VaeConfig(**architecture["vae"])),
        "denoiser": LatentDenoiser(DenoiserConfig(**architecture["denoiser"])),
    }
    for name, net in nets.items():
        load_weights(net, folder / entry["id"] / f"{name}.safetensors", device)
    return CalidModel(entry["id"], hashes, **nets, pixel=architecture["pixel"], defaults=entry["defaults"])  # type: ignore[arg-type]


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
