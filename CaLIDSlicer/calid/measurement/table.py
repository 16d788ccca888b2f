"""A measurement as text for people and as a table for spreadsheets."""

from __future__ import annotations

import csv
import io

from calid.measurement.result import Measurement

WORDS = {
    "edv_ml": ("end-diastolic volume", "ml"),
    "esv_ml": ("end-systolic volume", "ml"),
    "sv_ml": ("stroke volume", "ml"),
    "ef_percent": ("ejection fraction", "%"),
    "mass_g": ("mass", "g"),
    "output_l_min": ("cardiac output", "l/min"),
    "peak_ejection_ml_s": ("peak ejection rate", "ml/s"),
    "peak_filling_ml_s": ("peak filling rate", "ml/s"),
}
VENTRICLES = {"lv": "left ventricle", "rv": "right ventricle"}

Row = tuple[str, str, str, str, str, str]


def rows_of(found: Measurement) -> list[Row]:
    """One row for each number: what of, name, value, unit, and where an expert's would be, as text."""
    rows = []
    for name, ventricle in VENTRICLES.items():
        intervals = found.intervals[name]
        for key, value in getattr(found, name).items():
            low, high = intervals.get(key, (None, None))
            rows.append((ventricle, WORDS[key][0], _shown(value), WORDS[key][1], _shown(low), _shown(high)))
    if found.simpson_ml is not None:
        sparse = found.to_dict()["simpson"]
        for name, ventricle in VENTRICLES.items():
            for key, value in sparse[name].items():
                rows.append((f"{ventricle}, Simpson", WORDS[key][0], _shown(value), WORDS[key][1], "", ""))
    for part, values in found.ml.items():
        label = {**VENTRICLES, "wall": "wall"}[part]
        rows += [(label, f"volume in phase {t}", _shown(float(ml)), "ml", "", "") for t, ml in enumerate(values, 1)]
    for segment in found.to_dict()["segments"]:
        for key in ("end_diastole_mm", "end_systole_mm", "thickening_percent"):
            unit = "%" if key.endswith("percent") else "mm"
            words = key.rsplit("_", 1)[0].replace("_", "-")
            text = f"segment {segment['number']}, {segment['name']}"
            rows.append((text, f"wall, {words}", _shown(segment[key]), unit, "", ""))
    return rows


def to_csv(found: Measurement) -> str:
    """All rows, with a head, and the notes at the end."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("of", "measure", "value", "unit", "low", "high"))
    writer.writerows(rows_of(found))
    writer.writerows(("note", note, "", "", "", "") for note in found.notes)
    return text.getvalue()


def to_text(found: Measurement) -> str:
    """The numbers of both ventricles with their intervals, and how they were made."""
    lines = []
    for name, ventricle in VENTRICLES.items():
        lines.append(ventricle)
        for key, value in getattr(found, name).items():
            if value is None:
                continue
            words, unit = WORDS[key]
            low, high = found.intervals[name].get(key, (None, None))
            between = "" if low is None else f"   {_shown(low)} to {_shown(high)}"
            lines.append(f"  {words:22}{_shown(value):>8} {unit:5}{between}")
    conventions = found.to_dict()["conventions"]
    return "\n".join([*lines, "", f"{conventions['papillary']}; nine in ten experts' values lie in the intervals."])


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
