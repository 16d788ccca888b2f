"""The frames of one slice: decoded, rescaled, without those that cannot be read, in the order that is smoothest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calid.dicom.pictures import Picture
from calid.dicom.pixels import Pixels, Undecodable
from calid.dicom.slices import Order, SliceCine
from calid.dicom.sources import LeftOut

_FEWEST_SHARE = 0.5
"""Of its phases that a slice needs; with fewer it is left out."""


@dataclass(frozen=True)
class Frames:
    """A slice with its pixels.

    :param voxels: (phases, rows, columns), stored or, where ``is_rescaled``, the scanner's values.
    :param fractions: of the R-R interval of each phase.
    :param unreadable: phases that could not be read.
    """

    cine: SliceCine
    voxels: np.ndarray
    fractions: tuple[float, ...]
    is_rescaled: bool
    unreadable: int = 0
    is_reordered: bool = False


def read_frames(cine: SliceCine, pixels: Pixels, rescale: bool, left_out: list[LeftOut]) -> Frames | None:
    """The frames of a slice, or nothing if too few of its pictures can be read; why is noted.

    :param rescale: apply the slopes and intercepts of the pictures.
    """
    voxels, known, is_rescaled = [], [], rescale
    for phase, picture in enumerate(cine.pictures):
        try:
            decoded = pixels.of(picture)
        except Undecodable as error:
            left_out.append(LeftOut(picture.source.name, str(error)))
            continue
        is_rescaled |= decoded.is_rescaled
        frame = decoded.pixels
        if rescale and not decoded.is_rescaled:
            frame = _rescaled(frame, picture)
        voxels.append(frame)
        known.append(phase)
    if len(voxels) < max(1, _FEWEST_SHARE * len(cine.pictures)):
        return None
    fractions = tuple(cine.timing.fractions[phase] for phase in known)
    frames = Frames(cine, np.stack(voxels), fractions, is_rescaled, len(cine.pictures) - len(voxels))
    return _in_smoothest_order(frames, [cine.pictures[phase] for phase in known])


def _rescaled(frame: np.ndarray, picture: Picture) -> np.ndarray:
    return frame.astype(np.float32) * np.float32(picture.slope) + np.float32(picture.intercept)


def _in_smoothest_order(frames: Frames, pictures: list[Picture]) -> Frames:
    """By instance number rather than by content time, where they disagree and the cine is smoother by it.

    Scanners finish pictures in pairs and in parallel, so content times may be out of order.
    """
    if not frames.cine.instances_disagree:
        return frames
    order = np.argsort([picture.instance_number or 0 for picture in pictures], kind="stable")
    if _roughness(frames.voxels[order]) >= _roughness(frames.voxels):
        return frames
    cine = replace(frames.cine, order=Order.INSTANCE)
    return replace(frames, cine=cine, voxels=frames.voxels[order], is_reordered=True)


def _roughness(voxels: np.ndarray) -> float:
    """Mean difference of a phase to the next one, around the cycle."""
    coarse = voxels[:, ::2, ::2].astype(np.float32)
    return float(np.abs(coarse - np.roll(coarse, -1, axis=0)).mean())
