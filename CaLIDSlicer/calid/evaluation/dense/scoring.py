"""One method on one heart in one setting: fill the stack, score what lies between its slices."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from calid.baselines.methods import Method
from calid.evaluation.dense import metrics
from calid.evaluation.dense.cases import DenseCase
from calid.evaluation.dense.reliability import coverage
from calid.evaluation.scoring import check_dense

METRICS = ("psnr", "ssim", "lax", "gc", "slab", "seam", "wins")
"""dB, 0..1, SSIM of long-axis cuts, gradient correlation in them, dB, ratio, and share of the slices nearer to the
truth than linear interpolation. Higher is better, but for the seam, which is best at 1."""


@dataclass(frozen=True, eq=False)
class ScoredHeart:
    """A heart as one method made it.

    :param scores: by name, :data:`METRICS`; of slices the mean.
    :param slices: by name, ``psnr``, ``ssim`` and ``wins``, (missing layers,) each.
    :param cut: (layers, columns) the long-axis cut through the middle row, 0..1.
    :param coverage: share of the truth within each of :data:`~calid.evaluation.dense.reliability.DEVIATIONS`;
        ``None`` for a method that predicts no deviation.
    """

    case: DenseCase
    method: str
    scores: dict[str, float]
    slices: dict[str, np.ndarray]
    cut: np.ndarray
    seconds: float
    coverage: np.ndarray | None = None

    @property
    def error(self) -> np.ndarray:
        """Absolute difference of the cut to the truth."""
        return np.abs(self.cut - true_cut(self.case))

    @property
    def fractions(self) -> np.ndarray:
        """(missing layers,) of the way from the acquired slice below to the one above."""
        return np.array([k % self.case.step / self.case.step for k in self.case.missing])

    @property
    def depths(self) -> np.ndarray:
        """(missing layers,) from base, 0, to apex, 1."""
        return np.array(self.case.missing) / (len(self.case.volume) - 1)


def true_cut(case: DenseCase) -> np.ndarray:
    """(layers, columns) what :attr:`ScoredHeart.cut` should be."""
    return metrics.long_axes(case.scaled(case.volume), case.box)[0]


@dataclass(frozen=True, eq=False)
class Filled:
    """What a method makes of a stack: (layers, rows, columns) 0..1, the deviation it predicts, and the seconds."""

    dense: np.ndarray
    deviation: np.ndarray | None
    seconds: float


def fill(case: DenseCase, name: str, method: Method) -> Filled:
    """The dense volume that a method makes of the stack."""
    started = time.perf_counter()
    dense, deviation = method(case.stack, case.plan)
    seconds = time.perf_counter() - started
    check_dense(name, dense, (1, *case.volume.shape))
    spread = None if deviation is None else case.scaled(deviation[0].astype(np.float32))
    return Filled(case.scaled(dense[0].astype(np.float32)), spread, seconds)


def score(case: DenseCase, name: str, filled: Filled, linear: np.ndarray) -> ScoredHeart:
    """Judge a dense volume beside the one of linear interpolation."""
    dense, truth, box, missing = filled.dense, case.scaled(case.volume), case.box, case.missing
    errors, plain = (metrics.squared_errors(volume, truth, missing, box) for volume in (dense, linear))
    slices = {
        "psnr": metrics.decibels(errors),
        "ssim": np.array([metrics.similarity(dense[k][box], truth[k][box]) for k in missing]),
        "wins": (errors < plain).astype(float),
    }
    scores = {
        **{metric: float(values.mean()) for metric, values in slices.items()},
        "lax": metrics.long_axis_similarity(dense, truth, box),
        "gc": metrics.gradient_correlation(dense, truth, box),
        "slab": metrics.slab_consistency(dense, truth, case.kept, case.thickness, box),
        "seam": metrics.seam(dense, truth, case.kept, box),
    }
    ordered = {metric: scores[metric] for metric in METRICS}
    scored = (missing, *box)
    within = None if filled.deviation is None else coverage((dense - truth)[scored], filled.deviation[scored])
    return ScoredHeart(case, name, ordered, slices, metrics.long_axes(dense, box)[0], filled.seconds, within)
