"""What CaLIDSlicer understands of an input, in words, as soon as it is chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from calid.errors import CalidError, UnusableInput
from calid.stacks.check import check_stack, common_gap
from calid.stacks.findings import Finding, Kind
from calid.stacks.stack import SliceStack

from ..Scene.CineInput import MOST_PHASES, findSource
from ..Scene.Outputs import nodesToOverwrite
from ..Scene.VolumeBridge import quoted
from ..Translation import _
from .Words import errorText

COARSE_VOXELS = 500_000
"""Of a cine, that are looked at when it is chosen; the worker looks at all of them again."""


@dataclass(frozen=True, eq=False)
class Understanding:
    """What was understood of a node.

    :param text: such as "10 slices, 8.0 mm apart (one gap of 16 mm), 6 mm thick, 30 phases, 1.4 mm in-plane"; empty on
        error.
    :param warnings: sentences on what looks wrong but does not prevent a reconstruction.
    :param phases: how many there are; 0 on error.
    :param stack: the first phase; ``None`` on error.
    :param error: why the node cannot be used, with the remedy, or ``None``.
    """

    text: str = ""
    warnings: list[str] = field(default_factory=list)
    phases: int = 0
    stack: SliceStack | None = None
    error: str | None = None


def understand(node) -> Understanding:
    """Look at a volume, or at a cine by its proxy volume, sequence or browser. Never raises.

    Quick enough for each change of a selection, for of a cine only the first phase is looked at in full.
    """
    try:
        source = findSource(node)
        source.check(range(min(source.phases, MOST_PHASES)))
        stack, *others = source.read(range(source.phases) if source.phases <= MOST_PHASES else [0])
        gaps = _gaps(source.like, stack)
        found = _warnings(replace(stack, positions=np.concatenate([[0.0], np.cumsum(gaps)])), others)
    except CalidError as error:
        return Understanding(error=errorText(error))
    found += _stretched(source.like, gaps, stack.gaps)
    if source.phases > MOST_PHASES:
        text = _("There are {count} phases; only the current one can be reconstructed.")
        found.append(text.format(count=source.phases))
    phases = source.phases if source.sequence else None
    stack = replace(stack, thickness=source.thickness(gaps))
    return Understanding(describe(stack, gaps, phases), found, source.phases, stack)


def _warnings(first: SliceStack, others: Sequence[SliceStack]) -> list[str]:
    """What looks wrong; a phase that cannot be used is a warning, for the current one may be another."""
    problems: list[str] = []
    found = check_stack(first)
    if others:
        try:
            found = _merged(found, check_stack(_coarse(first, others)))
        except UnusableInput as error:
            problems.append(errorText(error))
    return problems + [str(finding) for finding in found]


def _coarse(first: SliceStack, others: Sequence[SliceStack]) -> SliceStack:
    """All phases with fewer pixels: enough to see what they show, and to see it while the user waits."""
    phases = [first, *others]
    step = math.ceil(math.sqrt(sum(phase.voxels.size for phase in phases) / COARSE_VOXELS))
    return replace(first, voxels=np.concatenate([phase.voxels[..., ::step, ::step] for phase in phases]))


def _merged(first: list[Finding], cine: list[Finding]) -> list[Finding]:
    """Of the first phase what needs every pixel, and of the coarse cine the rest."""
    if any(finding.kind is Kind.SWAPPED_AXES for finding in cine):
        return cine  # what else is odd follows from that
    fine = (Kind.OUT_OF_ORDER, Kind.SHIFTED)
    same = {f.slices for f in first if f.kind is Kind.DUPLICATED}
    kept = [f for f in first if f.kind in (*fine, Kind.DUPLICATED)]
    return kept + [f for f in cine if f.kind not in fine and not (f.kind is Kind.DUPLICATED and f.slices in same)]


def outputError(node, output, phases: str) -> str:
    """Why ``output`` cannot take the result of ``node``, with the remedy; empty if it can. Never raises.

    :param phases: as in :class:`..Jobs.Reconstruction.Reconstruction`.
    """
    try:
        source = findSource(node)
        nodesToOverwrite(source, output, source.isCine(phases))
    except CalidError as error:
        return errorText(error)
    return ""


def describe(stack: SliceStack, gaps: np.ndarray, phases: int | None) -> str:
    """One line on a stack whose slices are ``gaps`` mm apart, ``phases`` being ``None`` for a still."""
    common = common_gap(gaps)
    slices = _("{count} slices, {gap:.1f} mm apart").format(count=len(gaps) + 1, gap=common)
    parts = [slices + _otherGaps(gaps, common)]
    if stack.thickness is not None:
        parts.append(_("{thickness:.3g} mm thick").format(thickness=stack.thickness))
    if phases is not None:
        parts.append((_("{count} phases") if phases > 1 else _("{count} phase")).format(count=phases))
    rows, columns = (f"{spacing:.1f}" for spacing in stack.pixel_spacing)
    size = rows if rows == columns else f"{rows} x {columns}"
    return ", ".join([*parts, _("{size} mm in-plane").format(size=size)])


def _gaps(volume, stack: SliceStack) -> np.ndarray:
    """Distances in mm between the centres of the slices in the world.

    A series with missing or unequally spaced slices is loaded by Slicer as an even stack below a transform that moves
    the slices to their places, so the parent transform tells what the volume does not.
    """
    rows, columns = stack.voxels.shape[2:]
    centres = [stack.frame[:3] @ [(columns - 1) / 2, (rows - 1) / 2, at, 1] for at in stack.positions]
    world = np.array([_toWorld(volume, centre) for centre in centres])
    return np.linalg.norm(np.diff(world, axis=0), axis=1)


def _stretched(volume, world: np.ndarray, planned: np.ndarray) -> list[str]:
    """A warning where the parent transform, which moves the slices of the result as well, makes gaps wider."""
    wider = 100 * (float((world / planned).max()) - 1)
    if wider <= 1:
        return []
    text = _(
        "{transform} moves the slices apart after they are filled in: in the widest gap the new ones are {wider:.0f} % "
        "further apart than asked for."
    )
    return [text.format(transform=quoted(volume.GetParentTransformNode()), wider=wider)]


def _toWorld(volume, point: np.ndarray) -> list[float]:
    moved = [0.0, 0.0, 0.0]
    volume.TransformPointToWorld(list(point), moved)
    return moved


def _otherGaps(gaps: np.ndarray, common: float) -> str:
    other = [f"{gap:.3g}" for gap in gaps if abs(gap - common) > 0.05 * common]
    counts = [(other.count(gap), gap) for gap in dict.fromkeys(other)]
    named = [
        (_("one gap of {gap} mm") if count == 1 else _("{count} gaps of {gap} mm")).format(count=count, gap=gap)
        for count, gap in counts
    ]
    return f" ({', '.join(named)})" if named else ""
