"""When the phases of a cine were, and what the source of a stack calls them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "µs": 1e-6}
_LONGEST_STEP = 5.0
"""Phases of a heart beat are never this many seconds apart: a larger step without a unit is in ms."""

_EQUAL_STEPS = 1e-3
"""Steps that agree to this share of their mean are equal: headers round, and NIfTI keeps float32."""


@dataclass(frozen=True)
class PhaseIndex:
    """The axis of the phases as the source wrote it: trigger times, percent of the cycle, names.

    :param values: one for each phase, as text.
    :param unit: "" where the source does not say.
    """

    values: tuple[str, ...]
    unit: str = ""
    name: str = "time"

    @classmethod
    def even(cls, start: float, step: float, phases: int, unit: str) -> PhaseIndex:
        """The index of a format that keeps a start and a step."""
        return cls(tuple(f"{start + step * phase:.12g}" for phase in range(phases)), unit)

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The values, ``None`` where one of them is not a finite number."""
        try:
            numbers = tuple(map(float, self.values))
        except ValueError:
            return None
        return numbers if np.isfinite(numbers).all() else None

    @property
    def times(self) -> tuple[float, ...] | None:
        """Seconds of each phase, ``None`` where the values are no increasing times."""
        return None if self.numbers is None else seconds(self.numbers, self.unit)

    def of(self, phase: int) -> PhaseIndex:
        """The index of one phase."""
        return replace(self, values=self.values[phase : phase + 1])


def seconds(values: Iterable[float], unit: str) -> tuple[float, ...] | None:
    """Times as a file gives them, in seconds; ``None`` if they are no increasing times.

    Without a unit, a step of 1 is a mere counter, and one of 5 or more must be milliseconds.
    """
    times = tuple(values)
    steps = np.diff(times)
    if not np.isfinite(times).all() or (steps <= 0).any():
        return None
    if not unit:
        if len(times) < 2 or np.allclose(steps, 1):
            return None
        unit = "s" if steps.mean() < _LONGEST_STEP else "ms"
    scale = _SECONDS.get(unit.lower())
    return None if scale is None else tuple(time * scale for time in times)


def even_steps(values: tuple[float, ...]) -> tuple[float, float]:
    """Start and mean step of values, of which there may be one."""
    return values[0], (values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else 0.0


def are_even(values: tuple[float, ...]) -> bool:
    """Whether a start and a step say all of these values."""
    start, step = even_steps(values)
    away = np.abs(np.array(values) - start - step * np.arange(len(values)))
    return bool((away <= _EQUAL_STEPS * abs(step)).all())
