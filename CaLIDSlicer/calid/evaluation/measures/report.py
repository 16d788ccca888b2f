"""Measures of a cohort against experts' labels, as a summary, a CSV with a row per patient and measure, and text."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from calid.evaluation.measures.agreement import Agreement, Nearer, agreement, nearer
from calid.evaluation.measures.scoring import ScoredPatient, dense_measures, interval_of, simpson_measures

WAYS = ("dense", "simpson")
REFERENCES = {"full": "all slices", "same_reach": "all slices over the same reach", "expert": "experts' labels"}
THINNED = ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent", "lv_mass_g", "rv_edv_ml", "rv_esv_ml", "rv_ef_percent")
"""Of the measures, those that are looked at with every second slice hidden."""


def rows_of(scored: Sequence[ScoredPatient]) -> Iterator[dict[str, Any]]:
    """One for each patient, measure and start of the slices that were kept; start is empty for all slices.

    ``full`` is Simpson's rule on all slices, by the labels of the network, and ``same_reach`` as far as the slices that
    were kept stand for the heart; ``expert_thinned`` is the same rule on the experts' labels of those.
    """
    for s in scored:
        full = simpson_measures(s.found)
        for thinned in (None, *s.thinned):
            found = s.found if thinned is None else thinned.found
            ways = {"dense": dense_measures(found), "simpson": simpson_measures(found)}
            for name, expert in s.expert.items():
                low, high = interval_of(found, name) or (None, None)
                yield {
                    "patient": s.patient.name,
                    "group": s.patient.group,
                    "gap_mm": round(s.patient.gap, 3),
                    "start": None if thinned is None else thinned.start,
                    "measure": name,
                    "expert": expert,
                    "expert_thinned": None if thinned is None else thinned.expert[name],
                    "full": full[name],
                    "same_reach": full[name] if thinned is None else thinned.same_reach[name],
                    **{way: values[name] for way, values in ways.items()},
                    "low": low,
                    "high": high,
                }


def write_patients(scored: Sequence[ScoredPatient], path: Path) -> None:
    """The rows, numbers to three decimals."""
    rows = list(rows_of(scored))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()})


def summarise_measures(scored: Sequence[ScoredPatient]) -> dict[str, Any]:
    """Agreement with the experts by measure, dense and by Simpson's rule; overlap; and what hiding slices costs."""
    rows = list(rows_of(scored))
    whole = [row for row in rows if row["start"] is None]
    names = list(scored[0].expert)
    summary: dict[str, Any] = {
        "patients": len(scored),
        "expert": {way: {name: _against_expert(whole, way, name) for name in names} for way in WAYS},
        "dice": _overlap(scored),
        "wall_volume_range_percent": float(np.mean([s.found.wall_range_percent for s in scored])),
    }
    thinned = [row for row in rows if row["start"] is not None]
    if thinned:
        summary["every_second_slice"] = {
            "patients": len({row["patient"] for row in thinned}),
            **{name: _thinned([row for row in thinned if row["measure"] == name]) for name in THINNED},
        }
    return summary


def _against_expert(rows: Sequence[dict[str, Any]], way: str, name: str) -> dict[str, Any]:
    chosen = [row for row in rows if row["measure"] == name]
    intervals = None
    if way == "dense":
        intervals = [None if row["low"] is None else (row["low"], row["high"]) for row in chosen]
    return _plain(agreement([row[way] for row in chosen], [row["expert"] for row in chosen], intervals))


def _overlap(scored: Sequence[ScoredPatient]) -> dict[str, dict[str, float]]:
    networks = scored[0].overlap
    return {
        network: {part: float(np.nanmean([s.overlap[network][part] for s in scored])) for part in parts}
        for network, parts in networks.items()
    }


def _thinned(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Dense against Simpson's rule on the same slices, by what all slices give: of the network, and of the experts."""
    dense, simpson, expert = ([row[key] for row in rows] for key in ("dense", "simpson", "expert"))
    found: dict[str, Any] = {"experts_by_simpson": _plain(agreement([row["expert_thinned"] for row in rows], expert))}
    for key in REFERENCES:
        reference = [row[key] for row in rows]
        found[key] = {
            "dense": _plain(agreement(dense, reference)),
            "simpson": _plain(agreement(simpson, reference)),
            "nearer": _plain(nearer(dense, simpson, reference)),
        }
    return found


def format_measures(summary: dict[str, Any]) -> str:
    """The summary as tables of text."""
    lines = [f"{summary['patients']} patients, against experts' labels"]
    for way in WAYS:
        lines += ["", f"{way:16} correlation    bias      sd     mae   limits of agreement   in interval"]
        for name, a in summary["expert"][way].items():
            held = "" if a["held"] is None else f"{a['held']:.0%}"
            lines.append(f"{name:16} {_numbers(a)} {held:>12}")
    lines.append("")
    for network, parts in summary["dice"].items():
        lines.append(f"Dice, {network}: " + ", ".join(f"{part} {value:.3f}" for part, value in parts.items()))
    lines.append(f"wall volume over the beat: {summary['wall_volume_range_percent']:.1f} %")
    if (thinned := summary.get("every_second_slice")) is not None:
        for key, words in REFERENCES.items():
            lines += ["", f"every second slice of {thinned['patients']} patients, against {words}"]
            for name in THINNED:
                part = thinned[name][key]
                lines += [f"{name:16} {way:8} {_numbers(part[way])}" for way in WAYS]
                lines.append(f"{name:16} dense is nearer in {part['nearer']['first_wins']:.0%}")
    return "\n".join(lines)


def _numbers(a: dict[str, Any]) -> str:
    widths = {"correlation": (11, 3), "bias": (7, 1), "sd": (7, 1), "mae": (7, 1), "low": (9, 1), "high": (8, 1)}
    shown = ["–".rjust(w) if a[key] is None else f"{a[key]:{w}.{digits}f}" for key, (w, digits) in widths.items()]
    return " ".join(shown)


def _plain(numbers: Agreement | Nearer) -> dict[str, Any]:
    """For JSON, which has no NaN: what is undefined is ``None``."""
    return {key: None if value is not None and math.isnan(value) else value for key, value in asdict(numbers).items()}
