"""Scores as a CSV with a row per slice and method, as a summary for JSON, and as a table of text."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calid.evaluation.anatomy import ANATOMY, DICE, HAUSDORFF, pooled_dice
from calid.evaluation.scoring import QUALITY, SIMILARITY, THIRDS, UNCERTAINTY, ScoredSlice
from calid.evaluation.statistics import bootstrap_mean

REFERENCE = "linear"
POOLED = (*DICE, "dice")  # over the scored slices of a stack, and their mean over the structures
PAIRED = (*SIMILARITY, *POOLED, *HAUSDORFF, "feature_distance")
TABLES = ((*QUALITY, *UNCERTAINTY), POOLED, (*HAUSDORFF, "feature_distance"))
GEOMETRIC = ("sharpness", "flicker")  # ratios
TWO_DIGITS = ("psnr", "sharpness", *HAUSDORFF)
SUBSETS = {"primary": "stacks of 5 mm", "stress": "stacks of 10 mm"}


def write_slices(scored: Sequence[ScoredSlice], path: Path) -> None:
    """The per-slice table; a metric that a method does not have, or that is undefined in a slice, stays empty."""
    metrics = [m for m in (*QUALITY, *UNCERTAINTY, *ANATOMY) if any(m in s.scores for s in scored)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*_identity(scored[0]), *metrics])
        writer.writeheader()
        for s in scored:
            defined = {name: f"{value:.5f}" for name, value in s.scores.items() if not np.isnan(value)}
            writer.writerow({**_identity(s), **defined})


def _identity(s: ScoredSlice) -> dict[str, Any]:
    return {
        "set": s.case.subset,
        "patient": s.case.patient,
        "phase": s.case.phase,
        "slice": s.k,
        "distance_mm": round(s.case.distance, 3),
        "depth": round(s.case.depth(s.k), 3),
        "third": s.third,
        "method": s.method,
    }


def summarise(scored: Sequence[ScoredSlice]) -> dict[str, Any]:
    """By set: patients, number of slices, and by method every metric over all slices and over each third of the heart.

    A metric has its mean over slices with the 95 % interval over patients; one that needs no calibration also the
    paired ``difference`` to linear. The mean of the sharpness, a ratio, is geometric. Dice is that of the scored
    slices of a stack taken together, and its mean over stacks. Where a metric is undefined, it is left out.
    """
    subsets = {subset: [s for s in scored if s.case.subset == subset] for subset in SUBSETS}
    return {subset: _summarise_set(part) for subset, part in subsets.items() if part}


def _summarise_set(scored: Sequence[ScoredSlice]) -> dict[str, Any]:
    by_method = {name: [s for s in scored if s.method == name] for name in dict.fromkeys(s.method for s in scored)}
    reference = by_method[REFERENCE]
    return {
        "patients": sorted({s.case.patient for s in reference}),
        "kept": f"one slice in {reference[0].case.every}",
        "slices": len(reference),
        "methods": {name: _summarise_method(part, reference) for name, part in by_method.items()},
    }


def _summarise_method(part: Sequence[ScoredSlice], reference: Sequence[ScoredSlice]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for metric in _metrics(part):
        values, patients = _column(part, metric)
        if np.isnan(values).all():
            continue
        summary[metric] = estimate(metric, values, patients)
        paired = values - _column(reference, metric)[0] if metric in PAIRED and part is not reference else np.array([])
        if not np.isnan(paired).all():
            summary[metric]["difference"] = estimate(metric, paired, patients)
    thirds = {third: [s for s in part if s.third == third] for third in THIRDS}
    summary["thirds"] = {third: _means(slices) for third, slices in thirds.items() if slices}
    return summary


def _metrics(part: Sequence[ScoredSlice]) -> list[str]:
    """What a method can be summarised by: the metrics of its slices, and the mean Dice."""
    return [*part[0].scores, *(["dice"] if part[0].labels is not None else [])]


def _means(scored: Sequence[ScoredSlice]) -> dict[str, float]:
    metrics = [m for m in QUALITY if m in scored[0].scores]
    return {metric: estimate(metric, *_column(scored, metric))["mean"] for metric in metrics}


def _column(scored: Sequence[ScoredSlice], metric: str) -> tuple[np.ndarray, list[str]]:
    """A value per slice, or per stack for :data:`POOLED`, and the patient of each."""
    if metric not in POOLED:
        return np.array([s.scores[metric] for s in scored]), [s.case.patient for s in scored]
    stacks = [[s for s in scored if s.case is case] for case in dict.fromkeys(s.case for s in scored)]
    return np.array([_pooled(slices)[metric] for slices in stacks]), [slices[0].case.patient for slices in stacks]


def _pooled(slices: Sequence[ScoredSlice]) -> dict[str, float]:
    return pooled_dice(slices[0].case, [s.k for s in slices], [s.labels for s in slices if s.labels is not None])


def estimate(metric: str, values: np.ndarray, patients: Sequence[str]) -> dict[str, Any]:
    """Mean of the values that are defined and its interval over patients; the mean of a ratio is geometric."""
    defined = ~np.isnan(values)
    values, patients = values[defined], [p for p, is_defined in zip(patients, defined, strict=True) if is_defined]
    if metric not in GEOMETRIC:
        return bootstrap_mean(values, patients)._asdict()
    return {name: float(np.exp(value)) for name, value in bootstrap_mean(np.log(values), patients)._asdict().items()}


def format_table(summary: dict[str, Any], seconds: dict[str, float]) -> str:
    """The summary as text: means, and the paired difference to linear with its 95 % interval in brackets."""
    return "\n\n".join(_format_set(subset, part, seconds) for subset, part in summary.items())


def _format_set(subset: str, part: dict[str, Any], seconds: dict[str, float]) -> str:
    patients, slices = len(part["patients"]), part["slices"]
    title = f"{subset} ({SUBSETS[subset]}, {part['kept']} kept): {patients} patients, {slices} slices"
    times = {name: {"s/stack": f"{taken:.2f}"} for name, taken in seconds.items()}
    image, *anatomy = ([m for m in table if any(m in s for s in part["methods"].values())] for table in TABLES)
    tables = [(image, times), *((metrics, {}) for metrics in anatomy if metrics)]
    return "\n".join([title, *(format_rows(part["methods"], metrics, more) for metrics, more in tables)])


def format_rows(
    methods: dict[str, Any],
    metrics: Sequence[str],
    more: dict[str, dict[str, str]],
    two_digits: Sequence[str] = TWO_DIGITS,
) -> str:
    """A line for each method that has any of the metrics, with ``more`` cells by method and title."""
    rows = [["", *metrics, *next(iter(more.values()), {})]]
    for name, scores in methods.items():
        if any(m in scores for m in metrics):
            cells = [_text(scores[m], 2 if m in two_digits else 3) if m in scores else "" for m in metrics]
            rows.append([name, *cells, *more.get(name, {}).values()])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def _text(score: dict[str, Any], digits: int) -> str:
    text = f"{score['mean']:.{digits}f}"
    if "difference" in score:
        mean, low, high = (f"{score['difference'][part]:+.{digits}f}" for part in ("mean", "low", "high"))
        text += f" {mean} [{low}, {high}]"
    return text
