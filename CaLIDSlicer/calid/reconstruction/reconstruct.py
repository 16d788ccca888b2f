"""From a sparse stack to a dense one: check what is asked for, load the model, fill the gaps, say how it was done."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import diffusers
import numpy as np
import torch

from calid.alignment.crossings import Across
from calid.errors import StackWarning, UnusableInput
from calid.model.sampler import Sampling
from calid.model.weights import CalidModel, load_model
from calid.options import Options
from calid.protocol import Event, Started, Warned
from calid.reconstruction.device import choose_device
from calid.reconstruction.frame import CommonFrame
from calid.reconstruction.gaps import OnPhase, Wanted, fill_gaps
from calid.reconstruction.slab import Slabs
from calid.stacks.check import check_stack
from calid.stacks.padding import Padding
from calid.stacks.plan import DensePlan, plan_slices, slice_indices
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import Thickness, choose_thickness
from calid.version import __version__

DEFAULTS = Options()


@dataclass(frozen=True, eq=False)
class DenseResult:
    """A dense stack and what is known about it.

    :param stack: all slices; acquired ones equal the input voxel for voxel, unless they were to be thin or straight.
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
    spacing: float | None = None,
    *,
    options: Options = DEFAULTS,
    long_axes: Sequence[Across] = (),
    gather: bool = True,
    progress: Callable[[Event], None] = lambda event: None,
    on_phase: OnPhase = lambda phase, dense, uncertainty: None,
    **chosen: Any,
) -> DenseResult:
    """Fill the gaps of a sparse short-axis stack.

    >>> dense = calid.reconstruct(stack, spacing=2.0, seed=3)

    Warns, with :class:`~calid.errors.StackWarning`, of what looks wrong in the stack (:mod:`calid.stacks.check`).

    :param spacing: of :class:`~calid.options.Options`, in its place.
    :param options: all that can be chosen.
    :param long_axes: of the same study, in step with the stack and in its world: they refine the shifts.
    :param gather: ``False`` returns a stack of no phases, so that memory does not grow with their number; they are had
        from ``on_phase`` alone.
    :param progress: gets :class:`~calid.protocol.Started` and :class:`~calid.protocol.Progress` events; may raise
        :class:`~calid.errors.Cancelled`.
    :param on_phase: gets each finished phase: number, dense (slices, rows, columns), uncertainty of the same shape.
    :param chosen: single options by name, instead of those of ``options``.
    :raises UnusableInput: for options that cannot be used, and stacks that no scanner acquires.
    :raises OutOfResources: if memory or the device is missing.
    :raises WeightsError: if the weights are missing or altered.
    """
    options = options.changed(**chosen, **({} if spacing is None else {"spacing": spacing}))
    plan = plan_slices(stack.positions, options.spacing)
    for finding in check_stack(stack):
        warnings.warn(str(finding), StackWarning, stacklevel=2)
    thickness = choose_thickness(stack, options.thickness)
    slice_indices(len(stack.positions), options.in_place)
    keep = keeps_acquired(options)
    where = choose_device(options.device)
    model = load_model(options.models, where)
    sampling = choose_sampling(model, options)
    counts = len(stack.voxels), len(stack.positions), len(plan.positions)
    progress(Started(model.id, str(where), *counts, thickness.mm, thickness.source))
    frame = CommonFrame.of(stack, options.align, thickness.mm, model.gap, options.in_place, long_axes)
    for warning in frame.warnings:
        progress(Warned(warning))
    straight = frame.straighten(stack)
    slabs = Slabs.of(_unpadded(straight), plan, thickness.mm) if options.consistent else None
    dense = _Gathered(stack, plan, options.uncertainty, gather)

    def finished(phase: int, voxels: np.ndarray, spread: np.ndarray | None) -> None:
        voxels, spread = frame.put_back(plan, stack.voxels[phase] if keep else None, voxels, spread)
        dense.add(phase, voxels, spread)
        on_phase(phase, voxels, spread)

    wanted = Wanted(thickness.mm, slabs, keep, options.uncertainty)
    fill_gaps(straight, plan, model, sampling, wanted, finished, progress)
    facts = {"spacing_mm": options.spacing, **provenance(model, sampling)}
    facts |= _slab_facts(thickness, slabs, options.acquired) | frame.facts
    return DenseResult(dense.stack, dense.uncertainty, plan.for_choice(options.acquired).synthesised, facts)


def _unpadded(stack: SliceStack) -> SliceStack:
    """The stack as far as the scanner saw it: padding is no misfit of its slices."""
    padding = Padding.of(stack.voxels)
    return replace(stack, voxels=padding.filled(stack.voxels)) if padding.values else stack


def keeps_acquired(options: Options) -> bool:
    """Whether acquired slices come back bit for bit.

    :raises UnusableInput: for an unknown choice, and where nothing says what a thin slice would be.
    """
    if options.acquired not in ("keep", "thin"):
        raise UnusableInput(f"acquired is {options.acquired!r}", "choose keep or thin for acquired")
    if options.acquired == "thin" and not options.consistent:
        raise UnusableInput(
            "thin acquired slices have to be consistent", "leave consistent on, or keep acquired slices"
        )
    return options.acquired == "keep"


def _slab_facts(thickness: Thickness, slabs: Slabs | None, acquired: str) -> dict[str, Any]:
    return {
        "thickness_mm": thickness.mm,
        "thickness_source": thickness.source,
        "consistent": slabs is not None,
        "consistency_penalty": None if slabs is None else round(slabs.misfit.penalty, 4),
        "acquired_slices": acquired,
    }


class _Gathered:
    """The phases of the result in memory, all or none."""

    def __init__(self, sparse: SliceStack, plan: DensePlan, uncertainty: bool, gather: bool) -> None:
        self.gather, phases = gather, len(sparse.voxels) if gather else 0
        shape = (phases, len(plan.positions), *sparse.voxels.shape[2:])
        self.voxels = np.empty(shape, sparse.voxels.dtype)
        self.uncertainty = np.empty(shape, np.float32) if uncertainty else None
        self.sparse, self.plan = sparse, plan

    @property
    def stack(self) -> SliceStack:
        """All of them as a stack."""
        times, index = (self.sparse.times, self.sparse.index) if self.gather else (None, None)
        return replace(self.sparse, voxels=self.voxels, positions=self.plan.positions, times=times, index=index)

    def add(self, phase: int, voxels: np.ndarray, spread: np.ndarray | None) -> None:
        """Keep a finished phase."""
        if not self.gather:
            return
        self.voxels[phase] = voxels
        if self.uncertainty is not None and spread is not None:
            self.uncertainty[phase] = spread


def choose_sampling(model: CalidModel, options: Options = DEFAULTS) -> Sampling:
    """What was chosen, and the model's defaults for the rest."""
    chosen = {"samples": options.samples, "steps": options.steps, "detail": options.detail}
    default = {name: model.defaults[name] for name, value in chosen.items() if value is None}
    return Sampling(seed=options.seed, **(chosen | default))


def provenance(model: CalidModel, sampling: Sampling) -> dict[str, Any]:
    """What made a result: model id, weights SHA256, sampling, device, versions."""
    return {
        "software": f"CaLIDSlicer {__version__}",
        "model": model.id,
        "weights_sha256": model.sha256,
        **asdict(sampling),
        "device": str(model.device),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "numpy": np.__version__,
        },
        "intended_use": "research only, not for diagnosis",
    }
