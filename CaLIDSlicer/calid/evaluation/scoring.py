"""One method on one case: reconstruct from the kept slices, score the held-out ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from calid.baselines.methods import Method
from calid.evaluation import metrics
from calid.evaluation.anatomy import score_anatomy
from calid.evaluation.heldout import Case
from calid.segmentation.segmenter import Segmenter
from calid.selfcheck.similarity import psnr

SIMILARITY = ("psnr", "ssim", "haarpsi")
QUALITY = (*SIMILARITY, "sharpness")
UNCERTAINTY = ("error_correlation", "top_error_share")
THIRDS = ("base", "mid", "apex")
REAL = "real"  # in the place of a method: the real slices themselves, of which only the anatomy is scored


@dataclass(frozen=True, eq=False)
class ScoredSlice:
    """Held-out slice ``k`` of a case as one method made it.

    :param image: the scored region (rows, columns), 0..1.
    :param uncertainty: same region and units as ``image``, or ``None`` if the method gives none.
    :param scores: by metric name, :data:`QUALITY`, with uncertainty :data:`UNCERTAINTY`, with ``labels``
        :data:`~calid.evaluation.anatomy.ANATOMY`.
    :param labels: of the whole slice (rows, columns), as the segmentation network sees it.
    :param line: (columns,) the middle row of the heart in the whole slice, 0..1; not of a real slice.
    """

    case: Case
    k: int
    method: str
    image: np.ndarray
    uncertainty: np.ndarray | None
    scores: dict[str, float]
    labels: np.ndarray | None = None
    line: np.ndarray | None = None

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


def score(case: Case, name: str, method: Method, segmenter: Segmenter | None = None) -> tuple[list[ScoredSlice], float]:
    """Let a method fill the sparse stack, and score the held-out slices; also the seconds it took.

    Their anatomy only with a ``segmenter``.
    """
    sparse = case.sparse()
    plan = case.plan(sparse)
    started = time.perf_counter()
    dense, uncertainty = method(sparse, plan)
    seconds = time.perf_counter() - started
    check_dense(name, dense, (1, len(plan.positions), *case.labels.shape[1:]))
    slices = [_score_slice(case, k, name, dense[0], uncertainty) for k in case.scored]
    return (_with_anatomy(segmenter, slices, dense[0, case.scored]) if segmenter else slices), seconds


def score_real(case: Case, segmenter: Segmenter) -> list[ScoredSlice]:
    """The anatomy that the network sees in the real slices: what a perfect method would reach."""
    truth = case.stack.voxels[0]
    images = (case.scaled(truth[k])[case.region(k)] for k in case.scored)
    slices = [ScoredSlice(case, k, REAL, image, None, {}) for k, image in zip(case.scored, images, strict=True)]
    return _with_anatomy(segmenter, slices, truth[case.scored])


def _with_anatomy(segmenter: Segmenter, slices: list[ScoredSlice], made: np.ndarray) -> list[ScoredSlice]:
    labels, anatomy = score_anatomy(segmenter, slices[0].case, made)
    return [
        replace(s, scores={**s.scores, **scores}, labels=found)
        for s, scores, found in zip(slices, anatomy, labels, strict=True)
    ]


def image_scores(
    truth: np.ndarray, made: np.ndarray, region: metrics.Region, pixel_spacing: tuple[float, float]
) -> dict[str, float]:
    """The :data:`QUALITY` of one whole slice (rows, columns), 0..1, in the region."""
    return {
        "psnr": float(psnr(truth, made, region)),
        "ssim": metrics.ssim(truth, made, region),
        "haarpsi": metrics.haarpsi(truth, made, region),
        "sharpness": metrics.sharpness(truth, made, region, pixel_spacing),
    }


def _score_slice(case: Case, k: int, name: str, dense: np.ndarray, uncertainty: np.ndarray | None) -> ScoredSlice:
    region = case.region(k)
    truth, made = case.scaled(case.stack.voxels[0, k]), case.scaled(dense[k])
    scores = image_scores(truth, made, region, case.stack.pixel_spacing)
    doubt = None
    if uncertainty is not None:
        doubt = uncertainty[0, k][region] / case.intensity
        error = np.abs(truth - made)[region]
        scores["error_correlation"] = metrics.rank_correlation(doubt, error)
        scores["top_error_share"] = metrics.top_error_share(doubt, error)
    return ScoredSlice(case, k, name, made[region], doubt, scores, line=made[case.middle_row])


def check_dense(name: str, dense: np.ndarray, shape: tuple[int, ...]) -> None:
    """A method that returns nonsense must not turn into a number in a table."""
    if dense.shape != shape:
        raise ValueError(f"method {name!r} returned shape {dense.shape}, not {shape}")
    if not np.isfinite(dense).all():
        raise ValueError(f"method {name!r} returned voxels that are not finite")
