"""The model weights: where they are, whether they are the ones that were measured, and loading them.

A models folder holds ``manifest.json`` and one folder per model with its safetensors. The manifest names two of them by
their role: ``"default"`` makes slices, ``"segmenter"`` labels them. Every load checks the SHA256 of every file: a
result must be traceable to the weights that made it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from calid.denoiser import DenoiserConfig, LatentInterpolator
from calid.errors import WeightsError
from calid.layers import Net, channels_last
from calid.motion import MotionConfig, MotionEstimator
from calid.segmentation import SegmentationConfig, SegmentationNet, Segmenter
from calid.vae import SliceAutoencoder, VaeConfig

MODELS_VARIABLE = "CALID_MODELS"
_REMEDY = "reinstall CaLIDSlicer, or point the models folder at an intact copy of Resources/Models"


@dataclass(frozen=True)
class CalidModel:
    """Both stages, ready on a device, with what the manifest says of them."""

    id: str
    sha256: dict[str, str]
    vae: SliceAutoencoder
    motion: MotionEstimator
    interpolator: LatentInterpolator
    pixel: float
    defaults: dict[str, Any]

    @property
    def multiple(self) -> int:
        """Rows and columns of the model grid must be a multiple of this."""
        return math.lcm(self.vae.config.factor * self.interpolator.config.multiple, self.motion.config.multiple)


def find_models(folder: str | Path | None = None) -> Path:
    """The models folder: the given one, ``$CALID_MODELS``, or the bundled one of an installed or a source tree."""
    here = Path(__file__).resolve().parent
    bundled = [here / "models", here.parent / "Resources" / "Models", here.parents[1] / "Resources" / "Models"]
    named = folder or os.environ.get(MODELS_VARIABLE)
    candidates = [Path(named)] if named else bundled
    for candidate in candidates:
        if (candidate / "manifest.json").is_file():
            return candidate
    raise WeightsError(f"no manifest.json in {' or '.join(str(c) for c in candidates)}", _REMEDY)


def read_manifest(folder: Path, role: str = "default") -> dict[str, Any]:
    """The entry of the model with a role: ``"default"`` or ``"segmenter"``."""
    manifest = _manifest(folder)
    try:
        return next(m for m in manifest["models"] if m["id"] == manifest[role])
    except (KeyError, StopIteration) as error:
        raise WeightsError(f"{folder / 'manifest.json'} has no {role} model: {error!r}", _REMEDY) from error


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read: {error!r}", _REMEDY) from error


def verify(path: Path, expected: str) -> None:
    """Raise :class:`WeightsError`, naming both hashes, unless the file has the expected SHA256."""
    if not path.is_file():
        raise WeightsError(f"{path} is missing (expected SHA256 {expected})", _REMEDY)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise WeightsError(f"{path} is altered: SHA256 {found}, expected {expected}", _REMEDY)


def load_model(models: str | Path | None = None, device: str | torch.device = "cpu") -> CalidModel:
    """Verify and load the default model of a models folder onto a device, in evaluation mode.

    :raises WeightsError: if anything is missing or altered.
    """
    folder = find_models(models)
    entry = read_manifest(folder)
    hashes = _verify_files(folder, entry)
    architecture = entry["architecture"]
    vae = SliceAutoencoder(VaeConfig(**architecture["vae"]))
    motion = MotionEstimator(MotionConfig(**architecture["motion"]))
    interpolator = LatentInterpolator(DenoiserConfig(**architecture["denoiser"]))
    for name, net in {"vae": vae, "motion": motion, "interpolator": interpolator}.items():
        load_weights(net, folder / entry["id"] / f"{name}.safetensors", device)
    return CalidModel(entry["id"], hashes, vae, motion, interpolator, architecture["pixel"], entry["defaults"])


def has_segmenter(models: str | Path | None = None) -> bool:
    """Whether a models folder comes with a segmentation network; it is complete without."""
    return "segmenter" in _manifest(find_models(models))


def load_segmenter(models: str | Path | None = None, device: str | torch.device = "cpu") -> Segmenter:
    """Verify and load the segmentation network of a models folder onto a device, in evaluation mode.

    :raises WeightsError: if there is none, or anything of it is missing or altered.
    """
    folder = find_models(models)
    entry = read_manifest(folder, "segmenter")
    hashes = _verify_files(folder, entry)
    architecture = entry["architecture"]
    net = SegmentationNet(SegmentationConfig(**architecture["segmentation"]))
    load_weights(net, folder / entry["id"] / "segmentation.safetensors", device)
    return Segmenter(entry["id"], hashes, net, architecture["pixel"])


def _verify_files(folder: Path, entry: dict[str, Any]) -> dict[str, str]:
    """SHA256 of every file of a model by its name, after all of them were found to be as they should."""
    hashes = {name: about["sha256"] for name, about in entry["files"].items()}
    for name, expected in hashes.items():
        verify(folder / entry["id"] / name, expected)
    return hashes


def load_weights(net: Net, path: Path, device: str | torch.device = "cpu") -> Net:
    """The network with the weights of a safetensors file, frozen, in evaluation mode, on a device.

    :raises WeightsError: if they are the weights of another architecture.
    """
    state = {name: tensor.float() for name, tensor in load_file(path).items()}
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit the architecture in the manifest: {error}", _REMEDY) from error
    return channels_last(net.eval().requires_grad_(False).to(device))
