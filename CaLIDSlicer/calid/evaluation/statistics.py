"""Means with intervals that know that the slices of one patient are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

DRAWS = 10_000
SEED = 0


class Estimate(NamedTuple):
    """A mean over slices and its 95 % interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(values: np.ndarray, patients: Sequence[str], draws: int = DRAWS, seed: int = SEED) -> Estimate:
    """Mean of ``values`` (one per slice), with the 95 % percentile bootstrap interval over patients.

    A draw takes as many patients as there are, with replacement, each with all its slices.
    """
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    sums, counts = np.bincount(owner, values), np.bincount(owner)
    times_drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    means = (times_drawn @ sums) / (times_drawn @ counts)
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(float(np.mean(values)), float(low), float(high))
