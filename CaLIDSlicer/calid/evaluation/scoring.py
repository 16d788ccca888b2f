"""One method on one case: reconstruct from the kept slices, score the held-out ones."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from calid.baselines import Method
from calid.evaluation import metrics
from calid.evaluation.heldout import Case
from calid.similarity import psnr

SIMILARITY = ("psnr", "ssim", "haarpsi")
QUALITY = (*SIMILARITY, "sharpness")
UNCERTAINTY = ("error_correlation", "top_error_share")
THIRDS = ("base", "mid", "apex")


@dataclass(frozen=True, eq=False)
class ScoredSlice:
    """Held-out slice ``k`` of a case as one method made it.

    :param image: the scored region (rows, columns), 0..1.
    :param uncertainty: same region and units as ``image``, or ``None`` if the method gives none.
    :param scores: by metric name, :data:`QUALITY` and, with uncertainty, :data:`UNCERTAINTY`.
    """

    case: Case
    k: int
    method: str
    image: np.ndarray
    uncertainty: np.ndarray | None
    scores: dict[str, float]

    @property
    def error(self) -> np.ndarray:
        """Absolute difference to the real slice, (rows, columns)."""
        return np.abs(self.image - self.neighbour(0))

    def neighbour(self, offset: int) -> np.ndarray:
        """The real slice ``k + offset`` in the scored region, 0..1; 0 is the truth."""
        return self.case.scaled(self.case.stack.voxels[0, self.k + offset][self.case.region(self.k)])

    @property
    def third(self) -> str:
        """``"base"``, ``"mid"`` or ``"apex"`` of the heart."""
        return THIRDS[min(int(3 * self.case.depth(self.k)), 2)]


def score(case: Case, name: str, method: Method) -> tuple[list[ScoredSlice], float]:
    """Let a method fill the sparse stack, and score the held-out slices; also the seconds it took."""
    sparse = case.sparse()
    plan = case.plan(sparse)
    started = time.perf_counter()
    dense, uncertainty = method(sparse, plan)
    seconds = time.perf_counter() - started
    _check(name, dense, (1, len(plan.positions), *case.labels.shape[1:]))
    return [_score_slice(case, k, name, dense[0], uncertainty) for k in case.scored], seconds


def _score_slice(case: Case, k: int, name: str, dense: np.ndarray, uncertainty: np.ndarray | None) -> ScoredSlice:
    region = case.region(k)
    truth, made = case.scaled(case.stack.voxels[0, k]), case.scaled(dense[k])
    scores = {
        "psnr": float(psnr(truth, made, region)),
        "ssim": metrics.ssim(truth, made, region),
        "haarpsi": metrics.haarpsi(truth, made, region),
        "sharpness": metrics.sharpness(truth, made, region, case.stack.pixel_spacing),
    }
    doubt = None
    if uncertainty is not None:
        doubt = uncertainty[0, k][region] / case.intensity
        error = np.abs(truth - made)[region]
        scores["error_correlation"] = metrics.rank_correlation(doubt, error)
        scores["top_error_share"] = metrics.top_error_share(doubt, error)
    return ScoredSlice(case, k, name, made[region], doubt, scores)


def _check(name: str, dense: np.ndarray, shape: tuple[int, ...]) -> None:
    """A method that returns nonsense must not turn into a number in a table."""
    if dense.shape != shape:
        raise ValueError(f"method {name!r} returned shape {dense.shape}, not {shape}")
    if not np.isfinite(dense).all():
        raise ValueError(f"method {name!r} returned voxels that are not finite")
