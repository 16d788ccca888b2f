"""Bland-Altman plots: the difference of two ways to measure over their mean, with the limits of agreement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calid.evaluation.measures.agreement import agreement
from calid.evaluation.measures.report import rows_of
from calid.evaluation.measures.scoring import ScoredPatient

SHOWN = {
    "lv_edv_ml": "LV end-diastolic volume, ml",
    "lv_esv_ml": "LV end-systolic volume, ml",
    "lv_ef_percent": "LV ejection fraction, %",
    "lv_mass_g": "LV mass, g",
    "rv_edv_ml": "RV end-diastolic volume, ml",
    "rv_ef_percent": "RV ejection fraction, %",
}
COLOURS = {"dense": "tab:blue", "simpson": "tab:orange"}


def draw_measures(scored: Sequence[ScoredPatient], folder: Path) -> None:
    """Write ``experts.png`` and, where every second slice was hidden, ``every_second_slice.png``."""
    rows = list(rows_of(scored))
    whole = [row for row in rows if row["start"] is None]
    _grid(whole, "expert", "experts").savefig(folder / "experts.png", dpi=110, bbox_inches="tight")
    thinned = [row for row in rows if row["start"] is not None]
    if thinned:
        figure = _grid(thinned, "same_reach", "all slices over the same reach")
        figure.savefig(folder / "every_second_slice.png", dpi=110, bbox_inches="tight")


def _grid(rows: Sequence[dict[str, Any]], key: str, words: str) -> Figure:
    figure = Figure(figsize=(13, 7.5), layout="constrained")
    for axes, (name, title) in zip(figure.subplots(2, 3).flat, SHOWN.items(), strict=True):
        _bland_altman(axes, [row for row in rows if row["measure"] == name], key)
        axes.set_title(title)
        axes.set_xlabel(f"mean of measured and {words}")
        axes.set_ylabel(f"measured - {words}")
    figure.axes[0].legend()
    return figure


def _bland_altman(axes: Axes, rows: Sequence[dict[str, Any]], key: str) -> None:
    reference = np.array([row[key] for row in rows])
    for way, colour in COLOURS.items():
        found = np.array([row[way] for row in rows])
        axes.scatter((found + reference) / 2, found - reference, s=18, color=colour, label=way)
        about = agreement(found, reference)
        axes.axhline(about.bias, color=colour)
        for limit in (about.low, about.high):
            axes.axhline(limit, color=colour, linestyle=":")
    axes.axhline(0, color="black", linewidth=0.6)
