"""Synthesis of missing slices on the model's pixel grid: encode, draw, decode; in tiles where memory asks for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from calid.conditioning import Context, Neighbours
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
    """How often, how finely and how boldly to draw."""

    samples: int
    steps: int
    seed: int
    temperature: float


Decoded = Callable[[int, int, np.ndarray], None]
"""Called with (sample, dense index, normalised slice (rows, columns)); in any thread, but never twice at a time for
the same dense index."""


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

    def run(self, slices: np.ndarray, decoded: Decoded) -> None:
        """Synthesise from acquired ``slices`` (k, rows, columns) in network units on the model grid."""
        windows = tile_windows(slices.shape[1:], self.tile)
        if len(windows) == 1:
            self._run_window(slices, windows[0], decoded)
            return
        mosaic: dict[tuple[int, int], np.ndarray] = {}
        for window, weight in zip(windows, tile_weights(windows, slices.shape[1:]), strict=True):

            def add(sample: int, index: int, part: np.ndarray, window: Window = window, weight: Any = weight) -> None:
                whole = mosaic.setdefault((sample, index), np.zeros(slices.shape[1:], np.float32))
                whole[window] += part * weight

            self._run_window(slices, window, add)
        for (sample, index), whole in mosaic.items():
            decoded(sample, index, whole)

    def _run_window(self, slices: np.ndarray, window: Window, decoded: Decoded) -> None:
        size = self._batch_size(window)
        noise = _WindowNoise(self.sampling.seed, slices.shape, window, self.model)
        acquired = self._encode(slices[(slice(None), *window)], size)
        known = [dict(acquired) for _ in range(self.sampling.samples)]

        def run_batch(steps: Sequence[FillStep], on_step: Tick) -> None:
            self._run_batch(steps, known, noise, decoded, on_step)

        for steps in self.rounds:
            batches = [steps[start : start + size] for start in range(0, len(steps), size)]
            run_all(run_batch, batches, self.device, self.on_step)

    def _batch_size(self, window: Window) -> int:
        rows, columns = window
        pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
        return 1 if self.device.type == "cpu" else max(1, BATCH_PIXELS // pixels)

    def _encode(self, slices: np.ndarray, size: int) -> dict[int, Tensor]:
        """Latents (c, h, w), by dense index, of the acquired slices that are a neighbour of a missing one."""
        wanted = {i for steps in self.rounds for step in steps for i in step.neighbours}
        sources = {i: k for i, k in enumerate(self.plan.acquired) if k is not None and i in wanted}
        pixels = torch.from_numpy(slices[list(sources.values())])[:, None].to(self.device)

        def encode(part: Tensor, on_step: Tick) -> Tensor:
            return self.model.vae.encode(part).float()

        latents = torch.cat(run_all(encode, pixels.split(size), self.device, lambda: None))
        return dict(zip(sources, latents, strict=True))

    def _run_batch(
        self,
        steps: Sequence[FillStep],
        known: list[dict[int, Tensor]],
        noise: _WindowNoise,
        decoded: Decoded,
        on_step: Tick,
    ) -> None:
        from_acquired = all(self.plan.acquired[i] is not None for s in steps for i in s.neighbours if i is not None)
        context: Context | None = None
        for sample in range(self.sampling.samples):
            if context is None or not from_acquired:
                context = self.model.interpolator.context(self._gather(steps, known[sample]))
            drawn = torch.stack([noise.at(sample, self.targets[s.index]) for s in steps])
            latents = sample_latents(
                self.model.interpolator,
                self.model.schedule,
                context,
                drawn,
                self.sampling.steps,
                self.sampling.temperature,
                on_step,
            )
            pixels = self.model.vae.decode(latents)[:, 0].float().cpu().numpy()
            for step, latent, image in zip(steps, latents.float(), pixels, strict=True):
                known[sample][step.index] = latent
                decoded(sample, step.index, image)

    def _gather(self, steps: Sequence[FillStep], known: dict[int, Tensor]) -> Neighbours:
        """Neighbours of a batch; an absent one is zero."""
        blank = torch.zeros_like(next(iter(known.values())))
        rows = [[known[i] if i is not None else blank for i in s.neighbours] for s in steps]
        positions = self.plan.positions
        distance = [
            [abs(positions[i] - positions[s.index]) if i is not None else 0.0 for i in s.neighbours] for s in steps
        ]
        present = [[float(i is not None) for i in s.neighbours] for s in steps]
        return Neighbours(
            torch.stack([torch.stack(row) for row in rows]),
            torch.tensor(present, device=self.device),
            torch.tensor(distance, dtype=torch.float32, device=self.device),
        )


class _WindowNoise:
    """The noise of the whole field of view, cut to one window: tiles agree where they overlap."""

    def __init__(self, seed: int, shape: Sequence[int], window: Window, model: CalidModel) -> None:
        factor, channels = model.vae.config.factor, model.vae.config.latent_channels
        self.field = AnchoredNoise(seed, shape[0], (channels, shape[1] // factor, shape[2] // factor))
        self.window = tuple(slice(w.start // factor, w.stop // factor) for w in window)

    def at(self, sample: int, target: Target) -> Tensor:
        return self.field.at(sample, target.below, target.fraction)[(slice(None), *self.window)]
