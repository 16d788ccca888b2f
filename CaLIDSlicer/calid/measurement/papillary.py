"""Papillary muscles and trabeculae: part of the cavity, as networks trained on ACDC label them, or of the wall.

The choice moves mass by a quarter and the ejection fraction by several points, so it is part of every result.
"""

from __future__ import annotations

import numpy as np

from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM

CONVENTIONS = {
    "cavity": "papillary muscles and trabeculae count as cavity",
    "wall": "papillary muscles and trabeculae count as wall",
}

_SURE = 0.9
_FEWEST = 50  # voxels that tell how bright blood and muscle are


def given_to_wall(probabilities: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Probabilities with the dark part of the left cavity turned into wall.

    Dark is what is nearer to the muscle's median brightness than to the blood's. Where blood is not brighter than
    muscle, as in black-blood images, nothing changes.

    :param probabilities: (k, classes, h, w).
    :param image: (k, h, w) on the same pixels, any units.
    """
    blood, muscle = (_median(image, probabilities[:, label]) for label in (LEFT_VENTRICLE, MYOCARDIUM))
    if blood is None or muscle is None or blood <= muscle:
        return probabilities
    dark = image < (blood + muscle) / 2
    moved = np.where(dark, probabilities[:, LEFT_VENTRICLE], 0)
    changed = probabilities.copy()
    changed[:, LEFT_VENTRICLE] -= moved
    changed[:, MYOCARDIUM] += moved
    return changed


def _median(image: np.ndarray, share: np.ndarray) -> float | None:
    sure = share > _SURE
    return float(np.median(image[sure])) if np.count_nonzero(sure) >= _FEWEST else None
