"""The learned baselines as methods: regression and diffusion in pixel space, with weights from a file.

Their weights are not shipped. The file tells its architecture, so that its name is all that a method needs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from calid.baselines.conditioning import Neighbours
from calid.baselines.pixel_models import KINDS, PixelModel, PixelModelConfig, PixelSpace
from calid.errors import UnusableInput
from calid.model.sampler import AnchoredNoise
from calid.model.weights import load_weights
from calid.reconstruction.device import autocast, choose_device
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.stacks.plan import DensePlan, Target
from calid.stacks.stack import SliceStack

BATCH = 8  # slices at once on an accelerator; a processor gains nothing from more than one


def save_baseline(net: PixelModel, kind: str, path: Path) -> None:
    """Write fp16 weights and what :func:`load_baseline` has to know about them."""
    state = {name: tensor.half().contiguous() for name, tensor in net.state_dict().items()}
    save_file(state, path, {"kind": kind, "architecture": json.dumps(asdict(net.config))})


@cache
def load_baseline(kind: str, weights: str | None, device: str = "auto") -> PixelModel:
    """A trained baseline on a device, in evaluation mode.

    :raises UnusableInput: if no file is given, or the file is not one of this baseline.
    """
    remedy = f"train it with calid train {kind}, and name the file as {kind}:weights=FILE"
    if weights is None:
        raise UnusableInput(f"the weights of {kind} are not shipped", remedy)
    try:
        with safe_open(weights, "pt") as file:
            about = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UnusableInput(f"{weights} cannot be read: {error}", remedy) from error
    if about.get("kind") != kind:
        raise UnusableInput(f"{weights} holds no weights of {kind}", remedy)
    config = PixelModelConfig(**json.loads(about["architecture"]))
    return load_weights(KINDS[kind](config), Path(weights), choose_device(device))


@dataclass(frozen=True)
class LearnedFill:
    """The method of a trained baseline: every missing slice straight from the acquired ones.

    Of several samples it gives the mean, and their standard deviation as uncertainty.
    """

    net: PixelModel
    samples: int = 1
    steps: int = 1
    seed: int = 0

    def __call__(self, stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, np.ndarray | None]:
        """Dense voxels and uncertainty, float32 (phases, dense slices, rows, columns), in the input's units."""
        config, scale = self.net.config, IntensityScale.of(stack.voxels)
        grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, config.pixel, config.multiple)
        acquired = [index for index, source in enumerate(plan.acquired) if source is not None]
        missing = [target.index for target in plan.targets]
        dense = np.empty((len(stack.voxels), len(plan.positions), *stack.voxels.shape[2:]), np.float32)
        spread = np.zeros_like(dense)
        for phase, voxels in enumerate(stack.voxels):
            drawn = self._draw(grid.to_model(scale.normalise(voxels)), stack.positions, plan)
            made = scale.restore(grid.from_model(drawn)).clip(voxels.min(), voxels.max())
            dense[phase, acquired] = voxels
            dense[phase, missing], spread[phase, missing] = made.mean(axis=0), made.std(axis=0)
        return dense, spread if self.samples > 1 else None

    def _draw(self, slices: np.ndarray, positions: np.ndarray, plan: DensePlan) -> np.ndarray:
        """(samples, targets, rows, columns) from the acquired (k, rows, columns); network units, model grid."""
        device, space = next(self.net.parameters()).device, PixelSpace(self.net.config.factor)
        latents = space.encode(torch.from_numpy(slices)[:, None].to(device))
        field = AnchoredNoise(self.seed, len(latents), (latents.shape[1], latents.shape[2], latents.shape[3]))
        size = 1 if device.type == "cpu" else BATCH
        made = []
        with torch.inference_mode(), autocast(device):
            for start in range(0, len(plan.targets), size):
                targets = plan.targets[start : start + size]
                context = self.net.encoder(_neighbours(latents, positions, plan, targets))
                drawn = [self.net.draw(context, _noise(field, n, targets), self.steps) for n in range(self.samples)]
                made.append(np.stack([space.decode(one.float())[:, 0].cpu().numpy() for one in drawn]))
        return np.concatenate(made, axis=1)


def _noise(field: AnchoredNoise, sample: int, targets: Sequence[Target]) -> Tensor:
    return torch.stack([field.at(sample, t.below, t.fraction) for t in targets])


def _neighbours(latents: Tensor, positions: np.ndarray, plan: DensePlan, targets: Sequence[Target]) -> Neighbours:
    """The four slices around each target, of acquired ``latents`` (k, c, h, w) at ``positions`` (mm)."""
    wanted = np.array([[t.below - 1, t.below, t.above, t.above + 1] for t in targets])
    present = (wanted >= 0) & (wanted < len(latents))
    nearest = wanted.clip(0, len(latents) - 1)
    here = plan.positions[[t.index for t in targets]]
    distance = np.abs(positions[nearest] - here[:, None]) * present
    mask = torch.from_numpy(present).to(latents)
    around = latents[torch.from_numpy(nearest).to(latents.device)] * mask[:, :, None, None, None]
    return Neighbours(around, mask, torch.from_numpy(distance).to(latents))
