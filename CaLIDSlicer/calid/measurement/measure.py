"""Measure a heart: label it, make it dense if it is not, count, and say how sure that is."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from calid.errors import StackWarning, UnusableInput
from calid.measurement.body import Body
from calid.measurement.coverage import coverage_notes
from calid.measurement.curve import FEWEST_PHASES_FOR_RATES, end_phases
from calid.measurement.extent import base_comes_first, find_extent
from calid.measurement.papillary import CONVENTIONS
from calid.measurement.phases import LabelledPhases, curves
from calid.measurement.result import Measurement
from calid.measurement.segments import LongAxis
from calid.measurement.suitable import check_image, no_heart
from calid.options import Options
from calid.protocol import Event, Progress
from calid.reconstruction.device import choose_device
from calid.reconstruction.gaps import OnPhase
from calid.reconstruction.intensity import IntensityScale
from calid.reconstruction.reconstruct import reconstruct
from calid.segmentation.chambers import Chambers, load_measurer
from calid.stacks.check import check_stack
from calid.stacks.findings import counted
from calid.stacks.plan import plan_slices
from calid.stacks.stack import POSITION_TOLERANCE_MM, SliceStack
from calid.version import __version__

DENSE_MM = 3.0
"""Slices that are no further apart are measured as they are."""

NOBODY = Body()
DEFAULTS = Options()
NOTHING_DRAWN: Mapping[int, np.ndarray] = MappingProxyType({})


def is_dense(stack: SliceStack, options: Options = DEFAULTS) -> bool:
    """Whether a stack is measured as it is: its slices are as close as is asked for, or close enough for anybody."""
    return bool(stack.gaps.max() <= max(DENSE_MM, options.spacing) + POSITION_TOLERANCE_MM)


def measured_positions(stack: SliceStack, options: Options = DEFAULTS) -> np.ndarray:
    """Where the slices lie whose labels are counted, mm along the slice axis.

    :raises UnusableInput: for a spacing that makes no plan.
    """
    return stack.positions if is_dense(stack, options) else plan_slices(stack.positions, options.spacing).positions


def measure(
    stack: SliceStack,
    *,
    body: Body = NOBODY,
    papillary: str = "cavity",
    labels: bool = False,
    acquired: Sequence[int | None] | None = None,
    drawn: Mapping[int, np.ndarray] = NOTHING_DRAWN,
    options: Options = DEFAULTS,
    progress: Callable[[Event], None] = lambda event: None,
    on_phase: OnPhase = lambda phase, dense, uncertainty: None,
) -> Measurement:
    """Volumes, function, mass and wall thickness of a short-axis stack or cine, sparse or dense.

    A sparse one is reconstructed first. Simpson's rule on the acquired slices stands beside. Warns, with
    :class:`~calid.errors.StackWarning`, of what looks wrong in it.

    >>> found = calid.measure(stack, body=calid.Body(height_cm=172, weight_kg=70, rr_ms=880))
    >>> found.lv["ef_percent"], found.intervals["lv"]["ef_percent"]

    :param body: what is known of the patient. Without its R-R interval there is no output and are no rates: the times
        of a file are not trusted with that.
    :param papillary: ``"cavity"`` or ``"wall"``, where papillary muscles and trabeculae are counted.
    :param labels: also return the label map of every phase.
    :param acquired: of a stack that was made dense before, for every slice the index of the acquired slice it equals,
        or ``None`` if it is synthesised.
    :param drawn: labels (k, rows, columns) that a person has drawn, on the slices that are counted, by the number of
        the phase from 0: they stand in place of the network's.
    :param options: of the reconstruction; device and models are those of the labelling too.
    :param progress: gets the events of the reconstruction; of a dense stack one for each phase.
    :param on_phase: gets each phase of the reconstruction, where there is one, for whoever keeps it.
    :raises UnusableInput: for what shows no heart in short-axis MR, and options that cannot be used.
    :raises OutOfResources: if memory or the device is missing.
    :raises WeightsError: if the weights are missing or altered.
    """
    if papillary not in CONVENTIONS:
        raise UnusableInput(f"papillary is {papillary!r}", f"choose {' or '.join(CONVENTIONS)} for papillary")
    check_image(stack)
    segmenter = load_measurer(options.models, choose_device(options.device))
    scale = IntensityScale.of(stack.voxels)
    sparse = stack if acquired is None else _acquired_of(stack, acquired)
    chambers = Chambers.around(segmenter, sparse.voxels[0], sparse.positions, sparse.pixel_spacing, scale)
    if chambers is None:
        raise no_heart(len(sparse.positions))
    for phase in drawn.values():
        chambers = chambers.covering(phase)
    facts: dict[str, Any] = {}
    if len(sparse.positions) < len(stack.positions):
        simpson = _labelled(sparse, chambers, papillary)
        gap = float(np.median(sparse.gaps))
        dense = _labelled(stack, chambers, papillary, gap, drawn, progress)
    elif is_dense(stack, options):
        for finding in check_stack(stack):
            warnings.warn(str(finding), StackWarning, stacklevel=2)
        simpson = dense = _labelled(stack, chambers, papillary, None, drawn, progress)
    else:
        simpson = _labelled(stack, chambers, papillary)
        dense, facts = _densely(stack, chambers, papillary, drawn, options, progress, on_phase)
    provenance = facts | _provenance(chambers, papillary) | ({"drawn_phases": sorted(drawn)} if drawn else {})
    return _summed_up(sparse, simpson, dense, body, labels, drawn, provenance)


def _acquired_of(stack: SliceStack, acquired: Sequence[int | None]) -> SliceStack:
    """The acquired slices of a dense stack alone."""
    kept = np.array([index is not None for index in acquired])
    if len(kept) != len(stack.positions) or kept.sum() < 2 or not (kept[0] and kept[-1]):
        raise UnusableInput(
            f"{len(kept)} slices are named for a stack of {len(stack.positions)}, {kept.sum()} of them acquired",
            "name the acquired slice of each, from the first to the last, or None for one that is synthesised",
        )
    return replace(stack, voxels=stack.voxels[:, kept], positions=stack.positions[kept])


def _labelled(
    stack: SliceStack,
    chambers: Chambers,
    papillary: str,
    gap: float | None = None,
    drawn: Mapping[int, np.ndarray] = NOTHING_DRAWN,
    progress: Callable[[Event], None] = lambda event: None,
) -> LabelledPhases:
    """The labels of all phases as they are; of a dense stack whose acquired slices are ``gap`` mm apart."""
    found = LabelledPhases(chambers, stack.positions, gap, papillary, smooth=gap is not None)
    started, count = time.monotonic(), len(stack.voxels)
    for t, slices in enumerate(stack.voxels):
        found.add(slices, drawn.get(t))
        left = (time.monotonic() - started) * (count / (t + 1) - 1)
        progress(Progress(t, count, t + 1, count, (t + 1) / count, round(left, 1)))
    return found


def _densely(
    stack: SliceStack,
    chambers: Chambers,
    papillary: str,
    drawn: Mapping[int, np.ndarray],
    options: Options,
    progress: Callable[[Event], None],
    on_phase: OnPhase,
) -> tuple[LabelledPhases, dict[str, Any]]:
    """The labels of the reconstruction, which is not kept here, and what made it."""
    plan = plan_slices(stack.positions, options.spacing)
    dense = LabelledPhases(chambers, plan.positions, float(np.median(stack.gaps)), papillary, smooth=True)

    def finished(phase: int, voxels: np.ndarray, spread: np.ndarray | None) -> None:
        dense.add(voxels, drawn.get(phase))
        on_phase(phase, voxels, spread)

    result = reconstruct(
        stack, options=replace(options, uncertainty=False), gather=False, progress=progress, on_phase=finished
    )
    return dense, {"reconstruction": result.provenance}


def _summed_up(
    stack: SliceStack,
    acquired: LabelledPhases,
    dense: LabelledPhases,
    body: Body,
    labels: bool,
    drawn: Mapping[int, np.ndarray],
    facts: dict[str, Any],
) -> Measurement:
    ml = curves(dense.partial)
    ed, es = end_phases(ml["lv"])
    phases = range(len(ml["lv"]))
    base_first = base_comes_first(dense.phase(ed), dense.positions)
    resolved = float(np.diff(dense.positions).mean())
    extents = tuple(
        find_extent(dense.cavity_areas(t), dense.positions, base_first, stack.positions, resolved) for t in phases
    )
    pixel = acquired.chambers.segmenter.pixel
    axis = LongAxis.of(dense.phase(ed), dense.positions, pixel, stack.frame, base_first)
    thickness = tuple(
        {} if axis is None else axis.segment_thickness(dense.phase(t), extents[t].apex.position_mm) for t in phases
    )
    coverage = coverage_notes(dense.cavity_areas(ed), base_first, extents[ed], len(stack.positions))
    notes = coverage + _lacking(len(phases), body, axis) + _drawn(drawn)
    return Measurement(
        ml,
        curves(dense.doubtful),
        curves([dense.basal(t, base_first) for t in phases]),
        None if dense is acquired else curves(acquired.counted),
        ed,
        es,
        extents,
        thickness,
        body,
        facts["papillary"],
        np.stack([drawn[t] if t in drawn else dense.chambers.labels(dense.phase(t)) for t in phases])
        if labels
        else None,
        dense.positions,
        tuple(notes),
        facts,
        dense,
    )


def _lacking(phases: int, body: Body, axis: LongAxis | None) -> list[str]:
    """What was not measured, and why."""
    notes = []
    if phases == 1:
        notes.append(
            "One phase only: there is no stroke volume and no ejection fraction, and it need not be the end "
            "of diastole."
        )
    elif phases < FEWEST_PHASES_FOR_RATES:
        notes.append(f"{phases} phases: end-systole may lie between them, and there are no rates.")
    if body.rr_ms is None and phases > 1:
        notes.append("The R-R interval is not known: there is no cardiac output and are no rates.")
    if body.surface_m2 is None:
        notes.append("Height and weight are not known: nothing is indexed by body surface.")
    if axis is None:
        notes.append("The right ventricle was not found: the wall is not divided into segments.")
    elif not axis.is_oriented:
        notes.append(
            "The directions of the stack are not those of a patient: anterior and inferior segments may be exchanged."
        )
    return notes


def _drawn(drawn: Mapping[int, np.ndarray]) -> list[str]:
    if not drawn:
        return []
    return [f"Labels of phase {counted(sorted(drawn))} were drawn by a person, and count as they are."]


def _provenance(chambers: Chambers, papillary: str) -> dict[str, Any]:
    segmenter = chambers.segmenter
    return {
        "software": f"CaLIDSlicer {__version__}",
        "labels": segmenter.id,
        "labels_sha256": segmenter.sha256,
        "papillary": papillary,
        "intended_use": "research only, not for diagnosis",
    }
