"""Small stacks that every backend test can have."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from safetensors.torch import save_file

import calid
from calid.model.denoiser import DenoiserConfig, LatentDenoiser
from calid.model.gap import GapConfig, GapNet
from calid.model.vae import SliceAutoencoder, VaeConfig
from calid.model.weights import CalidModel
from calid.stacks.stack import SliceStack
from calid.training.publish import publish

AFFINE = np.array([[1.5, 0, 0, -90], [0, 1.4, 0, -120], [0, 0, 8, 30], [0, 0, 0, 1]], dtype=float)


@pytest.fixture
def stack() -> SliceStack:
    """Four slices 8 mm apart, int16."""
    voxels = np.random.default_rng(0).integers(-5, 900, (4, 12, 10)).astype(np.int16)
    return SliceStack.from_affine(voxels, AFFINE)


@pytest.fixture
def cine() -> SliceStack:
    """Three phases of five slices 6 mm apart, uint8, 30 ms apart; all much alike, as those of a heart are."""
    rng = np.random.default_rng(1)
    voxels = (rng.integers(0, 200, (9, 8)) + rng.integers(0, 50, (3, 5, 9, 8))).astype(np.uint8)
    return SliceStack.from_affine(voxels, np.diag([1.2, 1.2, 6, 1]), times=(0.0, 0.03, 0.06))


@pytest.fixture(scope="session")
def tiny_model() -> CalidModel:
    """Small networks with random weights, none of them silent: enough for all that does not depend on quality."""
    torch.manual_seed(0)
    vae = SliceAutoencoder(VaeConfig(channels=(8, 8, 8), latent_channels=2, norm_groups=4))
    gap = GapNet(GapConfig(channels=(8, 8), down=(1, 1), up=(1,), embedding=8))
    denoiser = LatentDenoiser(DenoiserConfig(2, 4, (8, 8), 1, 16))
    for net in (vae, gap, denoiser):
        net.eval().requires_grad_(False)
    for net in (gap, denoiser):
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    defaults = {"samples": 1, "steps": 2, "detail": 1.0}
    return CalidModel("tiny", {}, gap, vae, denoiser, 1.5, defaults)


@pytest.fixture(scope="session")
def tiny_models(tiny_model: CalidModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder that holds the small networks."""
    folder = tmp_path_factory.mktemp("tiny")
    nets = {name: getattr(tiny_model, name) for name in ("gap", "vae", "denoiser")}
    files = {f"{name}.safetensors": folder / f"{name}.part" for name in nets}
    for net, path in zip(nets.values(), files.values(), strict=True):
        save_file({key: value.contiguous() for key, value in net.state_dict().items()}, path)
    architecture = {"pixel": tiny_model.pixel, **{name: asdict(net.config) for name, net in nets.items()}}
    publish({"id": "tiny", "defaults": tiny_model.defaults}, architecture, files, folder / "models", "default")
    return folder / "models"


@pytest.fixture
def write_slice() -> Callable[..., None]:
    """Writes one slice ``(rows, columns)`` with its affine (LPS) as a 3D file of one slice."""

    def write(path: object, voxels: np.ndarray, affine: np.ndarray) -> None:
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        image = sitk.GetImageFromArray(voxels[np.newaxis])
        image.SetSpacing(spacing.tolist())
        image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
        image.SetOrigin(affine[:3, 3].tolist())
        sitk.WriteImage(image, str(path))

    return write


@pytest.fixture
def fake_command() -> Callable[..., list[str]]:
    """The command line of the worker or of ``calid``, with a reconstruction that behaves as named."""

    def command(behaviour: str, program: str, *arguments: object) -> list[str]:
        script = Path(__file__).with_name("fake_reconstruct.py")
        return [sys.executable, str(script), behaviour, program, *map(str, arguments)]

    return command


@pytest.fixture
def child_environment() -> dict[str, str]:
    """Environment in which a child process finds the package under test."""
    return os.environ | {"PYTHONPATH": str(Path(calid.__file__).parents[1])}
