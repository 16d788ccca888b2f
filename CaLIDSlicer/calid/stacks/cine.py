"""What a cine must be, beyond being a stack: no missing phase, not endless; and what its user should know about it.

All phases share one intensity scale (:mod:`calid.reconstruction.intensity`), or the result would flicker. A phase on a
scale of its own is reconstructed too, but far from the range that the networks know, so its user is told.
"""

from __future__ import annotations

import numpy as np

from calid.errors import UnusableInput
from calid.stacks.findings import Finding, Kind, counted
from calid.stacks.likeness import correlations

LARGEST_CINE = 200
"""Phases. More are no heart cycle, but a real-time series or a 4D file of something else."""

_HIGH_PERCENTILE = 99.5

_LARGEST_RATIO = 4.0
"""Of the brightness of two phases of one acquisition; the way to steady state stays below 2."""

_DARK = 1e-9

_FEWEST_PHASES = 3
"""End-diastole and end-systole alone differ more than neighbouring phases do."""

_SAME_VIEW, _MORE_ALIKE = 0.85, 0.05
"""Neighbouring phases are alike by more than 0.94 on average, neighbouring slices by less than 0.84, in 39 cines."""

_COARSE = 96
"""Rows or columns, at least, that are enough to see whether images are alike."""

_OTHER_IMAGES = 0.4
"""Two phases of one cine are alike by more than 0.65, magnitude and phase images by about 0."""


def refuse_cine(voxels: np.ndarray) -> None:
    """Check the phases of a cine (phases, slices, rows, columns); one phase always passes.

    :raises UnusableInput: for more than ``LARGEST_CINE`` phases, or a phase whose voxels are all equal.
    """
    phases = len(voxels)
    if phases > LARGEST_CINE:
        raise UnusableInput(
            f"it has {phases} phases, and a heart cycle has at most {LARGEST_CINE}",
            f"reconstruct {{one_phase:{phases}}}",
        )
    for number, phase in enumerate(voxels if phases > 1 else ()):
        if phase.min() == phase.max():
            raise UnusableInput(
                f"phase {number + 1} is missing: every voxel of it is {phase.flat[0]}",
                f"export the cine again, or reconstruct {{one_phase:{phases}}}",
            )


def cine_findings(voxels: np.ndarray) -> list[Finding]:
    """What looks wrong in the phases of a cine, without its padding."""
    if len(voxels) == 1:
        return []
    step = max(1, min(voxels.shape[2:]) // _COARSE)
    coarse = voxels[..., ::step, ::step]
    return [*_swapped_axes(coarse), *_other_images(coarse), *_other_scales(voxels)]


def _swapped_axes(voxels: np.ndarray) -> list[Finding]:
    phases, slices = voxels.shape[:2]
    if phases < _FEWEST_PHASES or slices < _FEWEST_PHASES:
        return []
    along_slices = np.mean([np.diag(correlations(phase), 1).mean() for phase in voxels])
    along_phases = np.mean([np.diag(correlations(voxels[:, k]), 1).mean() for k in range(slices)])
    if along_slices < _SAME_VIEW or along_slices < along_phases + _MORE_ALIKE:
        return []
    text = (
        f"The axes of time and of the slices seem to be swapped: its {slices} slices are more alike "
        f"({along_slices:.2f}) than its {phases} phases ({along_phases:.2f})."
    )
    return [Finding(Kind.SWAPPED_AXES, text)]


def _other_images(voxels: np.ndarray) -> list[Finding]:
    alike = correlations(voxels)
    reference = int(alike.mean(axis=1).argmax())
    odd = np.flatnonzero(alike[reference] < _OTHER_IMAGES)
    if not odd.size:
        return []
    which = f"Phases {counted(map(int, odd))} show" if odd.size > 1 else f"Phase {odd[0] + 1} shows"
    text = (
        f"{which} something else than phase {reference + 1} (correlation {alike[reference, odd].min():.2f}): magnitude "
        "and phase images, or two series, in one file?"
    )
    return [Finding(Kind.OTHER_IMAGES, text)]


def _other_scales(voxels: np.ndarray) -> list[Finding]:
    brightness = np.array([np.percentile(np.abs(phase.astype(float)), _HIGH_PERCENTILE) for phase in voxels])
    ratios = np.maximum(brightness / max(float(np.median(brightness)), _DARK), _DARK)
    odd = np.flatnonzero(np.abs(np.log(ratios)) > np.log(_LARGEST_RATIO))
    if not odd.size:
        return []
    worst = odd[np.abs(np.log(ratios[odd])).argmax()]
    have = "has" if len(odd) == 1 else "have"
    text = (
        f"{len(odd)} of {len(voxels)} phases {have} another intensity scale: phase {worst + 1} is "
        f"{ratios[worst]:.3g} times as bright as most; all are reconstructed on one scale"
    )
    return [Finding(Kind.OTHER_SCALE, text)]
