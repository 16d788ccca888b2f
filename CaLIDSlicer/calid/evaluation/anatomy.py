"""Is the anatomy right? A frozen segmentation network looks at synthesised slices and at the real ones alike.

All slices of a case are normalised with the intensity scale of the kept slices, so that only the slices differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calid.evaluation.heldout import Case
from calid.evaluation.overlap import dice, hausdorff95
from calid.reconstruction.intensity import IntensityScale
from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE
from calid.segmentation.segmenter import Segmenter, feature_distance, segment

STRUCTURES = {"lv": LEFT_VENTRICLE, "myo": MYOCARDIUM, "rv": RIGHT_VENTRICLE}
DICE = {f"dice_{name}": label for name, label in STRUCTURES.items()}
HAUSDORFF = {f"hd95_{name}": label for name, label in STRUCTURES.items()}
ANATOMY = (*DICE, *HAUSDORFF, "feature_distance")


def score_anatomy(segmenter: Segmenter, case: Case, made: np.ndarray) -> tuple[np.ndarray, list[dict[str, float]]]:
    """Labels (n, rows, columns) of the n scored slices as ``made``, and the :data:`ANATOMY` of each of them.

    Labels are compared with the case's own, features with those of the real slice.
    """
    spacing, scale = case.stack.pixel_spacing, IntensityScale.of(case.sparse().voxels)
    labels = segment(segmenter, made, spacing, scale)
    distance = feature_distance(segmenter, case.stack.voxels[0, case.scored], made, spacing, scale)
    scores = []
    for k, found, apart in zip(case.scored, labels, distance, strict=True):
        truth = case.labels[k]
        overlap = {name: dice(truth == c, found == c) for name, c in DICE.items()}
        contours = {name: hausdorff95(truth == c, found == c, spacing) for name, c in HAUSDORFF.items()}
        scores.append({**overlap, **contours, "feature_distance": float(apart[case.region(k)].mean())})
    return labels, scores


def pooled_dice(case: Case, slices: Sequence[int], labels: Sequence[np.ndarray]) -> dict[str, float]:
    """Dice of each structure over some slices of a case taken together, and as ``"dice"`` the mean of those present."""
    truth, found = case.labels[list(slices)], np.stack(labels)
    values = {name: dice(truth == c, found == c) for name, c in DICE.items()}
    return {**values, "dice": float(np.nanmean(list(values.values())))}
