"""Scores as a CSV with a row per slice and method, as a summary for JSON, and as a table of text."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calid.evaluation.scoring import QUALITY, SIMILARITY, THIRDS, UNCERTAINTY, ScoredSlice
from calid.evaluation.statistics import bootstrap_mean

REFERENCE = "linear"
SUBSETS = {"primary": "stacks of 5 mm", "stress": "stacks of 10 mm"}


def write_slices(scored: Sequence[ScoredSlice], path: Path) -> None:
    """The per-slice table; a metric that a method does not have stays empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*_identity(scored[0]), *QUALITY, *UNCERTAINTY])
        writer.writeheader()
        for s in scored:
            writer.writerow({**_identity(s), **{name: f"{value:.5f}" for name, value in s.scores.items()}})


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

    A metric has its mean over slices with the 95 % interval over patients; a similarity also the paired
    ``difference`` to linear. The mean of the sharpness, a ratio, is geometric.
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
    patients = [s.case.patient for s in part]
    summary: dict[str, Any] = {metric: _interval(metric, _column(part, metric), patients) for metric in part[0].scores}
    for metric in SIMILARITY if part is not reference else ():
        paired = _column(part, metric) - _column(reference, metric)
        summary[metric]["difference"] = _interval(metric, paired, patients)
    thirds = {third: [s for s in part if s.third == third] for third in THIRDS}
    summary["thirds"] = {third: _means(slices) for third, slices in thirds.items() if slices}
    return summary


def _means(scored: Sequence[ScoredSlice]) -> dict[str, float]:
    patients = [s.case.patient for s in scored]
    return {metric: _interval(metric, _column(scored, metric), patients)["mean"] for metric in QUALITY}


def _column(scored: Sequence[ScoredSlice], metric: str) -> np.ndarray:
    return np.array([s.scores[metric] for s in scored])


def _interval(metric: str, values: np.ndarray, patients: Sequence[str]) -> dict[str, Any]:
    if metric != "sharpness":
        return bootstrap_mean(values, patients)._asdict()
    return {name: float(np.exp(value)) for name, value in bootstrap_mean(np.log(values), patients)._asdict().items()}


def format_table(summary: dict[str, Any], seconds: dict[str, float]) -> str:
    """The summary as text: means, and the paired difference to linear with its 95 % interval in brackets."""
    return "\n\n".join(_format_set(subset, part, seconds) for subset, part in summary.items())


def _format_set(subset: str, part: dict[str, Any], seconds: dict[str, float]) -> str:
    metrics = [m for m in (*QUALITY, *UNCERTAINTY) if any(m in scores for scores in part["methods"].values())]
    rows = [["", *metrics, "s/stack"]]
    for name, scores in part["methods"].items():
        rows.append([name, *(_text(m, scores[m]) if m in scores else "" for m in metrics), f"{seconds[name]:.2f}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    patients, slices = len(part["patients"]), part["slices"]
    title = f"{subset} ({SUBSETS[subset]}, {part['kept']} kept): {patients} patients, {slices} slices"
    return "\n".join([title, *lines])


def _text(metric: str, score: dict[str, Any]) -> str:
    digits = 2 if metric in ("psnr", "sharpness") else 3
    text = f"{score['mean']:.{digits}f}"
    if "difference" in score:
        mean, low, high = (f"{score['difference'][part]:+.{digits}f}" for part in ("mean", "low", "high"))
        text += f" {mean} [{low}, {high}]"
    return text
