"""One view of a stack, through one window of the field of view: prepare what is conditioned on, then draw and decode.

The phases of a cine are drawn in their order. A phase is compared with those around it (:mod:`calid.model.temporal`),
so those are prepared first, and what was prepared is kept as long as a later phase needs it: each slice of each phase
is encoded and conditioned on once, and what is kept does not grow with the length of the cine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from calid.model.conditioning import MM_SCALE, Context, Neighbours
from calid.model.sampler import AnchoredNoise, Sampling, sample_latents
from calid.model.temporal import phases_around
from calid.model.weights import CalidModel
from calid.reconstruction.fill import FillStep
from calid.reconstruction.parallel import Tick, run_all
from calid.reconstruction.tiles import Window
from calid.stacks.plan import DensePlan

BATCH_PIXELS = 6 * 240 * 240
"""Of one batch on an accelerator, at most. A CPU works slice by slice: see :mod:`calid.reconstruction.parallel`."""

PREPARING = 1
"""Steps that preparing counts as: it takes as long as the one denoising step of the default and decoding together."""

MIRRORS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2))
"""Axes along which the slices are mirrored for a sample, in turn: no side of the heart is special to what the networks
learned, so the mean over views has less error than each of them."""

Decoded = Callable[[int, np.ndarray], None]
"""Called with a dense index and what was made of it (planes, rows, columns) in network units: the slice and, once for
each index and if asked for, the standard deviation of the real slice around the mean."""


@dataclass(frozen=True)
class Work:
    """What all views of a job have in common.

    :param read: phase to its acquired slices (k, rows, columns) in network units on the model grid.
    :param shape: (k, rows, columns) of what ``read`` gives.
    :param temporal: compare phases with each other; needs a model that can, and all slices filled in one round.
    """

    model: CalidModel
    plan: DensePlan
    rounds: list[list[FillStep]]
    sampling: Sampling
    phases: int
    read: Callable[[int], np.ndarray]
    shape: tuple[int, int, int]
    temporal: bool
    deviation: bool

    @property
    def device(self) -> torch.device:
        """The one that the model is on."""
        return next(self.model.vae.parameters()).device


class Known(NamedTuple):
    """A slice (1, rows, columns) in network units and its latents (c, h, w)."""

    slice: Tensor
    latents: Tensor


@dataclass(frozen=True)
class Prepared:
    """What tau_theta1 says of a batch of missing slices of one phase.

    :param compared: (n, width, h, w) what is compared between phases, or ``None``.
    :param deviation: (n, 1, rows, columns), or ``None``.
    """

    context: Context
    compared: Tensor | None
    deviation: Tensor | None


class View:
    """All missing slices of all phases, for one sample in one window; slices are mirrored along ``axes`` first."""

    def __init__(self, work: Work, sample: int, window: Window, pixels: int) -> None:
        """:param pixels: of one batch, at most, where it is more than one slice."""
        self.work, self.sample, self.window = work, sample, window
        self.batch_size = _batch_size(work.device, window, min(pixels, BATCH_PIXELS))
        self.axes = MIRRORS[sample % len(MIRRORS)]
        vae = work.model.vae.config
        field = (vae.latent_channels, work.shape[1] // vae.factor, work.shape[2] // vae.factor)
        self.noise = AnchoredNoise(work.sampling.seed, work.shape[0], field)
        self.noise_window = tuple(slice(w.start // vae.factor, w.stop // vae.factor) for w in window)
        self.targets = {t.index: t for t in work.plan.targets}
        self.batches = [self._split(steps) for steps in work.rounds]
        self.prepared: dict[int, list[Prepared]] = {}

    @property
    def ticks(self) -> int:
        """Calls of ``on_step`` for each phase: every batch is prepared, and denoised step by step."""
        return sum(map(len, self.batches)) * (PREPARING + self.work.sampling.steps)

    def run(self, phase: int, decoded: Decoded, on_step: Tick) -> None:
        """Draw all missing slices of a phase; phases come in their order.

        :param decoded: gets them mirrored and cut as this view sees them; is called in any thread.
        """
        if self.work.temporal:
            self._run_compared(phase, decoded, on_step)
            return
        known = self._encode(phase)
        for batches in self.batches:
            prepared = self._prepare(batches, known, on_step)
            known.update(self._draw(batches, prepared, decoded, on_step))

    def _run_compared(self, phase: int, decoded: Decoded, on_step: Tick) -> None:
        (batches,), phases = self.batches, self.work.phases
        for other in (phase, *phases_around(phase, phases)):
            if other not in self.prepared:
                self.prepared[other] = self._prepare(batches, self._encode(other), on_step)
        self._draw(batches, self._compare(phase), decoded, on_step)
        wanted = {q for later in range(phase + 1, phases) for q in (later, *phases_around(later, phases))}
        self.prepared = {other: kept for other, kept in self.prepared.items() if other in wanted}

    def _split(self, steps: Sequence[FillStep]) -> list[Sequence[FillStep]]:
        return [steps[start : start + self.batch_size] for start in range(0, len(steps), self.batch_size)]

    def _encode(self, phase: int) -> dict[int, Known]:
        """By dense index, the acquired slices that are a neighbour of a missing one."""
        work = self.work
        slices = np.flip(work.read(phase), self.axes)[(slice(None), *self.window)].copy()
        wanted = {i for steps in work.rounds for step in steps for i in step.neighbours}
        sources = {i: k for i, k in enumerate(work.plan.acquired) if k is not None and i in wanted}
        pixels = torch.from_numpy(slices[list(sources.values())])[:, None].to(work.device)

        def encode(part: Tensor, on_step: Tick) -> Tensor:
            return work.model.vae.encode(part).float()

        latents = torch.cat(run_all(encode, pixels.split(self.batch_size), work.device, lambda: None))
        return {index: Known(*pair) for index, pair in zip(sources, zip(pixels, latents, strict=True), strict=True)}

    def _prepare(self, batches: list[Sequence[FillStep]], known: dict[int, Known], on_step: Tick) -> list[Prepared]:
        fields = self._find_motion(batches, known)

        def prepare(steps: Sequence[FillStep], tick: Tick) -> Prepared:
            prepared = self._condition(self._gather(steps, known, fields))
            for _ in range(PREPARING):
                tick()
            return prepared

        return run_all(prepare, batches, self.work.device, on_step)

    def _find_motion(self, batches: list[Sequence[FillStep]], known: dict[int, Known]) -> dict[tuple[int, int], Tensor]:
        """By the two dense indices that bound it, the motion (4, h, w) through every gap of a round."""
        work, positions = self.work, self.work.plan.positions
        gaps = sorted({step.neighbours[1:3] for steps in batches for step in steps})
        split = [gaps[start : start + self.batch_size] for start in range(0, len(gaps), self.batch_size)]

        def find(pairs: list[tuple[int, int]], tick: Tick) -> Tensor:
            bounding = torch.stack([torch.cat([known[i].slice for i in pair]) for pair in pairs])
            width = torch.tensor([positions[above] - positions[below] for below, above in pairs])
            return work.model.motion.find(bounding, width.to(bounding) / MM_SCALE)

        fields = run_all(find, split, work.device, lambda: None)
        return dict(zip(gaps, torch.cat(fields), strict=True))

    def _condition(self, neighbours: Neighbours) -> Prepared:
        model, sampling = self.work.model, self.work.sampling
        net = model.interpolator
        context = net.context(neighbours)
        with_deviation = self.work.deviation and self.sample == 0
        deviation = net.standard_deviation(context, neighbours) if with_deviation else None
        compared = model.temporal.read(context, neighbours) if self.work.temporal and model.temporal else None
        context = context.toward(neighbours.along_motion, sampling.follow)
        # The features are by far the largest part, and only conditioned sampling needs them again.
        return Prepared(context if sampling.conditioned else replace(context, features=[]), compared, deviation)

    def _compare(self, phase: int) -> list[Prepared]:
        """What was prepared for a phase, with means that other phases have corrected."""
        net, work = self.work.model.temporal, self.work
        assert net is not None
        around = [self.prepared[other] for other in phases_around(phase, work.phases)]

        def corrected(numbered: tuple[int, Prepared], tick: Tick) -> Prepared:
            batch, here = numbered
            others = torch.stack([other[batch].compared for other in around], dim=1)  # type: ignore[misc]
            correction = (1 - work.sampling.follow) * net(here.compared, others, work.phases).float()
            return replace(here, context=replace(here.context, mean=here.context.mean + correction))

        return run_all(corrected, list(enumerate(self.prepared[phase])), work.device, lambda: None)

    def _draw(
        self, batches: list[Sequence[FillStep]], prepared: list[Prepared], decoded: Decoded, on_step: Tick
    ) -> dict[int, Known]:
        model, sampling = self.work.model, self.work.sampling

        def draw(item: tuple[Sequence[FillStep], Prepared], tick: Tick) -> dict[int, Known]:
            steps, given = item
            noise = torch.stack([self._noise(step) for step in steps])
            latents = sample_latents(
                model.interpolator, given.context, noise, sampling.steps, sampling.detail, sampling.conditioned, tick
            ).float()
            planes = [model.vae.decode(latents).float(), *([] if given.deviation is None else [given.deviation])]
            made = torch.cat(planes, dim=1)
            for step, one in zip(steps, made, strict=True):
                decoded(step.index, one.cpu().numpy())
            return {s.index: Known(one[:1], latent) for s, one, latent in zip(steps, made, latents, strict=True)}

        drawn = run_all(draw, list(zip(batches, prepared, strict=True)), self.work.device, on_step)
        return {index: known for batch in drawn for index, known in batch.items()}

    def _gather(
        self, steps: Sequence[FillStep], known: dict[int, Known], fields: dict[tuple[int, int], Tensor]
    ) -> Neighbours:
        """Neighbours of a batch; an absent one is zero."""
        device, model = self.work.device, self.work.model
        blank = torch.zeros_like(next(iter(known.values())).latents)
        rows = [[known[i].latents if i is not None else blank for i in s.neighbours] for s in steps]
        positions = self.work.plan.positions
        distance = [
            [abs(positions[i] - positions[s.index]) if i is not None else 0.0 for i in s.neighbours] for s in steps
        ]
        present = [[float(i is not None) for i in s.neighbours] for s in steps]
        neighbours = Neighbours(
            torch.stack([torch.stack(row) for row in rows]),
            torch.tensor(present, device=device),
            torch.tensor(distance, dtype=torch.float32, device=device),
        )
        bounding = torch.stack([torch.cat([known[i].slice for i in s.neighbours[1:3]]) for s in steps])
        field = torch.stack([fields[s.neighbours[1:3]] for s in steps])
        return replace(neighbours, followed=model.motion.follow(model.vae, bounding, field, neighbours.fraction))

    def _noise(self, step: FillStep) -> Tensor:
        """(c, h, w) in the view of the sample: mirrored like its slices, so that it is the same noise for the heart.

        It is that of the whole field of view, cut to the window: tiles agree where they overlap.
        """
        target = self.targets[step.index]
        whole = self.noise.at(self.sample, target.below, target.fraction).flip(self.axes)
        return whole[(slice(None), *self.noise_window)]


def _batch_size(device: torch.device, window: Window, pixels: int) -> int:
    rows, columns = window
    one = (rows.stop - rows.start) * (columns.stop - columns.start)
    return 1 if device.type == "cpu" else max(1, pixels // one)
