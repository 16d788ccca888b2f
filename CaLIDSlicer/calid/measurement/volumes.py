"""Volumes from slices: how many millimetres each slice stands for, and what it holds.

A slice stands for half the way to each of its neighbours, whatever its own thickness. The first and the last one stand
for half an acquired distance beyond themselves too, in a dense stack as in a sparse one: the same length of heart is
measured, and the two can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE

PARTS = {"lv": LEFT_VENTRICLE, "wall": MYOCARDIUM, "rv": RIGHT_VENTRICLE}

GRAMS_PER_ML = 1.05
"""Of myocardium; the convention of Segment, ukbb_cardiac and the consensus of 2020 (JCMR 22:19)."""


_PRESENT = 0.1
"""Share of its largest area from which on a part of the heart is there in a slice."""


def slab_lengths(positions: np.ndarray, acquired_gap: float | None = None) -> np.ndarray:
    """How many mm of the heart each slice at ``positions`` (mm, increasing) stands for.

    :param acquired_gap: mm between acquired slices, of which half is added at both ends; ``None`` takes the distances
        at the ends themselves, as for acquired slices.
    """
    gaps = np.diff(positions)
    first, last = (gaps[0], gaps[-1]) if acquired_gap is None else (acquired_gap, acquired_gap)
    return (np.concatenate([[first], gaps]) + np.concatenate([gaps, [last]])) / 2


@dataclass(frozen=True)
class PhaseVolumes:
    """Of one phase, in ml: by parts of the heart, and how much of each is of doubtful label."""

    ml: Mapping[str, float]
    doubtful_ml: Mapping[str, float]


def partial_volumes(probabilities: np.ndarray, lengths: np.ndarray, pixel_area: float) -> PhaseVolumes:
    """Voxels counted with partial volume: each counts for a part as far as it belongs to it.

    :param probabilities: (k, classes, h, w).
    :param lengths: (k,) mm that each slice stands for.
    :param pixel_area: mm².
    """
    voxel = lengths * pixel_area / 1000
    ml, doubtful = {}, {}
    for name, label in PARTS.items():
        share = probabilities[:, label]
        ml[name] = float(share.sum(axis=(1, 2), dtype=np.float64) @ voxel)
        doubtful[name] = float(np.minimum(share, 1 - share).sum(axis=(1, 2), dtype=np.float64) @ voxel)
    return PhaseVolumes(ml, doubtful)


def counted_volumes(labels: np.ndarray, lengths: np.ndarray, pixel_area: float) -> dict[str, float]:
    """Simpson's rule: the area of each slice's label times the length that it stands for, in ml by parts of the heart.

    :param labels: (k, h, w) as :mod:`calid.segmentation.segmenter` gives them.
    """
    voxel = lengths * pixel_area / 1000
    return {name: float((labels == label).sum(axis=(1, 2)) @ voxel) for name, label in PARTS.items()}


def basal_volumes(
    probabilities: np.ndarray, lengths: np.ndarray, pixel_area: float, base_first: bool, depth_mm: float
) -> dict[str, float]:
    """What each part of the heart holds in its ``depth_mm`` next to the base, in ml: what one slice more or less is.

    :param probabilities: (k, classes, h, w) with the ``lengths`` in mm of :func:`partial_volumes`.
    """
    found = {}
    inward = slice(None) if base_first else slice(None, None, -1)
    for name, label in PARTS.items():
        areas = (probabilities[:, label].sum(axis=(1, 2), dtype=np.float64) * pixel_area)[inward]
        first = int(np.argmax(areas > _PRESENT * areas.max())) if areas.any() else 0
        within = np.diff(np.minimum(np.concatenate([[0], np.cumsum(lengths[inward][first:])]), depth_mm))
        found[name] = float(areas[first:] @ within / 1000)
    return found
