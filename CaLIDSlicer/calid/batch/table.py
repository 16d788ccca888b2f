"""The tables of a run, after BIDS: ``participants.tsv``, what its columns mean, and what the folder is."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from calid.atomic import write_atomically, write_json
from calid.batch.case import DONE, Outcome
from calid.batch.finding import DESCRIPTION_FILE, PROGRAM
from calid.version import __version__

TABLE_FILE, COLUMNS_FILE = "participants.tsv", "participants.json"
NOTHING = "n/a"

COLUMNS = {
    "participant_id": "sub-<id>; key.csv tells which input it was",
    "status": "done or failed",
    "error": "kind of the error of a case that failed",
    "message": "what was wrong",
    "remedy": "what to do about it",
    "seconds": "that the last attempt took",
    "attempts": "1, and one for each worker that was lost",
    "phases": "of the input",
    "slices": "that were acquired",
    "slices_dense": "of the result",
    "gap_mm": "mean distance between acquired slices",
    "largest_gap_mm": "largest distance between acquired slices",
    "thickness_mm": "over which an acquired slice averages",
    "model": "that made the slices between",
    "device": "on which it was computed",
    "peak_memory_mb": "largest memory that the worker had held until then",
    "self_check_psnr_db": "of acquired slices that were hidden and predicted, in the first phase",
    "self_check_gain_db": "the same, less that of linear interpolation",
    "lv_edv_ml": "end-diastolic volume of the left ventricle",
    "lv_esv_ml": "end-systolic volume of the left ventricle",
    "lv_sv_ml": "stroke volume of the left ventricle",
    "lv_ef_percent": "ejection fraction of the left ventricle",
    "lv_mass_g": "mass of the left ventricle",
    "rv_edv_ml": "end-diastolic volume of the right ventricle",
    "rv_esv_ml": "end-systolic volume of the right ventricle",
    "rv_sv_ml": "stroke volume of the right ventricle",
    "rv_ef_percent": "ejection fraction of the right ventricle",
    "warnings": "what a careful user should know, separated by |",
}
"""By name, in order; the last ones only where they were asked for."""

_ALWAYS = [name for name in COLUMNS if not name.startswith(("self_check", "lv_", "rv_"))]


def write_tables(out: Path, outcomes: Iterable[Outcome]) -> None:
    """Write the table and what it is; each file appears complete."""
    rows = [row_of(outcome) for outcome in outcomes]
    used = {name for row in rows for name in row} | set(_ALWAYS)
    names = [name for name in COLUMNS if name in used]
    lines = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    text = "".join("\t".join(line) + "\n" for line in lines)
    write_atomically(out / TABLE_FILE, partial(_write, text))
    write_json(out / COLUMNS_FILE, {name: {"Description": COLUMNS[name]} for name in names})


def write_description(out: Path) -> None:
    """Say what the folder is, as BIDS asks; by this file it is known as one of ours."""
    description = {
        "Name": "CaLID reconstructions",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": PROGRAM, "Version": __version__}],
    }
    write_json(out / DESCRIPTION_FILE, description)


def row_of(outcome: Outcome) -> dict[str, Any]:
    """The columns of a case, by name."""
    row = {"participant_id": f"sub-{outcome.id}", "status": outcome.status, "seconds": outcome.seconds}
    if outcome.status != DONE:
        row |= {"error": outcome.kind, "message": outcome.error, "remedy": outcome.remedy}
    row |= {"attempts": outcome.attempts, "warnings": " | ".join(outcome.warnings)}
    return row | {name: value for name, value in outcome.facts.items() if name in COLUMNS}


def _cell(value: Any) -> str:
    return NOTHING if value is None or value == "" else " ".join(str(value).split())


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
