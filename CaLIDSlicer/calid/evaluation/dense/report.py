"""Scores of dense truth as a CSV with a row per slice, as a summary for JSON, and as a table of text."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calid.evaluation.dense.reliability import DEVIATIONS
from calid.evaluation.dense.scoring import METRICS, ScoredHeart
from calid.evaluation.report import REFERENCE, estimate, format_rows

PAIRED = ("psnr", "ssim", "lax", "gc", "slab")
TWO_DIGITS = ("psnr", "slab", "seam", "wins")


def write_slices(scored: Sequence[ScoredHeart], path: Path) -> None:
    """A row for each method and position between the slices."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = list(scored[0].slices)
        writer.writerow(["setting", "heart", "method", "layer", "fraction", "depth", *names])
        for s in scored:
            columns = [s.case.missing, s.fractions, s.depths, *(s.slices[name] for name in names)]
            for layer, *values in zip(*columns, strict=True):
                writer.writerow([s.case.setting, s.case.heart, s.method, layer, *(f"{value:.5f}" for value in values)])


def summarise(scored: Sequence[ScoredHeart]) -> dict[str, Any]:
    """By setting: its hearts, and by method every metric over hearts, and PSNR and SSIM at each fraction of the gap.

    A metric has its mean over hearts with the 95 % interval over hearts, and its paired ``difference`` to linear. What
    predicts deviations has ``within``: the share of the truth within so many of them.
    """
    settings = dict.fromkeys(str(s.case.setting) for s in scored)
    return {setting: _summarise([s for s in scored if str(s.case.setting) == setting]) for setting in settings}


def _summarise(scored: Sequence[ScoredHeart]) -> dict[str, Any]:
    by_method = {name: [s for s in scored if s.method == name] for name in dict.fromkeys(s.method for s in scored)}
    reference = by_method[REFERENCE]
    return {
        "hearts": [s.case.heart for s in reference],
        "slices": sum(len(s.case.missing) for s in reference),
        "methods": {name: _summarise_method(part, reference) for name, part in by_method.items()},
    }


def _summarise_method(part: Sequence[ScoredHeart], reference: Sequence[ScoredHeart]) -> dict[str, Any]:
    hearts = [s.case.heart for s in part]
    summary: dict[str, Any] = {}
    for metric in METRICS:
        values, plain = (np.array([s.scores[metric] for s in each]) for each in (part, reference))
        summary[metric] = estimate(metric, values, hearts)
        if metric in PAIRED and part is not reference:
            summary[metric]["difference"] = estimate(metric, values - plain, hearts)
    summary["seconds"] = statistics.median(s.seconds for s in part)
    summary["fractions"] = along(part, "fractions")
    shares = mean_coverage(part)
    if shares is not None:
        summary["within"] = dict(zip(map(str, DEVIATIONS), shares.tolist(), strict=True))
    return summary


def mean_coverage(part: Sequence[ScoredHeart]) -> np.ndarray | None:
    """(deviations,) over hearts; ``None`` where no deviation is predicted."""
    shares = [s.coverage for s in part if s.coverage is not None]
    return np.mean(shares, axis=0) if shares else None


def along(part: Sequence[ScoredHeart], axis: str, bins: int | None = None) -> dict[str, dict[str, float]]:
    """Mean PSNR and SSIM over all slices at each value of ``fractions`` or ``depths``, or in equal parts of 0..1."""
    where = np.concatenate([getattr(s, axis) for s in part])
    if bins:
        where = (np.minimum((where * bins).astype(int), bins - 1) + 0.5) / bins
    values = {metric: np.concatenate([s.slices[metric] for s in part]) for metric in ("psnr", "ssim")}
    return {
        f"{at:.3f}": {metric: float(value[np.isclose(where, at)].mean()) for metric, value in values.items()}
        for at in np.unique(where.round(6))
    }


def format_table(summary: dict[str, Any]) -> str:
    """The summary as text: means, and the paired difference to linear with its 95 % interval in brackets."""
    return "\n\n".join(_format_setting(setting, part) for setting, part in summary.items())


def _format_setting(setting: str, part: dict[str, Any]) -> str:
    disturbed = ", slices shifted and noisy" if setting.endswith("+") else ""
    distance, thickness = setting.rstrip("+").split("/")
    hearts = f"{len(part['hearts'])} hearts ({' '.join(part['hearts'])}), {part['slices']} slices"
    title = f"{setting}: {thickness} mm thick slices, {distance} mm apart{disturbed}: {hearts}"
    times = {name: {"s/stack": f"{method['seconds']:.1f}"} for name, method in part["methods"].items()}
    return f"{title}\n{format_rows(part['methods'], METRICS, times, TWO_DIGITS)}"
