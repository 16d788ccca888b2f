"""What one image file holds, whatever its format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calid.errors import UnusableInput
from calid.stacks.phases import PhaseIndex


@dataclass(frozen=True, eq=False)
class Image:
    """Voxels and where they are.

    :param voxels: (k, j, i) or (phases, k, j, i), in the data type of the file.
    :param affine: IJK to LPS mm.
    :param index: of the phases, ``None`` where the file does not say.
    :param thickness: mm that the slices average over, along i, j and k, not a number where the file does not say.
    :param remarks: sentences on what was decided in reading it, where the file contradicts itself.
    """

    voxels: np.ndarray
    affine: np.ndarray
    index: PhaseIndex | None = None
    remarks: tuple[str, ...] = ()
    thickness: tuple[float, float, float] = (math.nan, math.nan, math.nan)


THICKNESS = "slice_thickness_mm"
"""Free key of NRRD and MetaImage: 3D Slicer keeps it as an attribute, and loses NRRD's own ``thicknesses``."""


def thickness_from(text: str | None) -> float:
    """mm, of the value of :data:`THICKNESS`; not a number where it is none that is possible."""
    try:
        mm = float(text or "")
    except ValueError:
        return math.nan
    return mm if 0 < mm < math.inf else math.nan


def check_sizes(sizes: Sequence[int], components: int = 1) -> None:
    """Raise ``UnusableInput`` unless these are the sizes (i, j, k, phases) of a grey-scale stack or cine."""
    shape = " x ".join(str(length) for length in sizes)
    if components > 1:
        raise UnusableInput(
            f"it has {components} values per voxel: a colour image or a vector field",
            "pass a grey-scale volume, or a cine as a 4D file",
        )
    if len(sizes) not in (3, 4):
        raise UnusableInput(f"it has {len(sizes)} dimensions ({shape})", "pass a 3D stack or a 4D cine")
    if any(size < 1 for size in sizes):
        raise UnusableInput(f"its size is {shape}", "export it again: a size in the header is damaged")


def check_spacing(spacing: Sequence[float]) -> None:
    """Raise ``UnusableInput`` unless the distances (mm) of a header are possible."""
    if not all(0 < distance < math.inf for distance in spacing):
        numbers = " x ".join(f"{distance:g}" for distance in spacing)
        raise UnusableInput(f"the spacing in the header is {numbers} mm", "correct the spacing in the header")
