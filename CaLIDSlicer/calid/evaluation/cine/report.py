"""Scores of cines as tables in CSV files, as a summary for JSON, and as a table of text."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calid.evaluation.cine.scoring import ScoredCine
from calid.evaluation.report import GEOMETRIC, SUBSETS, estimate, format_rows
from calid.evaluation.scoring import QUALITY, REAL

OVERALL = "overall"
SETS = {**SUBSETS, OVERALL: "all cines"}
TITLES = (
    (*QUALITY, "difference_psnr", "flicker"),
    ("dice_ed", "dice_es", "dice_lv_ed", "dice_lv_es"),
    ("volume_correlation", "volume_error", "ejection_error", "ejection_bias"),
)
TWO_DIGITS = ("psnr", "sharpness", "difference_psnr", "flicker", "volume_error", "ejection_error", "ejection_bias")


def write_cine_slices(scored: Sequence[ScoredCine], path: Path) -> None:
    """A row per held-out slice and method; what is undefined stays empty."""
    rows = (
        {**_identity(s), "slice": k, **_texts(scores)}
        for s in scored
        for k, scores in zip(s.case.scored, s.slices, strict=False)  # the real slices have no scores
    )
    _write(rows, path)


def write_volumes(scored: Sequence[ScoredCine], path: Path) -> None:
    """A row per phase and method: mL of the left ventricle in the held-out slices."""
    rows = (
        {**_identity(s), "phase": phase, **_texts({"lv_ml": float(volume)})}
        for s in scored
        if s.volumes is not None
        for phase, volume in enumerate(s.volumes)
    )
    _write(rows, path)


def _write(rows: Iterable[dict[str, Any]], path: Path) -> None:
    rows = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


def _identity(s: ScoredCine) -> dict[str, Any]:
    return {"set": s.case.subset, "patient": s.case.patient, "method": s.method}


def _texts(scores: Mapping[str, float]) -> dict[str, str]:
    return {name: f"{value:.5f}" for name, value in scores.items() if not np.isnan(value)}


def summarise_cines(scored: Sequence[ScoredCine], reference: str) -> dict[str, Any]:
    """By set, and over all: patients, held-out slices, phases, and every metric of every method.

    Image metrics are means over held-out slices, each the mean over its phases; those of the anatomy over patients; all
    with the 95 % interval over patients, and with the paired ``difference`` to the ``reference`` method, except for
    ratios, which have 1 to be compared with. The mean of a ratio is geometric. What is undefined is left out.
    """
    parts = {name: [s for s in scored if name in (s.case.subset, OVERALL)] for name in SETS}
    return {name: _summarise_set(part, reference) for name, part in parts.items() if part}


def _summarise_set(scored: Sequence[ScoredCine], reference: str) -> dict[str, Any]:
    by_method = {name: [s for s in scored if s.method == name] for name in dict.fromkeys(s.method for s in scored)}
    cases = [s.case for s in by_method[reference]]
    summaries = {name: _summarise_method(part, by_method[reference]) for name, part in by_method.items()}
    return {
        "patients": [case.patient for case in cases],
        "slices": sum(len(case.scored) for case in cases),
        "phases": sum(len(case.stack.voxels) for case in cases),
        "methods": {name: summary for name, summary in summaries.items() if summary},  # no network: nothing of the real
        "median_seconds_per_phase": {
            name: statistics.median(s.seconds for s in part) for name, part in by_method.items() if name != REAL
        },
    }


def _summarise_method(part: Sequence[ScoredCine], reference: Sequence[ScoredCine]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for metric in (*part[0].scores, *next(iter(part[0].slices), {})):
        values, patients = _column(part, metric)
        if np.isnan(values).all():
            continue
        summary[metric] = estimate(metric, values, patients)
        if part is not reference and metric not in GEOMETRIC:
            paired = values - _column(reference, metric)[0]
            if not np.isnan(paired).all():
                summary[metric]["difference"] = estimate(metric, paired, patients)
    return summary


def _column(scored: Sequence[ScoredCine], metric: str) -> tuple[np.ndarray, list[str]]:
    """A value per cine, or per held-out slice where the metric is one of slices, and the patient of each."""
    pairs = [
        (scores[metric], s.case.patient) for s in scored for scores in ([s.scores] if metric in s.scores else s.slices)
    ]
    return np.array([value for value, _ in pairs]), [patient for _, patient in pairs]


def format_cine_table(summary: Mapping[str, Any]) -> str:
    """The summary as text: means, and the paired difference to the reference with its 95 % interval in brackets."""
    return "\n\n".join(_format_set(name, part) for name, part in summary.items())


def _format_set(name: str, part: Mapping[str, Any]) -> str:
    count = f"{len(part['patients'])} patients, {part['slices']} slices, {part['phases']} phases"
    times = {method: {"s/phase": f"{taken:.3f}"} for method, taken in part["median_seconds_per_phase"].items()}
    tables = [[m for m in titles if any(m in s for s in part["methods"].values())] for titles in TITLES]
    more: list[dict[str, dict[str, str]]] = [times, {}, {}]
    rows = (format_rows(part["methods"], t, m, TWO_DIGITS) for t, m in zip(tables, more, strict=True) if t)
    return "\n".join([f"{name} ({SETS[name]}): {count}", *rows])
