"""One method on one cine: reconstruct every phase from the kept slices, score the held-out ones over the beat."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calid.baselines.methods import Method
from calid.evaluation.anatomy import pooled_dice
from calid.evaluation.cine.cases import CineCase
from calid.evaluation.cine.temporal_metrics import difference_psnr, flicker
from calid.evaluation.cine.volume_curve import compare_curves, volume_curve
from calid.evaluation.scoring import QUALITY, REAL, check_dense, image_scores
from calid.reconstruction.intensity import IntensityScale
from calid.segmentation.segmenter import Segmenter, segment


@dataclass(frozen=True, eq=False)
class ScoredCine:
    """The held-out slices of a cine as one method made them.

    :param images: (phases, scored slices, rows, columns), 0..1, whole slices.
    :param slices: for each scored slice, the mean over phases of its :data:`~calid.evaluation.scoring.QUALITY`, its
        ``difference_psnr`` and its ``flicker``; empty for the real slices.
    :param labels: shape of ``images``, as the segmentation network sees them; ``None`` without a network.
    :param volumes: (phases,) mL of the left ventricle in the scored slices, of ``labels``.
    :param scores: of the whole cine: Dice at both end phases, and of the volume curve.
    :param seconds: per phase.
    """

    case: CineCase
    method: str
    images: np.ndarray
    slices: list[dict[str, float]]
    labels: np.ndarray | None
    volumes: np.ndarray | None
    scores: dict[str, float]
    seconds: float

    def region(self, n: int) -> np.ndarray:
        """The scored region of the ``n``-th scored slice, (phases, rows, columns)."""
        return self.images[(slice(None), n, *self.case.region(self.case.scored[n]))]


def score_cine(case: CineCase, name: str, method: Method, real: ScoredCine, segmenter: Segmenter | None) -> ScoredCine:
    """Let a method fill the sparse cine; its volume curve is compared with that of ``real``."""
    sparse = case.sparse()
    plan = case.plan(sparse)
    started = time.perf_counter()
    dense, _ = method(sparse, plan)
    seconds = (time.perf_counter() - started) / len(dense)
    check_dense(name, dense, (len(case.stack.voxels), len(plan.positions), *case.labels.shape[1:]))
    made = dense[:, case.scored]
    images = case.scaled(made)
    slices = [_score_slice(case, n, real.images, images) for n in range(len(case.scored))]
    return _with_anatomy(ScoredCine(case, name, images, slices, None, None, {}, seconds), made, segmenter, real.volumes)


def score_real_cine(case: CineCase, segmenter: Segmenter | None) -> ScoredCine:
    """The real slices: what a perfect method would reach."""
    truth = case.stack.voxels[:, case.scored]
    return _with_anatomy(ScoredCine(case, REAL, case.scaled(truth), [], None, None, {}, 0.0), truth, segmenter, None)


def _score_slice(case: CineCase, n: int, truth: np.ndarray, made: np.ndarray) -> dict[str, float]:
    """Scores of the ``n``-th of the scored slices (phases, slices, rows, columns)."""
    region = case.region(case.scored[n])
    truth, made = truth[:, n], made[:, n]
    phases = [image_scores(a, b, region, case.stack.pixel_spacing) for a, b in zip(truth, made, strict=True)]
    scores = {metric: _mean(metric, [phase[metric] for phase in phases]) for metric in QUALITY}
    inside = (slice(None), *region)
    moving = {"difference_psnr": difference_psnr(truth[inside], made[inside])}
    return {**scores, **moving, "flicker": flicker(truth[inside], made[inside])}


def _mean(metric: str, values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))) if metric == "sharpness" else np.mean(values))


def _with_anatomy(
    scored: ScoredCine, made: np.ndarray, segmenter: Segmenter | None, real: np.ndarray | None
) -> ScoredCine:
    """Add labels of the slices ``made`` (in scanner units), their Dice, and their volume curve beside the ``real`` one.

    All slices are normalised with the intensity scale of the kept ones, so that only the slices differ.
    """
    if segmenter is None:
        return scored
    case = scored.case
    spacing = case.stack.pixel_spacing
    labels = segment(segmenter, made, spacing, IntensityScale.of(case.sparse().voxels))
    volumes = volume_curve(labels, spacing, case.distance)
    ends = {name: end.index for name, end in case.ends.items()}
    curve = compare_curves(volumes if real is None else real, volumes, ends["ED"], ends["ES"])
    overlap = {
        f"{metric}_{name.lower()}": value
        for name, t in ends.items()
        for metric, value in pooled_dice(case.end(name), case.scored, list(labels[t])).items()
    }
    return ScoredCine(
        case, scored.method, scored.images, scored.slices, labels, volumes, {**curve, **overlap}, scored.seconds
    )
