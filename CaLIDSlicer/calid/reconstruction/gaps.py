"""Fill the gaps of a stack with a loaded model: normalise, find the mean, draw detail, put back; phase by phase.

The acquired slices are copied into the result voxel for voxel; only the slices between them are synthesised.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from calid.errors import OutOfResources
from calid.failures import is_out_of_memory
from calid.model.sampler import Sampling
from calid.model.weights import CalidModel
from calid.protocol import Event, Progress
from calid.reconstruction.detail import Detail
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.reconstruction.mean import GapMeans
from calid.reconstruction.slab import Slabs
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack

MIRRORS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2))
"""Axes along which the slices are mirrored for a sample, in turn: no side of the heart is special to what the networks
learned, so the mean over views has less error than each of them."""

OnPhase = Callable[[int, np.ndarray, "np.ndarray | None"], None]
"""Called with each finished phase in order: its number, dense voxels (slices, rows, columns) in the input's type, and
their predicted standard deviation, float32 of the same shape, or ``None``."""


@dataclass(frozen=True)
class Wanted:
    """What the slices between are to be.

    :param thickness: mm that an acquired slice averages over.
    :param slabs: of the stack, to be consistent with; ``None`` leaves what the networks say.
    :param keep: the acquired slices as they are; otherwise they are synthesised too, as thin as the others.
    :param uncertainty: also predict the standard deviation.
    """

    thickness: float
    slabs: Slabs | None = None
    keep: bool = True
    uncertainty: bool = False


def fill_gaps(
    stack: SliceStack,
    plan: DensePlan,
    model: CalidModel,
    sampling: Sampling,
    wanted: Wanted,
    on_phase: OnPhase,
    progress: Callable[[Event], None] = lambda event: None,
) -> None:
    """Fill the gaps as planned. Memory does not grow with the number of phases.

    :raises OutOfResources: if memory runs out.
    """
    try:
        job = _Job(stack, plan, model, sampling, wanted, progress)
        for phase in range(len(stack.voxels)):
            on_phase(phase, *job.fill(phase))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        rows, columns = stack.voxels.shape[2:]
        raise OutOfResources(
            f"not enough memory on {model.device} for {len(plan.positions)} slices of {rows} x {columns} pixels",
            "close other programs, ask for a larger spacing, or use {device:cpu}",
        ) from error


class _Job:
    """All phases of one stack."""

    def __init__(
        self,
        stack: SliceStack,
        plan: DensePlan,
        model: CalidModel,
        sampling: Sampling,
        wanted: Wanted,
        progress: Callable[[Event], None],
    ) -> None:
        self.stack, self.plan, self.sampling, self.wanted = stack, plan, sampling, wanted
        self.grid = InplaneGrid(stack.voxels.shape[2:], stack.pixel_spacing, model.pixel, model.multiple)
        self.scale = IntensityScale.of(stack.voxels)
        self.means = GapMeans(model.gap, stack.positions, plan, wanted.thickness)
        self.detail = Detail(model, plan, sampling, self.grid.model_shape) if sampling.detail > 0 else None
        of_detail = 0 if self.detail is None else len(plan.targets)
        self.ticker = _Ticker(progress, len(stack.voxels), sampling.samples * (len(stack.gaps) + of_detail))

    def fill(self, phase: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Dense slices of a phase in the input's type, and their deviation."""
        self.ticker.phase = phase
        acquired = self.stack.voxels[phase]
        slices, lines = self.scale.normalise(acquired), self.means.lines
        on_grid = self.grid.to_model(slices)
        whole = _Phase(self.plan, self.scale, acquired)
        plain = np.tensordot(lines, slices, 1)
        spread = None
        for sample in range(self.sampling.samples):
            added, deviation = self._draw(on_grid, sample, self.wanted.uncertainty and sample == 0)
            whole.add(plain + self.grid.from_model(added))
            if deviation is not None:
                spread = self.grid.from_model(deviation)
        return whole.dense(self.wanted), None if spread is None else whole.spread(spread, self.wanted.keep)

    def _draw(self, on_grid: np.ndarray, sample: int, deviation: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """One sample in its view: what there is beyond linear interpolation, and on request the deviation.

        The deviation, in the input's units, is that of the real slice around the mean, whatever detail is drawn.
        """
        axes = MIRRORS[sample % len(MIRRORS)]
        view = np.ascontiguousarray(np.flip(on_grid, axes))
        mean = self.means.find(view, deviation, self.ticker.step)
        centre = np.tensordot(self.means.lines, view, 1) + mean.added
        added = mean.added
        if self.detail is not None:
            added = added + self.detail.draw(centre, sample, axes, self.ticker.step)
        if mean.deviation is None:
            return np.flip(added, axes), None
        return np.flip(added, axes), np.flip(self.scale.restore_deviation(centre, mean.deviation), axes)


class _Phase:
    """Sums the samples of every dense slice of one phase in the input's units and pixels."""

    def __init__(self, plan: DensePlan, scale: IntensityScale, acquired: np.ndarray) -> None:
        self.plan, self.scale, self.acquired = plan, scale, acquired
        shape = (len(plan.positions), *acquired.shape[1:])
        # float32 holds every value of small integers, and no other type is held by less than float64.
        self.sum, self.samples = np.zeros(shape, np.promote_types(acquired.dtype, np.float32)), 0
        tissue = scale.padding.without(acquired)
        self.lowest, self.highest = (
            (float(tissue.min()), float(tissue.max())) if tissue.size else (scale.low, scale.high)
        )
        self.seen = scale.padding.filled(acquired)

    def add(self, slices: np.ndarray) -> None:
        """Add one draw (dense slices, rows, columns), network units; no value leaves the range of the acquired ones."""
        self.sum += self.scale.restore(slices).clip(self.lowest, self.highest)
        self.samples += 1

    def dense(self, wanted: Wanted) -> np.ndarray:
        """(slices, rows, columns) in the input's data type."""
        mean = self.sum / self.samples
        if wanted.slabs is not None:
            mean = wanted.slabs.consistent(mean, self.seen).clip(self.lowest, self.highest)
        out = _of_type(mean, self.acquired.dtype)
        if wanted.keep:
            out[self.plan.known] = self.acquired
        for index, source, unseen in self._unseen():
            out[index][unseen] = self.acquired[source][unseen]
        return out

    def spread(self, deviation: np.ndarray, keep: bool) -> np.ndarray:
        """(slices, rows, columns) float32 predicted deviation; 0 where an acquired slice is kept, and in padding."""
        deviation = deviation.clip(0, self.highest - self.lowest)
        if keep:
            deviation[self.plan.known] = 0
        for index, _, unseen in self._unseen():
            deviation[index][unseen] = 0
        return deviation

    def _unseen(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Padding stays, and that of both neighbours is padding: the scanner saw nothing between them either.

        By dense slice: its number, that of the acquired slice with the value, and (rows, columns) where.
        """
        if not self.scale.padding.values:
            return
        unseen = self.scale.padding.mask(self.acquired)
        yield from ((index, k, unseen[k]) for k, index in enumerate(self.plan.known))
        yield from ((t.index, t.below, unseen[t.below] & unseen[t.above]) for t in self.plan.targets)


def _of_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values in a type that has room for them; those of 64 bits end between two numbers of float64."""
    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return values.round().clip(limits.min, np.nextafter(float(limits.max), 0)).astype(dtype)


class _Ticker:
    """Turns steps of the work into progress events with an estimate of the seconds left."""

    def __init__(self, progress: Callable[[Event], None], phases: int, steps: int) -> None:
        """:param steps: of each phase."""
        self.progress, self.phases, self.started = progress, phases, time.monotonic()
        self.phase, self.done, self.total = 0, 0, phases * steps

    def step(self) -> None:
        """One gap was read, or the detail of one slice drawn."""
        self.done += 1
        fraction = min(self.done / self.total, 1.0)
        left = (time.monotonic() - self.started) * (1 / fraction - 1)
        self.progress(Progress(self.phase, self.phases, self.done, self.total, fraction, round(left, 1)))
