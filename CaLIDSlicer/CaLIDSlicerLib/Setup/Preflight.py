"""What a reconstruction will take, before it starts: time, memory, disk, and what is done if that is not there.

Time goes by gap: one reading of the network gives all slices of a gap, whatever their number, so each costs little
more than its resampling. Detail is drawn slice by slice. Each sample takes as long again; samples are drawn one after
the other, so they cost time, and no memory. The constants are those of 2 cores without bfloat16; what was not measured
is a guess on the cautious side, and said to be one below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from calid.options import Options
from calid.reconstruction.estimate import BASE_BYTES, PIXEL_BYTES

from ..Translation import _
from .DeviceProbe import DeviceReport

MODEL_PIXEL = 1.25
"""mm, of the bundled model; ``Testing/slicer/Setup/test_preflight.py`` compares these four with its manifest."""
DEFAULT_SAMPLES = 1
DEFAULT_STEPS = 1
DEFAULT_DETAIL = 0.0

GAP_SECONDS = 3.5e-6
"""Of one gap, by pixel of the model's grid."""
DETAIL_SECONDS = 8.5e-6
"""Of detail for one slice in one step, by pixel of the model's grid, of which the step is an eighth."""
STEP_SHARE = 0.13
SLICE_SECONDS = 0.2e-6
"""To resample a slice, to make it consistent, and to store it, by pixel of the image."""
MEASURED_CORES, MOST_CORES = 2, 8
CORE_GAIN = 0.8
"""A guess: n times the cores are n to the power of this as fast, as far as the worker uses them."""
HALF_PRECISION_FACTOR = 0.45
"""Of the time, on a CPU that computes in bfloat16: of an earlier model, with AVX512. With AMX it is 0.22."""
GPU_FACTOR = 0.05
"""A guess, no graphics processor was measured: a twentieth of what the two measured cores take."""
START_SECONDS = {"cpu": 5.0, "gpu": 15.0}
"""5.1 s measured on the CPU; a graphics processor also has to load its libraries (a guess)."""

MB = 2**20
GB = 2**30
VOXEL_BYTES = 4
"""Of float; 2 are enough for most images."""

ASK_ABOVE_SECONDS = 60.0


@dataclass(frozen=True)
class Preflight:
    """An estimate, and what follows from it.

    :param memoryBytes: peak of the worker in the memory of the computer; a graphics processor has its own.
    :param diskBytes: largest size of the job folder.
    :param lines: what is going to happen, each a sentence for people.
    :param question: to ask before starting; ``None`` if nothing speaks against it.
    :param changes: what follows from it, by the names of :class:`calid.options.Options`.
    """

    seconds: float
    memoryBytes: int
    diskBytes: int
    device: str
    lines: list[str]
    question: str | None
    changes: dict[str, Any] = field(default_factory=dict)


def preflight(
    shape: Sequence[int],
    slicesOut: int,
    pixelSpacing: Sequence[float],
    options: Options,
    report: DeviceReport,
    freeMemory: int | None,
    freeDisk: int | None,
) -> Preflight:
    """Estimate a reconstruction, and decide what it falls back to: half precision, fewer samples, the CPU.

    :param shape: of the sparse stack: phases, slices, rows, columns.
    :param slicesOut: slices of the dense stack.
    :param pixelSpacing: mm between rows and between columns.
    :param freeMemory: bytes that programs can still get, and ``freeDisk`` of the temporary folder; ``None``: unknown.
    """
    size = _Size(tuple(shape), slicesOut, _modelGrid(shape, pixelSpacing), options.uncertainty)
    draws, steps = options.samples or DEFAULT_SAMPLES, options.steps or DEFAULT_STEPS
    hasDetail = (DEFAULT_DETAIL if options.detail is None else options.detail) > 0
    run = _fallBack(size, _Run(report, draws, steps if hasDetail else 0, report.device))
    seconds, memory = _seconds(size, run), _memory(size, run)
    tooLittleMemory = _("{needed} of memory are needed, but only {free} are free: it may fail.")
    tooLittleDisk = _("{needed} of disk space are needed, but only {free} are free: it may fail.")
    shortages = _shortage(tooLittleMemory, memory, freeMemory) + _shortage(tooLittleDisk, size.diskBytes, freeDisk)
    isLong = run.onCpu and seconds > ASK_ABOVE_SECONDS
    expected = {
        "time": duration(seconds), "device": _("the CPU of this computer") if run.onCpu else report.name,
        "memory": amount(memory), "disk": amount(size.diskBytes),
    }  # fmt: skip
    takes = _("This takes about {time} on {device}.").format(**expected)
    question = " ".join([takes, *shortages, _("Start?")]) if isLong or shortages else None
    changes: dict[str, Any] = {"device": run.device}
    if options.samples is not None and run.samples != options.samples:
        changes["samples"] = run.samples
    needs = _("This takes about {time} on {device}, {memory} of memory and {disk} of disk space.").format(**expected)
    lines = [*run.lines, needs, *shortages]
    return Preflight(seconds, memory, size.diskBytes, run.device, lines, question, changes)


def duration(seconds: float) -> str:
    """In words: ``"40 seconds"``, ``"4 minutes"``, ``"1.5 hours"``."""
    if seconds < 55:
        return _("{number} seconds").format(number=max(5 * round(seconds / 5), 5))
    minutes = round(seconds / 60)
    if minutes == 1:
        return _("1 minute")
    if seconds < 55 * 60:
        return _("{number} minutes").format(number=minutes)
    return _("{number:.1f} hours").format(number=seconds / 3600)


def amount(size: float) -> str:
    """Of bytes, in words: ``"1.6 GB"``, ``"16 MB"``."""
    return f"{size / GB:.1f} GB" if size >= GB / 10 else f"{size / MB:.0f} MB"


@dataclass(frozen=True)
class _Size:
    shape: tuple[int, ...]
    slicesOut: int
    grid: tuple[int, int]
    uncertainty: bool

    @property
    def synthesised(self) -> int:
        return self.shape[0] * (self.slicesOut - self.shape[1])

    @property
    def gaps(self) -> int:
        return self.shape[0] * (self.shape[1] - 1)

    @property
    def gridPixels(self) -> int:
        return math.prod(self.grid)

    @property
    def sliceBytes(self) -> int:
        return self.shape[2] * self.shape[3] * VOXEL_BYTES

    @property
    def diskBytes(self) -> int:
        """The input, and every phase of the result: nothing is deleted before the end."""
        return self.shape[0] * self.sliceBytes * (self.shape[1] + self.slicesOut * (1 + self.uncertainty))


@dataclass(frozen=True)
class _Run:
    """:param steps: of detail; 0 where none is drawn."""

    report: DeviceReport
    samples: int
    steps: int
    device: str
    lines: tuple[str, ...] = ()

    @property
    def onCpu(self) -> bool:
        return self.device == "cpu"


def _modelGrid(shape: Sequence[int], pixelSpacing: Sequence[float]) -> tuple[int, int]:
    rows, columns = (math.ceil(n * d / MODEL_PIXEL) for n, d in zip(shape[2:], pixelSpacing, strict=True))
    return rows, columns


def _fallBack(size: _Size, run: _Run) -> _Run:
    """The first of the ways, from the best to the last resort, that fits into the memory of the device."""
    if run.onCpu or run.report.freeBytes is None:
        return run
    free, name = run.report.freeBytes, run.report.name
    needed = _gpuMemory(size, run)
    half = _("It is computed in half precision, which takes half the memory.")
    if needed <= free:
        return _Run(run.report, run.samples, run.steps, run.device, (half,) if run.report.halfPrecision else ())
    short = {"name": name, "free": amount(free), "needed": amount(needed)}
    cpu = _("{name} has {free} free and {needed} are needed, so the CPU is used.").format(**short)
    fewer = (_("One sample is drawn, because the CPU takes as long again for each."),) if run.samples > 1 else ()
    return _Run(run.report, 1, run.steps, "cpu", (cpu, *fewer))


def _gpuMemory(size: _Size, run: _Run) -> float:
    """A guess, as for :data:`GPU_FACTOR`."""
    return BASE_BYTES + _features(size, run)


def _features(size: _Size, run: _Run) -> float:
    """Of one gap, or of one slice that gets its detail."""
    return size.gridPixels * PIXEL_BYTES * (1 if run.report.halfPrecision else 2)


def _memory(size: _Size, run: _Run) -> int:
    """The stack, one phase of the result and its sums (each is written when it is done), and the features of gaps."""
    phases, slices = size.shape[:2]
    arrays = size.sliceBytes * (phases * slices + 2 * size.slicesOut * (1 + size.uncertainty))
    features = _workers(run) * _features(size, run) if run.onCpu else GB
    return round(BASE_BYTES + arrays + features)


def _seconds(size: _Size, run: _Run) -> float:
    detail = (1 + STEP_SHARE * (run.steps - 1)) * DETAIL_SECONDS if run.steps else 0.0
    ofSample = size.gridPixels * (size.gaps * GAP_SECONDS + size.synthesised * detail)
    slices = size.shape[0] * size.slicesOut * size.shape[2] * size.shape[3] * SLICE_SECONDS
    measured = run.samples * (ofSample + slices)
    if not run.onCpu:
        return START_SECONDS["gpu"] + GPU_FACTOR * measured
    precision = HALF_PRECISION_FACTOR if run.report.halfPrecision else 1.0
    return START_SECONDS["cpu"] + precision * measured * (MEASURED_CORES / _workers(run)) ** CORE_GAIN


def _workers(run: _Run) -> int:
    return max(1, min(run.report.cores, MOST_CORES))


def _shortage(text: str, needed: int, free: int | None) -> list[str]:
    return [text.format(needed=amount(needed), free=amount(free))] if free is not None and needed > free else []
