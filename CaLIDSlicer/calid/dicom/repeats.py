"""What was acquired more than once: a whole stack again (rest and stress), or single slices (a patient who breathed).

Series whose slices lie at three places and more are stacks of their own. Slices that have a series each are taken in
the order of their acquisition, and cut where a second stack begins: where cutting leaves the fewest slices repeated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calid.dicom.remarks import Remark, Topic, corrected
from calid.dicom.slices import SliceCine

FEWEST_PLACES = 3
"""Of a stack."""

_NEAR_SHARE = 0.4
"""Of the usual gap: two slices of one stack are not nearer than that."""
_SMALLEST_NEAR_MM = 1.0
_ABORTED_SHARE = 0.75
"""A repetition with fewer phases than this share was given up."""


@dataclass(frozen=True)
class Placed:
    """A slice and its position in mm along the axis that it shares with others."""

    cine: SliceCine
    at: float


def stacks_among(placed: Sequence[Placed]) -> list[list[Placed]]:
    """Parallel slices, as the stacks in which they were acquired; a repeated slice stays in its stack.

    :returns: stacks with the slices in the order of acquisition.
    """
    near = nearness(placed)
    series = defaultdict(list)
    for each in sorted(placed, key=lambda one: one.cine.when):
        series[each.cine.first.series].append(each)
    whole = [part for part in series.values() if _places(part, near) >= FEWEST_PLACES]
    single = [each for part in series.values() if _places(part, near) < FEWEST_PLACES for each in part]
    single.sort(key=lambda one: one.cine.when)
    stacks = _joined([part for one in whole for part in _divided(one, near)], near)
    largest = max((_places(stack, near) for stack in stacks), default=0)
    if _places(single, near) >= max(FEWEST_PLACES, largest / 2):
        return stacks + _divided(single, near)
    if not stacks:
        return [single] if single else []
    for each in single:
        _before(stacks, each).append(each)
    return stacks


def nearness(placed: Sequence[Placed]) -> float:
    """mm that slices of one stack are apart at least."""
    at = np.sort([each.at for each in placed])
    gaps = np.diff(at)
    in_time = np.abs(np.diff([each.at for each in sorted(placed, key=lambda one: one.cine.when)]))
    steps = in_time[in_time > _SMALLEST_NEAR_MM]
    steps = steps if steps.size else gaps[gaps > _SMALLEST_NEAR_MM]
    return max(_SMALLEST_NEAR_MM, _NEAR_SHARE * float(np.median(steps))) if steps.size else _SMALLEST_NEAR_MM


def kept(stack: Sequence[Placed]) -> tuple[list[Placed], list[tuple[Placed, Placed]]]:
    """The slices of a stack from one end to the other, one at each place, and (kept, left out) of each repetition."""
    near = nearness(stack)
    chosen: list[Placed] = []
    dropped = []
    for each in sorted(stack, key=lambda one: one.at):
        if not chosen or each.at - chosen[-1].at >= near:
            chosen.append(each)
            continue
        best = _better(chosen[-1], each)
        dropped.append((best, each if best is chosen[-1] else chosen[-1]))
        chosen[-1] = best
    return chosen, dropped


def repetition(number: int, best: Placed, other: Placed) -> Remark:
    """What is said of a slice that was acquired again; ``number`` counts from 0."""
    later = best.cine.when > other.cine.when
    many = f"{len(best.cine.pictures)} and {len(other.cine.pictures)} phases"
    away = abs(best.at - other.at)
    where = f", {away:.1f} mm apart" if away > 0.5 else ""
    why = "the later one is kept" if later else f"the earlier one is kept, for the later one was given up ({many})"
    return corrected(Topic.REPEATED, f"Slice {number + 1} was acquired twice{where}: {why}.", number)


def _places(stack: Sequence[Placed], near: float) -> int:
    at = np.sort([each.at for each in stack])
    return int(1 + (np.diff(at) >= near).sum()) if at.size else 0


def _divided(stack: list[Placed], near: float) -> list[list[Placed]]:
    """Slices in the order of acquisition, cut into stacks."""
    places, repeated = _places(stack, near), len(stack) - _places(stack, near)
    fewest = max(FEWEST_PLACES, places / 2)
    if repeated < fewest:
        return [stack]
    cuts = []
    for cut in range(FEWEST_PLACES, len(stack) - FEWEST_PLACES + 1):
        parts = stack[:cut], stack[cut:]
        if min(_places(part, near) for part in parts) >= fewest:
            cuts.append((sum(len(part) - _places(part, near) for part in parts), cut))
    if not cuts or repeated - min(cuts)[0] < fewest:
        return [stack]
    cut = min(cuts)[1]
    return _divided(stack[:cut], near) + _divided(stack[cut:], near)


def _joined(stacks: list[list[Placed]], near: float) -> list[list[Placed]]:
    """Stacks that continue each other in space, as one that was planned in two series."""
    joined: list[list[Placed]] = []
    for stack in sorted(stacks, key=lambda one: min(each.at for each in one)):
        if joined and _continues(joined[-1], stack, near):
            joined[-1] += stack
        else:
            joined.append(stack)
    return joined


def _continues(one: list[Placed], other: list[Placed], near: float) -> bool:
    gaps = [np.diff(np.sort([each.at for each in stack])) for stack in (one, other)]
    usual = float(np.median(np.concatenate(gaps)))
    between = min(each.at for each in other) - max(each.at for each in one)
    return near <= between <= 1.5 * usual


def _before(stacks: list[list[Placed]], each: Placed) -> list[Placed]:
    """The stack that was last begun before a slice."""
    begun = [stack for stack in stacks if min(one.cine.when for one in stack) <= each.cine.when]
    return max(begun or stacks, key=lambda stack: min(one.cine.when for one in stack))


def _better(one: Placed, other: Placed) -> Placed:
    earlier, later = sorted((one, other), key=lambda each: each.cine.when)
    enough = len(later.cine.pictures) >= _ABORTED_SHARE * len(earlier.cine.pictures)
    return later if enough else earlier
