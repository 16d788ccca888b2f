"""Fill the gaps of a stack with a model that is loaded: normalise, synthesise, put back; phase by phase.

The acquired slices are copied into the result voxel for voxel; only the slices between them are synthesised.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from calid.errors import OutOfResources
from calid.failures import is_out_of_memory
from calid.model.sampler import Sampling
from calid.model.weights import CalidModel
from calid.protocol import Event, Progress, Warned
from calid.reconstruction import tiles
from calid.reconstruction.fill import FillStep
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.reconstruction.slab import Slabs
from calid.reconstruction.synthesise import Synthesiser
from calid.reconstruction.view import Work
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack

BRIDGED = 3 / 8
"""Share of its neighbours in a thin acquired slice: so it is neither sharper nor softer along the axis than a heart."""

OnPhase = Callable[[int, np.ndarray, "np.ndarray | None"], None]
"""Called with each finished phase in order: its number, dense voxels (slices, rows, columns) in the input's type, and
their predicted standard deviation, float32 of the same shape, or ``None``."""


def fill_gaps(
    stack: SliceStack,
    plan: DensePlan,
    model: CalidModel,
    sampling: Sampling,
    rounds: list[list[FillStep]],
    on_phase: OnPhase,
    uncertainty: bool = False,
    progress: Callable[[Event], None] = lambda event: None,
    slabs: Slabs | None = None,
    keep: bool = True,
) -> None:
    """Fill the gaps as planned. Memory does not grow with the number of phases.

    :param slabs: of the stack, to be consistent with.
    :param keep: the acquired slices as they are; otherwise they are synthesised too, as thin as the others.
    :raises OutOfResources: if memory runs out even in the smallest tiles.
    """
    job = _Job(stack, plan, model, sampling, rounds, uncertainty, progress)
    try:
        for phase in range(len(stack.voxels)):
            draws = job.draw(phase)
            on_phase(phase, draws.dense(sampling.samples, slabs, keep), draws.spread(keep))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        device, (rows, columns) = model.vae.latent_mean.device, stack.voxels.shape[2:]
        raise OutOfResources(
            f"not enough memory on {device} for {len(plan.positions)} slices of {rows} x {columns} pixels",
            "close other programs, ask for a larger spacing, or use {device:cpu}",
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
        uncertainty: bool,
        progress: Callable[[Event], None],
    ) -> None:
        self.stack, self.plan, self.uncertainty, self.progress = stack, plan, uncertainty, progress
        self.grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, model.pixel, model.multiple)
        self.scale = IntensityScale.of(stack.voxels)
        phases = len(stack.voxels)
        # A slice that was synthesised has no other phases yet when it serves as a neighbour.
        temporal = sampling.temporal and model.temporal is not None and phases > 1 and len(rounds) == 1
        shape = (len(stack.positions), *self.grid.model_shape)
        self.work = Work(model, plan, rounds, sampling, phases, self._read, shape, temporal, uncertainty)
        self.tiles = list(tiles.TILE_PIXELS)
        self.ticker = _Ticker(progress, phases)
        self._start()

    def draw(self, phase: int) -> _Draws:
        """All samples of a phase; phases come in their order."""
        while True:
            draws = _Draws(self.plan, self.grid, self.scale, self.stack.voxels[phase], self.uncertainty)
            self.ticker.phase = phase
            try:
                self.synthesiser.run(phase, draws.add)
                return draws
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or len(self.tiles) == 1:
                    raise
            self.tiles.pop(0)
            self.progress(Warned(f"memory ran out: going on in tiles of {self.tiles[0]} pixels, which takes longer"))
            self._start()

    def _start(self) -> None:
        self.synthesiser = Synthesiser(self.work, self.ticker.step, self.tiles[0])
        self.ticker.restart(self.synthesiser.ticks)

    def _read(self, phase: int) -> np.ndarray:
        return self.grid.to_model(self.scale.normalise(self.stack.voxels[phase]))


class _Draws:
    """Sums the samples of every missing slice of one phase in the input's units and pixels."""

    def __init__(
        self, plan: DensePlan, grid: InplaneGrid, scale: IntensityScale, acquired: np.ndarray, uncertainty: bool
    ) -> None:
        self.plan, self.grid, self.scale, self.acquired = plan, grid, scale, acquired
        shape = (len(plan.positions), *acquired.shape[1:])
        # float32 holds every value of small integers, and no other type is held by less than float64.
        self.sum = np.zeros(shape, np.promote_types(acquired.dtype, np.float32))
        self.deviation = np.zeros(shape, np.float32) if uncertainty else None
        tissue = scale.padding.without(acquired)
        self.lowest, self.highest = (
            (float(tissue.min()), float(tissue.max())) if tissue.size else (scale.low, scale.high)
        )
        self.seen = scale.padding.filled(acquired)

    def add(self, index: int, planes: np.ndarray) -> None:
        """Add one draw of dense slice ``index``, and set its deviation if there is one; on the model grid.

        No value leaves the range of the acquired ones.
        """
        drawn = self.scale.restore(self.grid.from_model(planes[0]))
        self.sum[index] += drawn.clip(self.lowest, self.highest)
        if self.deviation is not None and len(planes) > 1:
            deviation = self.scale.restore_deviation(planes[0], planes[1])
            self.deviation[index] = self.grid.from_model(deviation).clip(0, self.highest - self.lowest)

    def dense(self, samples: int, slabs: Slabs | None, keep: bool) -> np.ndarray:
        """(slices, rows, columns) in the input's data type."""
        mean, acquired = self.sum / samples, self.plan.known
        mean[acquired] = self.seen
        if not keep:
            _bridge(mean, self.plan)
        if slabs is not None:
            mean = slabs.consistent(mean, self.seen).clip(self.lowest, self.highest)
        out = _of_type(mean, self.acquired.dtype)
        if keep:
            out[acquired] = self.acquired
        self._pad(out)
        return out

    def _pad(self, out: np.ndarray) -> None:
        """Padding stays, and that of both neighbours is padding: the scanner saw nothing between them either."""
        if not self.scale.padding.values:
            return
        unseen = self.scale.padding.mask(self.acquired)
        out[self.plan.known] = np.where(unseen, self.acquired, out[self.plan.known])
        for target in self.plan.targets:
            both = unseen[target.below] & unseen[target.above]
            out[target.index][both] = self.acquired[target.below][both]
            if self.deviation is not None:
                self.deviation[target.index][both] = 0

    def spread(self, keep: bool) -> np.ndarray | None:
        """(slices, rows, columns) float32 predicted deviation, if asked for; 0 where an acquired slice is kept."""
        if self.deviation is not None and not keep:
            known, positions = self.plan.known, self.plan.positions
            missing = np.flatnonzero(self.plan.synthesised)
            nearest = missing[np.abs(positions[known, None] - positions[missing]).argmin(axis=1)]
            self.deviation[known] = self.deviation[nearest]
        return self.deviation


def _of_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values in a type that has room for them; those of 64 bits end between two numbers of float64."""
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return values.round().clip(limits.min, np.nextafter(float(limits.max), 0)).astype(dtype)


def _bridge(planes: np.ndarray, plan: DensePlan) -> None:
    """Lead each inner acquired slice, in part, to the straight line between its two neighbours."""
    z = plan.positions
    for k in plan.known[1:-1]:
        fraction = (z[k] - z[k - 1]) / (z[k + 1] - z[k - 1])
        between = (1 - fraction) * planes[k - 1] + fraction * planes[k + 1]
        planes[k] += BRIDGED * (between - planes[k])


class _Ticker:
    """Turns steps of the work into progress events with an estimate of the seconds left."""

    def __init__(self, progress: Callable[[Event], None], phases: int) -> None:
        self.progress, self.phases, self.started = progress, phases, time.monotonic()
        self.phase, self.done, self.total = 0, 0, 1

    def restart(self, steps: int) -> None:
        """Each phase from the present one on takes ``steps`` steps."""
        self.done, self.total = self.phase * steps, self.phases * steps

    def step(self) -> None:
        """One step of one batch is done."""
        self.done += 1
        fraction = min(self.done / self.total, 1.0)
        left = (time.monotonic() - self.started) * (1 / fraction - 1)
        self.progress(Progress(self.phase, self.phases, self.done, self.total, fraction, round(left, 1)))
