"""Where the heart is in a short-axis stack: it is what moves. Of a still, which does not say, the middle is taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..Scene.CineInput import browsersShowing
from ..Scene.VolumeBridge import voxelsOf

HEART_SHARE = 0.6
"""Share of the in-plane field of view that is shown of a still: short-axis stacks are planned around the heart."""

HEART_SIZE = 170.0
"""Width and height in mm that are shown of a cine: a large heart, and some of what lies around it."""

_PHASES, _SLICES = 8, 6  # that are looked at, of all
_GRID = 4.0  # mm, on which motion is looked for: enough for a place, and quick
_NOISE_PERCENT = 75  # of the field of view moves less than the heart, at any rate
_LEAST_MOTION = 1e-3  # of all intensities: less is rounding
_LIKELY = 80.0  # mm from the middle of the field of view: stacks are planned around the heart
_REACH = 60.0  # mm around a place that may belong to a heart with its middle there


@dataclass(frozen=True)
class Heart:
    """The part of each slice that has the heart in it.

    :param centre: (i, j) in voxels.
    :param size: mm along i and j.
    """

    centre: tuple[float, float]
    size: tuple[float, float]

    def core(self) -> Heart:
        """The inner half of it, which is nearly all heart."""
        return Heart(self.centre, (self.size[0] / 2, self.size[1] / 2))

    def within(self, voxels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
        """The part of ``voxels`` (k, j, i) that this is; ``spacing`` is (i, j, ...) in mm."""
        columns, rows = (
            slice(max(round(middle - size / step / 2 + 0.5), 0), max(round(middle + size / step / 2 + 0.5), 1))
            for middle, size, step in zip(self.centre, self.size, spacing, strict=False)
        )
        return voxels[:, rows, columns]


def heartOf(volumeNode) -> Heart:
    """Where the heart of a stack is; of a cine, by the phases of the sequence that its proxy volume is played from."""
    spacing = volumeNode.GetSpacing()[:2]
    counts = volumeNode.GetImageData().GetDimensions()[:2]
    sides = [count * step for count, step in zip(counts, spacing, strict=True)]
    place = _movingPlace(_phasesOf(volumeNode), spacing)
    if place is None:
        middle = ((counts[0] - 1) / 2, (counts[1] - 1) / 2)
        return Heart(middle, (HEART_SHARE * sides[0], HEART_SHARE * sides[1]))
    return Heart(place, (min(HEART_SIZE, sides[0]), min(HEART_SIZE, sides[1])))


def _phasesOf(volumeNode) -> list[np.ndarray]:
    """Some phases (k, j, i), evenly over the cine that a volume belongs to; the volume itself if it is a still."""
    browser = next(iter(browsersShowing(volumeNode)), None)
    if browser is None:
        return [voxelsOf(volumeNode)]
    sequence = browser.GetSequenceNode(volumeNode)
    count = sequence.GetNumberOfDataNodes()
    chosen = np.unique(np.linspace(0, count, min(count, _PHASES), endpoint=False).astype(int))
    phases = [voxelsOf(node) for node in map(sequence.GetNthDataNode, chosen.tolist()) if node.GetImageData()]
    return [phase for phase in phases if phase.shape == phases[0].shape]


def _movingPlace(phases: list[np.ndarray], spacing: tuple[float, ...]) -> tuple[float, float] | None:
    """The middle (i, j) in voxels of what moves, or ``None`` if nothing does.

    Vessels and the chest wall move too, but less, in fewer slices, or at the edge: from the middle of all motion, the
    middle of what moves within reach is gone to, again and again. From the end-diastole and end-systole of 104 patients
    (ACDC) this comes within 9 mm of the left ventricle's middle in half of them and within 34 mm in all, where the
    middle of the field of view is up to 78 mm away.
    """
    if len(phases) < 2:
        return None
    steps = [max(round(_GRID / side), 1) for side in spacing[:2]]
    count = len(phases[0])
    edge = int(count > 3)  # the outermost slices may have no heart in them
    inner = slice(edge, count - edge, -(-(count - 2 * edge) // _SLICES))
    coarse = np.stack([_blocks(phase[inner], steps[1], steps[0]) for phase in phases])
    motion = np.median(coarse.std(axis=0), axis=0)
    motion = np.clip(motion - np.percentile(motion, _NOISE_PERCENT), 0, None)
    if motion.max() <= _LEAST_MOTION * np.ptp(coarse):
        return None
    j, i = np.indices(motion.shape)
    sides = steps[1] * spacing[1], steps[0] * spacing[0]
    rows, columns = motion.shape
    away = np.hypot((j - (rows - 1) / 2) * sides[0], (i - (columns - 1) / 2) * sides[1])
    motion *= np.exp(-((away / _LIKELY) ** 2) / 2)
    middle = np.array([np.average(axis, weights=motion) for axis in (j, i)])
    for _ in range(20):
        distance = np.hypot((j - middle[0]) * sides[0], (i - middle[1]) * sides[1])
        near = motion * (distance < _REACH)
        if not near.any():
            return None
        middle = np.array([np.average(axis, weights=near) for axis in (j, i)])
    return float((middle[1] + 0.5) * steps[0] - 0.5), float((middle[0] + 0.5) * steps[1] - 0.5)


def _blocks(voxels: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Means (k, j, i) over blocks of so many rows and columns."""
    count, height, width = voxels.shape
    even = voxels[:, : height // rows * rows, : width // columns * columns].astype(np.float32)
    return even.reshape(count, height // rows, rows, width // columns, columns).mean(axis=(2, 4))
