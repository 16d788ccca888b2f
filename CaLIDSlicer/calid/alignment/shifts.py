"""The shift of each slice of a stack, all phases together, where two opinions agree on it.

Anatomy moves from slice to slice by more than most shifts, so neighbours are not simply registered. Each slice is
compared with what the model predicts in its place from its neighbours (:mod:`calid.alignment.prediction`). Where the
slice lies between the two neighbours themselves is the other opinion; an observation is as uncertain as the two
differ. All observations are explained together (:mod:`calid.alignment.joint`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from calid.alignment.crossings import NOISE as CROSSED_NOISE
from calid.alignment.crossings import Crossings
from calid.alignment.displacement import jumps, shifted, translations
from calid.alignment.joint import second_differences, solve_jointly
from calid.alignment.prediction import predicted
from calid.model.gap import GapNet

PIXEL = 1.25
"""mm, square, of the pictures that are compared: what the network has learned from."""

FIELD = 128
"""Pixels: 160 mm in the middle of the field of view, where the heart is; what is nearer to the middle counts more."""

BRIGHTEST = 1.4
"""Network units, of what is compared: fat and flow beyond it would vote with their brightness."""

PHASES = 4
"""Of a cine, evenly spread. They share the shifts, and more of them add nothing."""

FEWEST_SLICES = 6
CAP = 30.0
"""mm. What seems shifted by more is left alone: a picture may fit anywhere that far away."""

_COARSE, _COARSE_FIELD, _COARSE_REACH, _COARSE_NOISE = 4, 160, 7, 2.5
_LARGE = 6.0
"""mm. Translations follow less than this by themselves."""

_UNPREDICTED = 0.35
"""mm, standard deviation of what anatomy is off its prediction; measured on dense hearts."""

_DOUBT = 0.2
"""Of the difference between the two opinions, that is noise of the first."""

_CERTAIN = 0.4
"""mm. What is estimated smaller than this is as likely anatomy."""

_OF_THREE = 1.22
"""Times the noise of a slice is that of its second difference."""

_PASSES, _SETTLED, _UNSETTLED = 3, 0.3, 1.0
_APART, _NOTABLE = 2.0, 3.0


@dataclass(frozen=True, eq=False)
class Shifts:
    """How far each slice is displaced in its plane.

    :param mm: (slices, 2) down the rows and along the columns; 0 for a slice that is left alone.
    :param unsettled: slices that may be shifted, but the opinions differ or the search did not come to rest.
    :param capped: slices that seem to be off by more than ``CAP``.
    """

    mm: np.ndarray
    unsettled: list[int] = field(default_factory=list)
    capped: list[int] = field(default_factory=list)

    @property
    def lengths(self) -> np.ndarray:
        """(slices,) mm."""
        return np.linalg.norm(self.mm, axis=1)

    @classmethod
    def none(cls, slices: int) -> Shifts:
        """Nothing is displaced."""
        return cls(np.zeros((slices, 2)))


def find_shifts(
    pictures: np.ndarray, positions: np.ndarray, thickness: float, net: GapNet, crossings: Crossings | None = None
) -> Shifts:
    """Find the shifts of a stack; a stack of fewer than ``FEWEST_SLICES`` slices says too little of them.

    :param pictures: (phases, slices, rows, columns) network units, pixels of ``PIXEL`` mm.
    :param positions: (slices,) mm.
    :param thickness: mm of the slices.
    :param crossings: with long axes, where the study has some.
    """
    if len(positions) < FEWEST_SLICES:
        return Shifts.none(len(positions))
    chosen = np.unique(np.linspace(0, len(pictures), PHASES, endpoint=False).astype(int))
    seen = torch.from_numpy(pictures[chosen].clip(-1, BRIGHTEST))
    looked_at = chosen[:: max(1, len(chosen) // 2)].tolist()
    shifts = _large_shifts(seen, positions)
    for _ in range(_PASSES):
        before, (first, second, noise) = shifts, _observe(seen, positions, thickness, net, shifts)
        crossed = crossings.observe(pictures[looked_at], looked_at, shifts) if crossings else None
        shifts = solve_jointly(positions, first, noise, crossed, _noise_of(crossed, first, positions))
        change = np.linalg.norm(shifts - before, axis=1)
        if change.max() < _SETTLED:
            break
    return _certain(shifts, change > _UNSETTLED, _doubtful(first, second, shifts))


def _noise_of(crossed: np.ndarray | None, first: np.ndarray, positions: np.ndarray) -> float:
    """mm, standard deviation of what long axes say, by how far they are off the first opinion where that tells.

    A long axis beside the place where it should be, or at another phase, is not worth much.
    """
    if crossed is None:
        return CROSSED_NOISE
    apart = second_differences(positions) @ crossed - first
    apart = apart[np.isfinite(apart)]
    return max(CROSSED_NOISE, 1.48 / _OF_THREE * float(np.median(np.abs(apart)))) if apart.size else CROSSED_NOISE


def _certain(shifts: np.ndarray, restless: np.ndarray, doubtful: np.ndarray) -> Shifts:
    capped = np.linalg.norm(shifts, axis=1) > CAP
    unsettled = (restless | doubtful) & ~capped
    left = restless | capped | (np.linalg.norm(shifts, axis=1) < _CERTAIN)
    kept = np.where(left[:, None], 0, shifts)
    return Shifts(kept, np.flatnonzero(unsettled).tolist(), np.flatnonzero(capped).tolist())


def _doubtful(first: np.ndarray, second: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Slices on which one opinion sees a notable shift and the other does not, and that are left in place."""
    apart = np.linalg.norm(first - second, axis=1) > _APART
    notable = np.maximum(np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)) > _NOTABLE
    inner = apart & notable & (np.linalg.norm(shifts[1:-1], axis=1) < _UNSETTLED)
    return np.pad(inner, 1)


def _large_shifts(seen: Tensor, positions: np.ndarray) -> np.ndarray:
    """(slices, 2) mm of the slices that are far off, by where neighbours correlate best; 0 for the others."""
    pixel = PIXEL * _COARSE
    found = [jumps(F.avg_pool2d(_middle(s, _COARSE_FIELD), _COARSE), _COARSE_REACH) for s in seen]
    observed = _off_the_line(np.median(found, axis=0) * pixel, positions)
    shifts = solve_jointly(positions, observed, np.full(len(observed), _COARSE_NOISE))
    return np.where(np.linalg.norm(shifts, axis=1, keepdims=True) > _LARGE, shifts, 0)


def _observe(
    seen: Tensor, positions: np.ndarray, thickness: float, net: GapNet, shifts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Second differences (slices - 2, 2) in mm of both opinions, and the noise (slices - 2,) of the first.

    :param seen: (phases, slices, rows, columns).
    :param shifts: what is known of the shifts already; it is taken out before the slices are compared.
    """
    known = second_differences(positions) @ shifts
    pixels = torch.from_numpy(shifts / PIXEL).float()
    hann = torch.hann_window(FIELD + 2, periodic=False)[1:-1]
    window = torch.outer(hann, hann)
    opinions = []
    for phase in seen:
        slices = _middle(shifted(phase, -pixels), FIELD)
        first = translations(predicted(net, slices, positions, thickness), slices[1:-1], window)
        second = _off_the_line(translations(slices[:-1], slices[1:], window), positions)
        opinions.append((first, second))
    first, second = (np.median(each, axis=0) * PIXEL for each in zip(*opinions, strict=True))
    noise = np.hypot(_UNPREDICTED, _DOUBT * np.linalg.norm(first - second, axis=1))
    return first + known, second + known, noise


def _off_the_line(steps: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(k - 2, 2) second differences from the steps (k - 1, 2) between neighbours."""
    part = _below_part(positions)[:, None]
    return part * steps[:-1] - (1 - part) * steps[1:]


def _below_part(positions: np.ndarray) -> np.ndarray:
    return (positions[2:] - positions[1:-1]) / (positions[2:] - positions[:-2])


def _middle(slices: Tensor, size: int) -> Tensor:
    """The middle ``size`` x ``size`` pixels of (k, rows, columns); a smaller picture is continued by its edge."""
    rows, columns = slices.shape[1:]
    missing = max(0, size - rows), max(0, size - columns)
    sides = [n // 2 + odd * (n % 2) for n in reversed(missing) for odd in (0, 1)]
    padded = F.pad(slices[None], sides, mode="replicate")[0] if any(missing) else slices
    top, left = ((n - size) // 2 for n in padded.shape[1:])
    return padded[:, top : top + size, left : left + size]
