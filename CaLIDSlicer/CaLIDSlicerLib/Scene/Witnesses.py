"""How well a dense volume, and linear interpolation of its input, agree with the long axes of its study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from calid.errors import UnusableInput
from calid.stacks.agreement import correlation
from calid.stacks.heart import HEART_MM, around_heart
from calid.stacks.section import Section
from calid.stacks.stack import SliceStack

from .CineInput import Source, findSource
from .LongAxes import LongAxis, readLongAxes
from .Provenance import INPUT_ROLE, PHASE, factOf

_PHASES = 2
"""Evenly over the cine, that are looked at: the user waits."""


class Agreement(NamedTuple):
    """Correlation around the heart with a long axis, the mean over some phases.

    :param name: of the long axis.
    """

    name: str
    before: float
    after: float


def agreementsOf(dense) -> list[Agreement]:
    """How a dense volume agrees with each long axis of its study; of a cine in some of its phases. Never raises."""
    try:
        sparse, made = findSource(dense.GetNodeReference(INPUT_ROLE)), findSource(dense)
        pairs = _samePhases(sparse, made)
        if not pairs:  # the result is of a phase that its input has no longer
            return []
        pairs = [pairs[n] for n in np.unique(np.linspace(0, len(pairs), _PHASES, endpoint=False).astype(int))]
        before = _stackOf(sparse, [item for item, _number in pairs])
        after = _stackOf(made, [number for _item, number in pairs])
    except (UnusableInput, ValueError):  # an input that is gone, or has another phase than the result
        return []
    found = readLongAxes(sparse, [item for item, _number in pairs])
    return [each for longAxis in found if (each := _agreement(longAxis, before, after)) is not None]


def _samePhases(sparse: Source, made: Source) -> list[tuple[int, int]]:
    """The numbers of the phases that both have, in either."""
    if sparse.sequence is None:
        return [(0, 0)]
    values = [factOf(made.volume, PHASE)]
    if made.sequence is not None:
        values = [made.sequence.GetNthIndexValue(n) for n in range(made.phases)]
    items = [sparse.sequence.GetItemNumberFromIndexValue(f"{value}", True) for value in values]
    return [(item, number) for number, item in enumerate(items) if item >= 0]


def _stackOf(source: Source, items: Sequence[int]) -> SliceStack:
    phases = source.read(items)
    return replace(phases[0], voxels=np.concatenate([phase.voxels for phase in phases]))


def _agreement(longAxis: LongAxis, before: SliceStack, after: SliceStack) -> Agreement | None:
    """``None`` where the long axis is beside the heart of the stack."""
    affine = longAxis.ijkToRas.copy()
    affine[:3, 2] /= np.linalg.norm(affine[:3, 2])
    section = Section.of(before, affine, longAxis.phases[0].shape, longAxis.thickness)
    region = section.inside & section.within(*around_heart(before, HEART_MM))
    scores = [
        float(
            np.mean(
                [
                    correlation(section.sample(volume, stack.positions), acquired, region)
                    for volume, acquired in zip(stack.voxels, longAxis.phases, strict=True)
                ]
            )
        )
        for stack in (before, after)
    ]
    return Agreement(longAxis.name, *scores) if np.isfinite(scores).all() else None
