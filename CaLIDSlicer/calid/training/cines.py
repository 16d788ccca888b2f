"""What the temporal part learns from: a missing slice at every phase of a cine, as the spatial model sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from calid.cohorts.acdc import split_patients
from calid.model.conditioning import Context, Neighbours
from calid.model.denoiser import LatentInterpolator
from calid.model.motion import MotionEstimator
from calid.model.vae import SliceAutoencoder
from calid.reconstruction.device import CPU, autocast
from calid.training.augment import Augmentation, change_contrast, crop_stack
from calid.training.data import model_slices, read_cine
from calid.training.examples import neighbours_of

THIN = 7.0
"""Gaps in mm below which slices further apart are left out too."""


@dataclass(frozen=True)
class Cine:
    """All phases of one patient: ``slices`` (phases, k, rows, columns) in network units, ``gap`` mm between them."""

    patient: str
    slices: Tensor
    gap: float


@dataclass(frozen=True)
class Beat:
    """One missing slice through the heart cycle, each tensor (phases, ...), half precision where it is large.

    :param slices: (phases, 1, rows, columns) the true slices.
    :param latents: (phases, c, h, w) of the true slices.
    """

    context: Context
    neighbours: Neighbours
    slices: Tensor
    latents: Tensor

    def at(self, phases: range) -> Beat:
        """The same slice at some of the phases, in single precision."""
        context, near = self.context, self.neighbours
        features, reach = [f[phases].float() for f in context.features], context.reach[phases]
        assert near.followed is not None
        return Beat(
            Context(context.mean[phases], features, reach),
            Neighbours(
                near.latents[phases].float(), near.present[phases], near.distance[phases], near.followed[phases].float()
            ),
            self.slices[phases].float(),
            self.latents[phases].float(),
        )


def load_cines(data: Path, split: str, pixel: float) -> list[Cine]:
    """The cines of a split on the model's pixel grid, without resampling in time."""
    cines = []
    for patient in split_patients(split):
        stack = read_cine(data, patient)
        if stack is not None:
            slices = torch.from_numpy(model_slices(stack, pixel)).float()
            cines.append(Cine(patient, slices, float(stack.gaps[0])))
    return cines


@dataclass(frozen=True)
class Spatial:
    """The spatial model, frozen: what it says of a slice is computed once and learned from many times."""

    vae: SliceAutoencoder
    motion: MotionEstimator
    interpolator: LatentInterpolator

    def beats(self, cine: Cine, how: Augmentation, rng: Generator) -> Iterator[Beat]:
        """Every slice of one random view of a cine that can be predicted from slices around it."""
        phases, count = cine.slices.shape[:2]
        centre = tuple((size - 1) / 2 for size in cine.slices.shape[2:])
        view, zoom = crop_stack(cine.slices.flatten(0, 1), (centre[0], centre[1]), how, rng)
        view = change_contrast(view, how, rng).unflatten(0, (phases, count))
        latents = torch.stack([self._encode(slices) for slices in view])
        for half in (1, 2) if cine.gap < THIN else (1,):
            for here in range(half, count - half):
                outer = torch.rand(2, generator=rng) >= 0.15
                yield self._beat(view, latents, here, half, cine.gap / zoom, (bool(outer[0]), bool(outer[1])))

    def _encode(self, slices: Tensor) -> Tensor:
        """Latents (n, c, h, w) of ``slices`` (n, rows, columns)."""
        with torch.inference_mode(), autocast(CPU):
            return self.vae.encode(slices[:, None].contiguous(memory_format=torch.channels_last)).float()

    def _beat(self, view: Tensor, latents: Tensor, here: int, half: int, gap: float, outer: tuple[bool, bool]) -> Beat:
        phases, count = latents.shape[:2]
        indices = [here - 3 * half, here - half, here + half, here + 3 * half]
        present = [outer[0] and indices[0] >= 0, True, True, outer[1] and indices[3] < count]
        neighbours = neighbours_of(here, indices, present, latents, gap)
        bounding = view[:, [here - half, here + half]]
        parts = [self._condition(neighbours, bounding, t) for t in range(phases)]
        contexts, followed = zip(*parts, strict=True)
        context = Context(
            torch.cat([c.mean for c in contexts]).float(),
            [torch.cat([c.features[0] for c in contexts]).bfloat16()],
            torch.cat([c.reach for c in contexts]),
        )
        near = neighbours.latents.bfloat16()
        neighbours = replace(neighbours, latents=near, followed=torch.cat(followed).bfloat16())
        return Beat(context, neighbours, view[:, here, None].bfloat16(), latents[:, here].bfloat16())

    def _condition(self, neighbours: Neighbours, bounding: Tensor, phase: int) -> tuple[Context, Tensor]:
        whole = (neighbours.latents, neighbours.present, neighbours.distance)
        one = Neighbours(*(part[phase : phase + 1] for part in whole))
        with torch.inference_mode(), autocast(CPU):
            field = self.motion.find(bounding[phase : phase + 1], one.reach[:, 0])
            followed = self.motion.follow(self.vae, bounding[phase : phase + 1], field, one.fraction)
            return self.interpolator.context(replace(one, followed=followed)), followed
