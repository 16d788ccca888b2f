"""Synthesis of missing slices on the model's pixel grid: encode, draw, decode; in tiles where memory asks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from calid.conditioning import Neighbours
from calid.fill import FillStep
from calid.parallel import Tick, run_all
from calid.plan import DensePlan, Target
from calid.sampler import AnchoredNoise, sample_latents
from calid.tiles import Window, tile_weights, tile_windows
from calid.weights import CalidModel

BATCH_PIXELS = 6 * 240 * 240
"""Of one batch on an accelerator. A CPU works slice by slice: see :mod:`calid.parallel`."""


@dataclass(frozen=True)
class Sampling:
    """How often, how finely and how boldly to draw; see :func:`calid.sampler.sample_latents`.

    :param follow: how much of interpolation along the motion is mixed into the mean. The mean has the least error on
        patients like those of the training; what comes along the motion is this patient's own texture.
    """

    samples: int
    steps: int
    seed: int
    detail: float
    follow: float
    conditioned: bool = False


MIRRORS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2))
"""Axes along which the slices are mirrored for a sample, in turn: no side of the heart is special to what the networks
learned, so the mean over views has less error than each of them."""

Decoded = Callable[[int, np.ndarray], None]
"""Called with a dense index and what was made of it (planes, rows, columns) in network units: the slice and, once for
each index and if asked for, the standard deviation of the real slice around the mean. In any thread, but never twice at
a time for the same index."""


class Known(NamedTuple):
    """A slice (1, rows, columns) in network units and its latents (c, h, w)."""

    slice: Tensor
    latents: Tensor


class Synthesiser:
    """Fills the missing slices of stacks that share one plan, one model and one sampling."""

    def __init__(
        self,
        model: CalidModel,
        plan: DensePlan,
        rounds: list[list[FillStep]],
        sampling: Sampling,
        on_step: Callable[[], None],
        tile: int,
    ) -> None:
        self.model, self.plan, self.rounds, self.sampling = model, plan, rounds, sampling
        self.on_step, self.tile = on_step, tile
        self.device = next(model.vae.parameters()).device
        self.targets = {t.index: t for t in plan.targets}

    def count_steps(self, shape: tuple[int, int]) -> int:
        """Denoising calls for one stack on a model grid of ``shape``; equals the calls of ``on_step``."""
        sizes = [self._batch_size(window) for window in tile_windows(shape, self.tile)]
        batches = sum(math.ceil(len(steps) / size) for size in sizes for steps in self.rounds)
        return batches * self.sampling.samples * self.sampling.steps

    def run(self, slices: np.ndarray, decoded: Decoded, deviation: bool = False) -> None:
        """Synthesise every sample from acquired ``slices`` (k, rows, columns) in network units on the model grid."""
        for sample in range(self.sampling.samples):
            axes = MIRRORS[sample % len(MIRRORS)]

            def mirrored(index: int, planes: np.ndarray, axes: tuple[int, ...] = axes) -> None:
                decoded(index, np.flip(planes, axes))

            self._run_sample(sample, np.flip(slices, axes).copy(), mirrored, deviation and sample == 0)

    def _run_sample(self, sample: int, slices: np.ndarray, decoded: Decoded, deviation: bool) -> None:
        windows = tile_windows(slices.shape[1:], self.tile)
        if len(windows) == 1:
            self._run_window(sample, slices, windows[0], decoded, deviation)
            return
        mosaic: dict[int, np.ndarray] = {}
        for window, weight in zip(windows, tile_weights(windows, slices.shape[1:]), strict=True):

            def add(index: int, planes: np.ndarray, window: Window = window, weight: Any = weight) -> None:
                whole = mosaic.setdefault(index, np.zeros((len(planes), *slices.shape[1:]), np.float32))
                whole[(slice(None), *window)] += planes * weight

            self._run_window(sample, slices, window, add, deviation)
        for index, whole in mosaic.items():
            decoded(index, whole)

    def _run_window(self, sample: int, slices: np.ndarray, window: Window, decoded: Decoded, deviation: bool) -> None:
        size = self._batch_size(window)
        noise = _WindowNoise(self.sampling.seed, slices.shape, window, self.model)
        known = self._encode(slices[(slice(None), *window)], size)

        def run_batch(steps: Sequence[FillStep], on_step: Tick) -> None:
            drawn = torch.stack([noise.at(sample, self.targets[s.index]) for s in steps])
            latents, planes = self._synthesise(self._gather(steps, known), drawn, deviation, on_step)
            for step, latent, made in zip(steps, latents, planes, strict=True):
                known[step.index] = Known(made[:1], latent)
                decoded(step.index, made.cpu().numpy())

        for steps in self.rounds:
            batches = [steps[start : start + size] for start in range(0, len(steps), size)]
            run_all(run_batch, batches, self.device, self.on_step)

    def _synthesise(
        self, neighbours: Neighbours, noise: Tensor, deviation: bool, on_step: Tick
    ) -> tuple[Tensor, Tensor]:
        """Latents (n, c, h, w) drawn between ``neighbours``, and planes (n, 1 or 2, rows, columns) as decoded."""
        model, sampling = self.model.interpolator, self.sampling
        context = model.context(neighbours)
        start = context.toward(neighbours.along_motion, sampling.follow)
        latents = sample_latents(
            model, start, noise, sampling.steps, sampling.detail, sampling.conditioned, on_step
        ).float()
        planes = [self.model.vae.decode(latents).float()]
        if deviation:
            planes.append(model.standard_deviation(context, neighbours))
        return latents, torch.cat(planes, dim=1)

    def _batch_size(self, window: Window) -> int:
        rows, columns = window
        pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
        return 1 if self.device.type == "cpu" else max(1, BATCH_PIXELS // pixels)

    def _encode(self, slices: np.ndarray, size: int) -> dict[int, Known]:
        """By dense index, the acquired slices that are a neighbour of a missing one."""
        wanted = {i for steps in self.rounds for step in steps for i in step.neighbours}
        sources = {i: k for i, k in enumerate(self.plan.acquired) if k is not None and i in wanted}
        pixels = torch.from_numpy(slices[list(sources.values())])[:, None].to(self.device)

        def encode(part: Tensor, on_step: Tick) -> Tensor:
            return self.model.vae.encode(part).float()

        latents = torch.cat(run_all(encode, pixels.split(size), self.device, lambda: None))
        return {index: Known(*pair) for index, pair in zip(sources, zip(pixels, latents, strict=True), strict=True)}

    def _gather(self, steps: Sequence[FillStep], known: dict[int, Known]) -> Neighbours:
        """Neighbours of a batch; an absent one is zero."""
        blank = torch.zeros_like(next(iter(known.values())).latents)
        rows = [[known[i].latents if i is not None else blank for i in s.neighbours] for s in steps]
        positions = self.plan.positions
        distance = [
            [abs(positions[i] - positions[s.index]) if i is not None else 0.0 for i in s.neighbours] for s in steps
        ]
        present = [[float(i is not None) for i in s.neighbours] for s in steps]
        neighbours = Neighbours(
            torch.stack([torch.stack(row) for row in rows]),
            torch.tensor(present, device=self.device),
            torch.tensor(distance, dtype=torch.float32, device=self.device),
        )
        bounding = torch.stack([torch.cat([known[i].slice for i in s.neighbours[1:3]]) for s in steps])
        return replace(neighbours, followed=self.model.motion.follow(self.model.vae, bounding, neighbours))


class _WindowNoise:
    """The noise of the whole field of view, cut to one window: tiles agree where they overlap."""

    def __init__(self, seed: int, shape: Sequence[int], window: Window, model: CalidModel) -> None:
        factor, channels = model.vae.config.factor, model.vae.config.latent_channels
        self.field = AnchoredNoise(seed, shape[0], (channels, shape[1] // factor, shape[2] // factor))
        self.window = tuple(slice(w.start // factor, w.stop // factor) for w in window)

    def at(self, sample: int, target: Target) -> Tensor:
        """(c, h, w) in the view of the sample: mirrored like its slices, so that it is the same noise for the heart."""
        whole = self.field.at(sample, target.below, target.fraction).flip(MIRRORS[sample % len(MIRRORS)])
        return whole[(slice(None), *self.window)]
