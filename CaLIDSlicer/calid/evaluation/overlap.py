"""How well two label maps of one slice agree: overlap, and distance between contours.

Masks are boolean (rows, columns). A structure that is in neither mask cannot be judged: the value is NaN, and left out
of means. A structure that is in one mask only is a plain failure: no overlap, and as distance the diagonal of its own
bounding box, so that missing something large costs more than missing something small.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_erosion, distance_transform_edt

PERCENTILE = 95


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Dice's overlap of two masks of any shape, 0..1; NaN if both are empty.

    Of a whole stack it is the volume overlap that the Automated Cardiac Diagnosis Challenge reports.
    """
    total = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / total if total else float("nan")


def hausdorff95(first: np.ndarray, second: np.ndarray, pixel_spacing: tuple[float, float]) -> float:
    """Symmetric 95 % Hausdorff distance of the contours of two masks, in mm; NaN if both are empty.

    The larger of the two 95th percentiles of the distance from one contour to the other (Huttenlocher et al.,
    IEEE TPAMI 15(9), 1993). ``pixel_spacing`` is (row, column) mm.
    """
    if not first.any() or not second.any():
        return _diagonal(first | second, pixel_spacing)
    a, b = _contour(first), _contour(second)
    there = distance_transform_edt(~b, sampling=pixel_spacing)[a]
    back = distance_transform_edt(~a, sampling=pixel_spacing)[b]
    return float(max(np.percentile(there, PERCENTILE), np.percentile(back, PERCENTILE)))


def _contour(mask: np.ndarray) -> np.ndarray:
    """Pixels of the mask that touch the outside by an edge; beyond the image is outside."""
    return mask & ~binary_erosion(mask)


def _diagonal(mask: np.ndarray, pixel_spacing: tuple[float, float]) -> float:
    """Length of the diagonal of the bounding box of a mask, in mm; NaN if it is empty."""
    if not mask.any():
        return float("nan")
    rows, columns = (int(np.ptp(np.flatnonzero(mask.any(axis=axis)))) + 1 for axis in (1, 0))
    return float(np.hypot(rows * pixel_spacing[0], columns * pixel_spacing[1]))
