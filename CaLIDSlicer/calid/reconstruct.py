"""From a sparse stack to a dense one: plan, normalise, synthesise, put back; phase by phase.

The acquired slices are copied into the result voxel for voxel; only the slices between them are synthesised.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch

from calid import __version__, tiles
from calid.device import choose_device
from calid.errors import OutOfResources, UnusableInput
from calid.failures import is_out_of_memory
from calid.fill import FillStep, fill_rounds
from calid.inplane import InplaneGrid
from calid.intensity import IntensityScale
from calid.plan import DensePlan, plan_slices
from calid.protocol import Event, Progress, Started, Warned
from calid.stack import SliceStack
from calid.synthesise import Sampling, Synthesiser
from calid.weights import CalidModel, load_model

OnPhase = Callable[[int, np.ndarray, "np.ndarray | None"], None]


@dataclass(frozen=True, eq=False)
class DenseResult:
    """A dense stack and what is known about it.

    :param stack: all slices; acquired ones equal the input voxel for voxel.
    :param uncertainty: (phases, slices, rows, columns) float32 standard deviation of the real slice around the
        model's mean, as the model predicts it, in the input's intensity units, 0 at acquired slices; ``None`` if not
        asked for.
    :param synthesised: (slices,) bool.
    :param provenance: model id, weights SHA256, seed, steps, samples, device, versions.
    """

    stack: SliceStack
    uncertainty: np.ndarray | None
    synthesised: np.ndarray
    provenance: dict[str, Any]


def reconstruct(
    stack: SliceStack,
    spacing: float = 2.0,
    *,
    samples: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    fill: str | None = None,
    detail: float | None = None,
    follow: float | None = None,
    conditioned: bool = False,
    device: str = "auto",
    uncertainty: bool = False,
    models: str | Path | None = None,
    progress: Callable[[Event], None] = lambda event: None,
    on_phase: OnPhase = lambda phase, dense, uncertainty: None,
) -> DenseResult:
    """Fill the gaps of a sparse short-axis stack.

    :param spacing: largest distance between slices of the result, mm.
    :param samples: draws of the sampler, of which the mean is returned; ``None`` takes the model's default.
    :param steps: denoising steps of one draw; ``None`` takes the model's default.
    :param fill: ``"direct"`` or ``"autoregressive"``; ``None`` takes the model's default.
    :param detail: from 0, the mean of what a slice can be, nearest to the truth and blurred, to 1, as sharp as real
        slices; ``None`` takes the model's default.
    :param follow: from 0 to 1, how much of interpolation along the motion is mixed into the mean; ``None`` takes the
        model's default.
    :param conditioned: draw from all slices that fit between the neighbours, for studies of diversity, rather than take
        the one nearest to the mean.
    :param progress: gets :class:`~calid.protocol.Started` and :class:`~calid.protocol.Progress` events; may raise
        :class:`~calid.errors.Cancelled`.
    :param on_phase: gets each finished phase: number, dense (slices, rows, columns), uncertainty of the same shape.
    :raises UnusableInput: for parameters that cannot be used.
    :raises OutOfResources: if memory or the device is missing.
    :raises WeightsError: if the weights are missing or altered.
    """
    plan = plan_slices(stack.positions, spacing)
    _check_positive(samples=samples, steps=steps)
    _check_shares(detail=detail, follow=follow)
    where = choose_device(device)
    model = load_model(models, where)
    sampling = choose_sampling(model, samples, steps, seed, detail, follow, conditioned)
    fill = fill or model.defaults["fill"]
    rounds = fill_rounds(plan, fill)
    progress(Started(model.id, str(where), len(stack.voxels), len(stack.positions), len(plan.positions)))
    dense, spread = fill_gaps(stack, plan, model, sampling, rounds, uncertainty, progress, on_phase)
    result = SliceStack(dense, stack.frame, plan.positions, stack.times)
    facts = {"spacing_mm": spacing, **provenance(model, sampling, fill, where)}
    return DenseResult(result, spread, plan.synthesised, facts)


def fill_gaps(
    stack: SliceStack,
    plan: DensePlan,
    model: CalidModel,
    sampling: Sampling,
    rounds: list[list[FillStep]],
    uncertainty: bool = False,
    progress: Callable[[Event], None] = lambda event: None,
    on_phase: OnPhase = lambda phase, dense, uncertainty: None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Fill the gaps as planned, with a model that is loaded.

    :returns: dense voxels (phases, dense slices, rows, columns) in the input's type, and their predicted standard
        deviation, float32 of the same shape, if ``uncertainty`` is asked for.
    :raises OutOfResources: if memory runs out even in the smallest tiles.
    """
    job = _Job(stack, plan, model, sampling, rounds, progress)
    try:
        return job.run(uncertainty, on_phase)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        device, (rows, columns) = model.vae.latent_mean.device, stack.voxels.shape[2:]
        raise OutOfResources(
            f"not enough memory on {device} for {len(plan.positions)} slices of {rows} x {columns} pixels",
            "close other programs, ask for a larger spacing, or use --device cpu",
        ) from error


class _Job:
    """All phases of one stack, with tiles that shrink when memory runs out."""

    def __init__(
        self,
        stack: SliceStack,
        plan: DensePlan,
        model: CalidModel,
        sampling: Sampling,
        rounds: list[list[FillStep]],
        progress: Callable[[Event], None],
    ) -> None:
        self.stack, self.plan, self.model, self.sampling, self.rounds = stack, plan, model, sampling, rounds
        self.grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, model.pixel, model.multiple)
        self.scale = IntensityScale.of(stack.voxels)
        self.tiles = list(tiles.TILE_PIXELS)
        self.progress = progress
        self.ticker = _Ticker(progress, len(stack.voxels))

    def run(self, uncertainty: bool, on_phase: OnPhase) -> tuple[np.ndarray, np.ndarray | None]:
        """Dense voxels (phases, slices, rows, columns) in the input's type, and their deviation if asked for."""
        shape = (len(self.stack.voxels), len(self.plan.positions), *self.stack.voxels.shape[2:])
        dense = np.empty(shape, self.stack.voxels.dtype)
        spread = np.zeros(shape, np.float32) if uncertainty else None
        for phase, voxels in enumerate(self.stack.voxels):
            draws = self._draw(phase, voxels, uncertainty)
            dense[phase] = draws.dense(self.sampling.samples)
            if spread is not None:
                spread[phase] = draws.deviation
            on_phase(phase, dense[phase], None if spread is None else spread[phase])
        return dense, spread

    def _draw(self, phase: int, voxels: np.ndarray, uncertainty: bool) -> _Draws:
        slices = self.grid.to_model(self.scale.normalise(voxels))
        while True:
            draws = _Draws(self.plan, self.grid, self.scale, voxels, uncertainty)
            synthesiser = Synthesiser(
                self.model, self.plan, self.rounds, self.sampling, self.ticker.step, self.tiles[0]
            )
            self.ticker.start_phase(phase, synthesiser.count_steps(self.grid.model_shape))
            try:
                synthesiser.run(slices, draws.add, uncertainty)
                return draws
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or len(self.tiles) == 1:
                    raise
            self.tiles.pop(0)
            self.progress(Warned(f"memory ran out: going on in tiles of {self.tiles[0]} pixels, which takes longer"))


class _Draws:
    """Sums the samples of every missing slice of one phase in the input's units and pixels."""

    def __init__(
        self, plan: DensePlan, grid: InplaneGrid, scale: IntensityScale, acquired: np.ndarray, uncertainty: bool
    ) -> None:
        self.plan, self.grid, self.scale, self.acquired = plan, grid, scale, acquired
        shape = (len(plan.positions), *acquired.shape[1:])
        self.sum = np.zeros(shape, np.float32)
        self.deviation = np.zeros(shape, np.float32) if uncertainty else None
        self.lowest, self.highest = float(acquired.min()), float(acquired.max())

    def add(self, index: int, planes: np.ndarray) -> None:
        """Add one draw of dense slice ``index``, and set its deviation if there is one; on the model grid.

        No value leaves the range of the acquired ones.
        """
        drawn = self.scale.restore(self.grid.from_model(planes[0]))
        self.sum[index] += drawn.clip(self.lowest, self.highest)
        if self.deviation is not None and len(planes) > 1:
            deviation = self.scale.restore_deviation(planes[0], planes[1])
            self.deviation[index] = self.grid.from_model(deviation).clip(0, self.highest - self.lowest)

    def dense(self, samples: int) -> np.ndarray:
        """(slices, rows, columns) in the input's data type."""
        mean = self.sum / samples
        integer = self.acquired.dtype.kind in "iu"
        out = (mean.round() if integer else mean).astype(self.acquired.dtype)
        for index, source in enumerate(self.plan.acquired):
            if source is not None:
                out[index] = self.acquired[source]
        return out


class _Ticker:
    """Turns denoising steps into progress events with an estimate of the seconds left."""

    def __init__(self, progress: Callable[[Event], None], phases: int) -> None:
        self.progress, self.phases, self.started = progress, phases, time.monotonic()
        self.phase, self.done, self.steps = 0, 0, 0

    def start_phase(self, phase: int, steps: int) -> None:
        """``steps`` denoising steps follow for this phase."""
        self.phase, self.done, self.steps = phase, 0, steps

    def step(self) -> None:
        """One denoising step of one batch is done."""
        self.done += 1
        fraction = (self.phase + self.done / self.steps) / self.phases
        left = (time.monotonic() - self.started) * (1 / fraction - 1)
        self.progress(Progress(self.phase, self.phases, self.done, self.steps, fraction, round(left, 1)))


def _check_positive(**numbers: int | None) -> None:
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise UnusableInput(f"{name} is {value}", f"ask for at least 1 of {name}")


def _check_shares(**numbers: float | None) -> None:
    for name, value in numbers.items():
        if value is not None and not 0 <= value <= 1:
            raise UnusableInput(f"{name} is {value}", f"choose a number from 0 to 1 for {name}")


def choose_sampling(
    model: CalidModel,
    samples: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    detail: float | None = None,
    follow: float | None = None,
    conditioned: bool = False,
) -> Sampling:
    """Fill in the model's defaults."""
    default = model.defaults
    detail, follow = (
        float(default[name]) if value is None else value for name, value in (("detail", detail), ("follow", follow))
    )
    return Sampling(samples or default["samples"], steps or default["steps"], seed, detail, follow, conditioned)


def provenance(model: CalidModel, sampling: Sampling, fill: str, device: torch.device) -> dict[str, Any]:
    """What made a result: model id, weights SHA256, sampling, device, versions."""
    return {
        "software": f"CaLIDSlicer {__version__}",
        "model": model.id,
        "weights_sha256": model.sha256,
        "samples": sampling.samples,
        "steps": sampling.steps,
        "seed": sampling.seed,
        "detail": sampling.detail,
        "follow": sampling.follow,
        "conditioned": sampling.conditioned,
        "fill": fill,
        "device": str(device),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "numpy": np.__version__,
        },
        "intended_use": "research only, not for diagnosis",
    }
