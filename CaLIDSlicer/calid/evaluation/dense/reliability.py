"""Whether predicted deviations are as large as errors are: the share of the truth within so many of them."""

from __future__ import annotations

import numpy as np

DEVIATIONS = (0.5, 1.0, 1.5, 2.0, 3.0)


def coverage(error: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """(deviations,) share of voxels whose absolute error is within each of ``DEVIATIONS`` standard deviations."""
    ratio = np.abs(error) / np.maximum(deviation, np.finfo(np.float32).tiny)
    return np.array([(ratio <= k).mean() for k in DEVIATIONS])


def expected_coverage() -> np.ndarray:
    """(deviations,) the share that a Laplace distribution has, as which the model is trained."""
    return 1 - np.exp(-np.sqrt(2) * np.array(DEVIATIONS))
