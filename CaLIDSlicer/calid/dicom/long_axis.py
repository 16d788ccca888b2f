"""Long-axis cines of a study, in step with the stack that was made of it: other witnesses of the same heart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calid.dicom import cycle
from calid.dicom.assemble import Assembled
from calid.dicom.pictures import Plane
from calid.dicom.pixels import Pixels
from calid.dicom.reading import read_frames
from calid.dicom.views import View


@dataclass(frozen=True, eq=False)
class LongAxis:
    """One slice across the stack, acquired in a breath-hold of its own.

    :param voxels: (phases, rows, columns), at the fractions of the R-R interval that the stack has.
    :param plane: where it is, in LPS.
    :param view: that it is from.
    :param thickness: mm, ``None`` where nothing says it.
    """

    voxels: np.ndarray
    plane: Plane
    view: View
    thickness: float | None

    @property
    def affine(self) -> np.ndarray:
        """4 x 4, (column, row, mm along the normal) to LPS mm."""
        return self.plane.affine


def read_long_axes(views: Sequence[View], made: Assembled, pixels: Pixels) -> list[LongAxis]:
    """The slices of long-axis views with their pixels; those that cannot be read are passed over.

    :param views: of :meth:`calid.dicom.study.Study.long_axes`.
    :param made: the stack, whose phases they are brought to.
    """
    reference = fractions_of(made)
    systole = cycle.end_systole(list(np.moveaxis(made.stack.voxels, 1, 0))) if len(reference) > 2 else None
    found = []
    for view in views:
        for cine in view.slices:
            frames = read_frames(cine, pixels, False, [])
            if frames is None:
                continue
            voxels = frames.voxels
            if not cycle.is_in_step(frames.fractions, reference):
                voxels = cycle.resampled((voxels, frames.fractions), reference, systole)
            found.append(LongAxis(voxels, cine.plane, view, cine.first.thickness))
    return found


def fractions_of(made: Assembled) -> tuple[float, ...]:
    """The part of the R-R interval at which each phase of a stack is."""
    fractions = [cine.timing.fractions for cine in made.view.slices if cine.timing.fractions]
    return cycle.common_fractions(fractions)
