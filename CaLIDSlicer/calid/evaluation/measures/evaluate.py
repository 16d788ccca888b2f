"""Measure the patients of a split and hold the numbers against experts' labels."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from calid.cohorts.acdc import split_patients
from calid.evaluation.measures.patients import load_patients
from calid.evaluation.measures.report import format_measures, summarise_measures, write_patients
from calid.evaluation.measures.scoring import ScoredPatient, score_patient
from calid.options import Options
from calid.segmentation.chambers import load_measurer
from calid.version import __version__


def evaluate_measures(
    data: str | Path,
    out: str | Path,
    split: str = "validation",
    limit: int | None = None,
    options: Options | None = None,
    figures: bool = True,
) -> dict[str, Any]:
    """Print the tables; write the summary to ``out`` (.json), the numbers of each patient (.csv) and a folder of plots.

    Each patient is measured from end-diastole and end-systole, which are found by their volumes like any; patients with
    slices 5 mm apart again with every second slice, from the first and from the second on.

    :param data: folder with ``index.json`` and ``ed_es/``.
    :param limit: only the first so many patients of the split.
    :param options: of the reconstruction, and the models folder.
    :returns: the summary.
    :raises UnusableInput: for patients that are missing.
    """
    out, options = Path(out), options or Options()
    scored: list[ScoredPatient] = []
    for patient in load_patients(Path(data), split_patients(split)[:limit]):
        print(f"{patient.name}: {len(patient.stack.positions)} slices, {patient.gap:.1f} mm apart", file=sys.stderr)
        scored.append(score_patient(patient, options))
    summary = {
        "protocol": "measures at end-diastole and end-systole against labels, papillary muscles in the cavity",
        "calid": __version__,
        "split": split,
        "limit": limit,
        "labels": load_measurer(options.models).id,
        "spacing_mm": options.spacing,
        **summarise_measures(scored),
    }
    out.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    write_patients(scored, out.with_suffix(".csv"))
    print(format_measures(summary))
    if figures:
        _draw(scored, out.with_name(f"{out.stem}_figures"))
    return summary


def _draw(scored: list[ScoredPatient], folder: Path) -> None:
    from calid.evaluation.measures.figures import draw_measures  # matplotlib is optional and slow to import

    folder.mkdir(exist_ok=True)
    draw_measures(scored, folder)
