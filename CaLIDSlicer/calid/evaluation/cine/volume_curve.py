"""The volume of the left ventricle over the heart beat: what a cardiologist reads from a cine.

A curve is (phases,) in mL: the area of the cavity in each slice times the slice distance, summed over the slices.
"""

from __future__ import annotations

import numpy as np

from calid.segmentation.labels import LEFT_VENTRICLE

MM3_PER_ML = 1000.0


def volume_curve(labels: np.ndarray, pixel_spacing: tuple[float, float], distance: float) -> np.ndarray:
    """(phases,) mL of the cavity in labels (phases, slices, rows, columns); spacing and slice distance in mm."""
    voxels = np.count_nonzero(labels == LEFT_VENTRICLE, axis=(1, 2, 3))
    return voxels * (pixel_spacing[0] * pixel_spacing[1] * distance / MM3_PER_ML)


def ejection_fraction(curve: np.ndarray, diastole: int, systole: int) -> float:
    """Per cent of the end-diastolic volume that is ejected; NaN if there is no cavity at end-diastole."""
    return 100 * float(1 - curve[systole] / curve[diastole]) if curve[diastole] > 0 else float("nan")


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's; NaN if one of the curves is constant and so has no course."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def compare_curves(real: np.ndarray, made: np.ndarray, diastole: int, systole: int) -> dict[str, float]:
    """How well a curve follows the real one.

    ``volume_correlation``; ``volume_error``, the mean absolute difference in mL; ``ejection_error``, absolute, and
    ``ejection_bias``, made minus real, of the ejection fraction in percentage points.
    """
    bias = ejection_fraction(made, diastole, systole) - ejection_fraction(real, diastole, systole)
    return {
        "volume_correlation": correlation(real, made),
        "volume_error": float(np.abs(made - real).mean()),
        "ejection_error": abs(bias),
        "ejection_bias": bias,
    }
