"""The self-check: how well does the model predict slices of this very patient that were acquired?

Each inner slice is hidden in turn. The model, with its default sampling, gets the stack without it (not its voxels, not
its intensity range), predicts it at its own position, and is compared with the real slice, beside linear interpolation
from the same two neighbours. Nobody labelled the heart in a user's stack, so the central half of the field of view
counts, along rows and along columns: short-axis stacks are planned with the heart there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from calid.baselines.methods import interpolate, linear_weights
from calid.errors import UnusableInput
from calid.model.weights import load_model
from calid.options import Options
from calid.protocol import Event, Progress, Started
from calid.reconstruction.device import choose_device
from calid.reconstruction.gaps import Wanted, fill_gaps
from calid.reconstruction.intensity import IntensityScale
from calid.reconstruction.reconstruct import choose_sampling, provenance
from calid.selfcheck.result import HiddenSlice, SelfCheck
from calid.selfcheck.similarity import Region, psnr, ssim
from calid.stacks.plan import DensePlan, Target
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import choose_thickness


def self_check(
    stack: SliceStack,
    *,
    seed: int = 0,
    device: str = "auto",
    models: str | Path | None = None,
    progress: Callable[[Event], None] = lambda event: None,
) -> SelfCheck:
    """Hide each inner slice in turn, in all phases at once, and score its prediction; a bad score is no error.

    :param progress: gets :class:`~calid.protocol.Started` and :class:`~calid.protocol.Progress` events, the latter with
        the fraction of the whole check.
    :raises UnusableInput: for fewer than 3 slices, or a stack without intensities above 0.
    :raises OutOfResources: if memory or the device is missing.
    :raises WeightsError: if the weights are missing or altered.
    """
    inner = range(1, len(stack.positions) - 1)
    if not inner:
        raise UnusableInput(
            f"there are {len(stack.positions)} slices, and the self-check hides slices between others",
            "pass a stack of at least 3 slices",
        )
    bright, region = _brightness(stack), _central_half(stack)
    where = choose_device(device)
    model = load_model(models, where)
    sampling, thickness = choose_sampling(model, Options(seed=seed)), choose_thickness(stack).mm
    progress(Started(model.id, str(where), len(stack.voxels), len(stack.positions), len(stack.positions)))
    predicted = np.empty((len(stack.voxels), len(inner), *stack.voxels.shape[2:]), stack.voxels.dtype)
    slices, started = [], time.monotonic()
    for n, k in enumerate(inner):
        held, plan = _hide(stack, k)
        report = _share(progress, n, len(inner), started)

        def keep(phase: int, dense: np.ndarray, spread: np.ndarray | None, n: int = n, k: int = k) -> None:
            predicted[phase, n] = dense[k]

        fill_gaps(held, plan, model, sampling, Wanted(thickness), keep, report)
        linear, _ = interpolate(linear_weights, held, plan)
        shown = (stack.voxels[:, k], predicted[:, n], linear[:, k])
        real, made, plain = (np.clip(voxels / bright, 0, 1) for voxels in shown)
        scores = [float(score(real, v, region).mean()) for v in (made, plain) for score in (psnr, ssim)]
        slices.append(HiddenSlice(k, plan.targets[0].gap, *scores))
    facts = provenance(model, sampling)
    return SelfCheck(tuple(slices), predicted, region, float(stack.gaps.mean()), facts)


def _hide(stack: SliceStack, k: int) -> tuple[SliceStack, DensePlan]:
    """The stack without slice ``k``, and the plan that puts it back, and it alone."""
    held = replace(stack, voxels=np.delete(stack.voxels, k, axis=1), positions=np.delete(stack.positions, k))
    below, here, above = stack.positions[k - 1 : k + 2]
    target = Target(k, float(above - below), k - 1, k, float((here - below) / (above - below)))
    acquired: list[int | None] = [*range(k), None, *range(k, len(held.positions))]
    return held, DensePlan(stack.positions, acquired, [target])


def _brightness(stack: SliceStack) -> float:
    """The intensity that counts as 1: the 99.5th percentile of all voxels."""
    high = IntensityScale.of(stack.voxels).high
    if high <= 0:
        raise UnusableInput(f"the 99.5th percentile of the voxels is {high:g}, not above 0", "use a magnitude image")
    return high


def _central_half(stack: SliceStack) -> Region:
    rows, columns = (slice(size // 4, size - size // 4) for size in stack.voxels.shape[2:])
    return rows, columns


def _share(progress: Callable[[Event], None], part: int, parts: int, started: float) -> Callable[[Event], None]:
    """Turns the progress of one of ``parts`` equal jobs, the first at ``started``, into that of them all."""

    def report(event: Event) -> None:
        if isinstance(event, Progress):
            fraction = (part + event.fraction) / parts
            left = (time.monotonic() - started) * (1 / fraction - 1)
            event = replace(event, fraction=fraction, seconds_left=round(left, 1))
        progress(event)

    return report
