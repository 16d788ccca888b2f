"""Slices without an image, or with half of one: an interrupted export, a slice that was added to fill a gap."""

from __future__ import annotations

import numpy as np

from calid.stacks.findings import Finding, Kind, counted

HALF_EMPTY = 0.25
"""Share of rows, or of columns, that are constant in a slice and are not in the others."""

_FLAT = 0.02
"""A slice whose contrast is this share of that of the others shows nothing."""


def findings(voxels: np.ndarray) -> list[Finding]:
    """The slices of (phases, slices, rows, columns) that are blank, or half empty unlike the others."""
    empty = np.maximum(_constant_share(voxels, 3), _constant_share(voxels, 2))  # (phases, slices)
    contrast = voxels.std(axis=(2, 3), dtype=np.float64)
    blank = (np.ptp(voxels, axis=(2, 3)) == 0) | (contrast <= _FLAT * np.median(contrast))
    half = ~blank & (empty >= np.median(empty) + HALF_EMPTY)
    found = []
    for k in range(voxels.shape[1]):
        if blank[:, k].any():
            value = voxels[int(np.flatnonzero(blank[:, k])[0]), k].flat[0]
            found.append(_finding(k, blank[:, k], "is blank", f" (every voxel is about {value:g})"))
        elif half[:, k].any():
            share = empty[half[:, k], k].max()
            found.append(_finding(k, half[:, k], f"is empty in {share:.0%} of its rows or columns"))
    return found


def _constant_share(voxels: np.ndarray, axis: int) -> np.ndarray:
    """(phases, slices) share of the lines along ``axis`` that hold a single value."""
    return (voxels.min(axis=axis) == voxels.max(axis=axis)).mean(axis=2)


def _finding(k: int, phases: np.ndarray, what: str, why: str = "") -> Finding:
    """Of slice ``k`` in those phases where the mask is true."""
    odd = [int(t) for t in np.flatnonzero(phases)]
    named = f" in phase{'s' * (len(odd) > 1)} {counted(odd)}"
    text = f"Slice {k + 1} {what}{'' if phases.all() else named}{why}: export it again, or leave it out."
    return Finding(Kind.BLANK, text, (k,))
