"""When the phases of a slice were, as fractions of the R-R interval of its own breath-hold.

Scanners time phase k of N at k RR / N (Siemens) or (k + 1/2) RR / N (GE), and RR differs between breath-holds: what
slices share is the fraction, not the trigger time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_LONGEST_BEYOND = 1.7
"""Times the span of the phases that R-R may be: prospective gating leaves out the end of the cycle, not half of it."""

LONGEST_CYCLE_MS = 2500.0
LONGEST_STEP_MS = 200.0
"""Between phases of a cine; dynamic series take one picture a heart beat."""
_FEW, _LONGEST_STEP_OF_FEW = 4, 600.0
"""Phases, such as end-diastole and end-systole alone, may be further apart."""


@dataclass(frozen=True)
class Timing:
    """Where the phases of a slice are in the cycle.

    :param fractions: of the R-R interval, increasing; the first is below 1.
    :param cycle: R-R interval in ms, ``None`` where nothing says it.
    :param missing: phases that there should be and are not.
    """

    fractions: tuple[float, ...]
    cycle: float | None
    missing: int = 0


def timing_of(
    count: int, triggers: Sequence[float] | None, rr: float | None = None, stated: int | None = None
) -> Timing:
    """The timing of ``count`` phases.

    :param triggers: ms after the R wave, increasing; ``None`` where they are not known.
    :param rr: ms, as the file says.
    :param stated: phases that the file says there are.
    """
    rr = rr if rr is not None and 200 < rr < LONGEST_CYCLE_MS else None
    short = stated - count if stated is not None and count < stated <= 2 * count + 4 else 0
    if triggers is None or count < 2:
        return Timing(tuple(phase / count for phase in range(count)), rr, short)
    times = np.array(triggers, dtype=float)
    step = float(np.median(np.diff(times)))
    inside = int(np.maximum(np.round(np.diff(times) / step) - 1, 0).sum())
    span = (count + inside) * step
    scale = span
    if rr is not None and span + step / 2 < rr <= _LONGEST_BEYOND * span:
        scale = rr
    cycle = rr if rr is not None and abs(rr - span) <= step / 2 else scale
    fractions = times / scale
    fractions -= np.floor(fractions[0] + 1e-9)
    return Timing(tuple(map(float, fractions)), float(cycle), max(inside, short))


def is_within_a_beat(times: Sequence[float], rr: float | None = None) -> bool:
    """Whether increasing times (ms) are those of the phases of one heart cycle.

    :param rr: ms that the cycle takes, if that is known.
    """
    if len(times) < 2:
        return False
    if rr is not None and times[-1] - times[0] < rr <= LONGEST_CYCLE_MS:
        return True
    longest = _LONGEST_STEP_OF_FEW if len(times) <= _FEW else LONGEST_STEP_MS
    return bool(np.median(np.diff(times)) <= longest and times[-1] - times[0] <= LONGEST_CYCLE_MS)
