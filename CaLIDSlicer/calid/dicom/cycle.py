"""One heart cycle for slices whose breath-holds gave them other phases.

Phase k of N is a fraction of its slice's own R-R interval. Slices with the commonest phases stay as they are. Others
are resampled over the cycle, which is closed: linear between neighbouring phases, but so that the phase at which a
slice is least like its first one, end-systole, falls onto that of the stack and is taken over as it was acquired.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

_SAME_PHASE = 0.3
"""Of a phase that two slices may be apart and still be taken phase by phase."""
_ACQUIRED = 0.05
"""Of a phase: nearer to an acquired one than this, it is that."""
_NEAR_SYSTOLE = 0.12
"""Of the cycle: end-systole of a slice is looked for that near to the stack's."""
FEWEST_PHASES = 5
"""Of a slice that may be resampled: of fewer, linear interpolation invents the heart between them."""
_CLEARLY_MORE = 1.05
_COARSE = 64

Slice = tuple[np.ndarray, tuple[float, ...]]
"""Frames (phases, rows, columns) and the fraction of the cycle of each."""


def common_fractions(slices: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    """The fractions of the phases that most slices have; of equally common numbers of phases, the larger."""
    counts = Counter(map(len, slices))
    most = max(counts, key=lambda count: (counts[count], count))
    fractions = np.median([one for one in slices if len(one) == most], axis=0)
    return tuple(map(float, fractions))


def is_in_step(fractions: Sequence[float], reference: Sequence[float]) -> bool:
    """Whether a slice has the phases of the others, one by one."""
    if len(fractions) != len(reference):
        return False
    return bool(np.abs(np.subtract(fractions, reference)).max() <= _SAME_PHASE / len(reference))


def end_systole(frames: Sequence[np.ndarray]) -> int:
    """The phase in which slices of equally many phases are least like in their first one."""
    return int(np.argmax(np.sum([_unlike_first(one) for one in frames], axis=0)))


def resampled(one: Slice, reference: tuple[float, ...], systole: int | None) -> np.ndarray:
    """Frames (phases, rows, columns) of a slice at the fractions of the others; float32.

    :param systole: the phase of the reference that is end-systole, if it is known.
    """
    frames, own = one
    wanted = np.array(reference)
    if systole is not None and 0 < systole < len(reference) and len(frames) > 2:
        wanted = _warped(wanted, reference[systole], own[_own_systole(frames, own, reference[systole])])
    start, period = own[0], 1.0
    known = np.array([*own, own[0] + period])
    closed = np.concatenate([frames, frames[:1]]).astype(np.float32, copy=False)
    result = np.empty((len(wanted), *frames.shape[1:]), np.float32)
    for target, at in zip(result, (wanted - start) % period + start, strict=True):
        below = int(np.clip(np.searchsorted(known, at, side="right") - 1, 0, len(known) - 2))
        part = (at - known[below]) / (known[below + 1] - known[below])
        part = 0.0 if part < _ACQUIRED else 1.0 if part > 1 - _ACQUIRED else part
        target[:] = (1 - part) * closed[below] + part * closed[below + 1]
    return result


def _warped(wanted: np.ndarray, systole: float, own: float) -> np.ndarray:
    """Fractions of a slice for those of the stack: start and end of the cycle stay, end-systole falls on its own."""
    return np.interp(wanted, [0.0, systole, 1.0], [0.0, own, 1.0])


def _own_systole(frames: np.ndarray, own: Sequence[float], systole: float) -> int:
    """The phase of a slice that is its end-systole: the nearest one, unless another near it is clearly less like ED."""
    away = np.abs(np.subtract(own, systole))
    unlike = _unlike_first(frames)
    nearest = int(np.argmin(away))
    best = int(np.argmax(np.where(away <= _NEAR_SYSTOLE, unlike, -1.0)))
    return best if unlike[best] > _CLEARLY_MORE * unlike[nearest] else nearest


def _unlike_first(frames: np.ndarray) -> np.ndarray:
    """(phases,) mean difference to the first phase, in the middle of the picture where most moves."""
    step = max(1, min(frames.shape[1:]) // _COARSE)
    rows, columns = frames.shape[1:]
    middle = frames[:, rows // 4 : rows - rows // 4 : step, columns // 4 : columns - columns // 4 : step]
    return np.abs(middle.astype(np.float32) - middle[:1]).mean(axis=(1, 2))
