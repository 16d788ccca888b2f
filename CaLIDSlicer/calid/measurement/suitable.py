"""What cannot be measured, whatever a network says of it: refused before it is looked at."""

from __future__ import annotations

import numpy as np

from calid.errors import UnusableInput
from calid.stacks.padding import Padding
from calid.stacks.stack import SliceStack

_FEWEST_VALUES = 24
"""Different values of an image. A label map of a heart has four, one of a whole chest a dozen."""
_AIR_HU, _LEAST_SHARE = -900, 0.02


def check_image(stack: SliceStack) -> None:
    """Raise :class:`UnusableInput` for label maps and computed tomography, whose hearts have no short-axis contrast."""
    voxels = stack.voxels
    if voxels.dtype.kind in "iu" or (voxels == np.round(voxels)).all():
        values = len(np.unique(voxels[0])) if voxels[0].size else 0
        if values < _FEWEST_VALUES:
            raise UnusableInput(
                f"it has {values} different values only, as a label map has", "pass the images, not their labels"
            )
    tissue = Padding.of(voxels).without(voxels)
    share = float(np.mean(tissue <= _AIR_HU))
    if share > _LEAST_SHARE:
        raise UnusableInput(
            f"{share:.0%} of its voxels are at or below {_AIR_HU}, as air is in computed tomography",
            "pass a short-axis MR cine",
        )


def no_heart(slices: int) -> UnusableInput:
    """The error where no left ventricle was found."""
    return UnusableInput(
        f"no heart was found in its {slices} slices",
        "pass a short-axis stack of MR images that covers the left ventricle",
    )
