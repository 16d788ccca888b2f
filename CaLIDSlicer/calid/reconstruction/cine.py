"""What a cine must be, beyond being a stack: no missing phase, not endless; and what its user should know about it.

All phases share one intensity scale (:mod:`calid.reconstruction.intensity`), or the result would flicker. A phase on a
scale of its own is reconstructed too, but far from the range that the networks know, so its user is told.
"""

from __future__ import annotations

import numpy as np

from calid.errors import UnusableInput
from calid.reconstruction.intensity import HIGH_PERCENTILE
from calid.stacks.stack import SliceStack

LARGEST_CINE = 200
"""Phases. More are no heart cycle, but a real-time series or a 4D file of something else."""

_LARGEST_RATIO = 4.0
"""Of the brightness of two phases of one acquisition; the way to steady state stays below 2."""

_DARK = 1e-9


def check_cine(stack: SliceStack) -> list[str]:
    """Check the phases of a cine; one phase always passes.

    :returns: warnings, in sentences.
    :raises UnusableInput: for more than ``LARGEST_CINE`` phases, or a phase whose voxels are all equal.
    """
    phases = len(stack.voxels)
    if phases > LARGEST_CINE:
        raise UnusableInput(
            f"it has {phases} phases, and a heart cycle has at most {LARGEST_CINE}",
            f"reconstruct {{one_phase:{phases}}}",
        )
    if phases == 1:
        return []
    for number, voxels in enumerate(stack.voxels):
        if voxels.min() == voxels.max():
            raise UnusableInput(
                f"phase {number + 1} is missing: every voxel of it is {voxels.flat[0]}",
                f"export the cine again, or reconstruct {{one_phase:{phases}}}",
            )
    return _other_scales(stack.voxels)


def _other_scales(voxels: np.ndarray) -> list[str]:
    brightness = np.array([np.percentile(np.abs(phase), HIGH_PERCENTILE) for phase in voxels])
    ratios = np.maximum(brightness / max(float(np.median(brightness)), _DARK), _DARK)
    odd = np.flatnonzero(np.abs(np.log(ratios)) > np.log(_LARGEST_RATIO))
    if not odd.size:
        return []
    worst = odd[np.abs(np.log(ratios[odd])).argmax()]
    have = "has" if len(odd) == 1 else "have"
    warning = (
        f"{len(odd)} of {len(voxels)} phases {have} another intensity scale: phase {worst + 1} is "
        f"{ratios[worst]:.3g} times as bright as most; all are reconstructed on one scale"
    )
    return [warning]
