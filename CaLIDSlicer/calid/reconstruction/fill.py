"""In which order the missing slices are filled, and from which neighbours.

Direct: every missing slice straight from the acquired ones, all in one round. Autoregressive, as in the paper: each
round inserts the middle of every interval, and a synthesised slice is a neighbour for the next round.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

from calid.errors import UnusableInput
from calid.stacks.plan import DensePlan

FILLS = ("direct", "autoregressive")


@dataclass(frozen=True)
class FillStep:
    """Synthesise dense slice ``index`` from four dense slices: beyond below, below, above, beyond above."""

    index: int
    neighbours: tuple[int | None, int, int, int | None]


def fill_rounds(plan: DensePlan, fill: str) -> list[list[FillStep]]:
    """Rounds of steps; all steps of a round can run together.

    :raises UnusableInput: for an unknown fill.
    """
    if fill not in FILLS:
        raise UnusableInput(f"the fill order {fill!r} is unknown", f"choose one of {', '.join(FILLS)}")
    known = [i for i, source in enumerate(plan.acquired) if source is not None]
    rounds = []
    while len(known) < len(plan.acquired):
        if fill == "direct":
            chosen = [i for i, source in enumerate(plan.acquired) if source is None]
        else:
            chosen = [i for a, b in pairwise(known) for i in _middle(plan, a, b)]
        rounds.append([FillStep(i, _neighbours(known, i)) for i in chosen])
        known = sorted(known + chosen)
    return rounds


def _middle(plan: DensePlan, first: int, last: int) -> list[int]:
    """The missing slice nearest the middle of an interval; both where two are equally near, so order has no sense."""
    missing = range(first + 1, last)
    middle = (plan.positions[first] + plan.positions[last]) / 2
    away = [abs(plan.positions[i] - middle) for i in missing]
    return [i for i, d in zip(missing, away, strict=True) if d <= min(away) + 1e-3]


def _neighbours(known: list[int], index: int) -> tuple[int | None, int, int, int | None]:
    above = bisect_left(known, index)
    beyond_below = known[above - 2] if above >= 2 else None
    beyond_above = known[above + 1] if above + 1 < len(known) else None
    return beyond_below, known[above - 1], known[above], beyond_above
