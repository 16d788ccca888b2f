"""The report of a run: one page that opens offline, failures first, with a picture of each case before and after.

The rows are those of ``participants.tsv``. Everything is inside of the file: pictures as data, plots as SVG, and the
lines of script that sort the table.
"""

from __future__ import annotations

import base64
import html
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from calid.atomic import write_atomically
from calid.batch.case import DONE, Outcome
from calid.batch.folder import THUMBNAIL_FILE, folder_of
from calid.batch.histogram import histogram
from calid.batch.table import row_of
from calid.version import __version__

REPORT_FILE = "report.html"
_PLOTTED = {
    "seconds": "Seconds for a case",
    "gap_mm": "Gap between acquired slices, mm",
    "slices": "Acquired slices",
    "phases": "Phases",
    "self_check_gain_db": "Self-check: gain over linear interpolation, dB",
    "lv_edv_ml": "Left ventricle: end-diastolic volume, ml",
    "lv_ef_percent": "Left ventricle: ejection fraction, %",
    "lv_mass_g": "Left ventricle: mass, g",
    "rv_edv_ml": "Right ventricle: end-diastolic volume, ml",
}
_SHOWN = {
    "participant_id": "case",
    "status": "status",
    "seconds": "s",
    "phases": "phases",
    "slices": "slices",
    "slices_dense": "dense",
    "gap_mm": "gap, mm",
    "self_check_gain_db": "self-check, dB",
    "lv_edv_ml": "LV EDV, ml",
    "lv_ef_percent": "LV EF, %",
    "lv_mass_g": "LV mass, g",
    "rv_edv_ml": "RV EDV, ml",
}
_NUMBERS = set(_SHOWN) - {"participant_id", "status"}


def write_report(out: Path, outcomes: Sequence[Outcome], cases: int) -> None:
    """Write the page.

    :param cases: of the run; those without an outcome are told of.
    """
    write_atomically(out / REPORT_FILE, partial(_write, _page(out, outcomes, cases)))


def _page(out: Path, outcomes: Sequence[Outcome], cases: int) -> Iterator[str]:
    """In pieces, for the pictures of thousands of cases take hundreds of megabytes."""
    before, after = _template().split("<!-- cases -->")
    worst_first = sorted(outcomes, key=lambda outcome: (outcome.status == DONE, outcome.id))
    rows = [row_of(outcome) for outcome in worst_first]
    columns = [name for name in _SHOWN if any(row.get(name) is not None for row in rows)]
    words = {
        "version": __version__,
        "summary": _summary(outcomes, cases),
        "failures": _failures(outcomes),
        "plots": "".join(_plots(rows)),
        "heads": "".join(f"<th data-number={int(name in _NUMBERS)}>{_SHOWN[name]}</th>" for name in columns),
    }
    yield Template(before).substitute(words)
    for outcome, row in zip(worst_first, rows, strict=True):
        yield _row(out, outcome, row, columns)
    yield after


def _template() -> str:
    return resources.files("calid.batch").joinpath("report.html").read_text(encoding="utf-8")


def _summary(outcomes: Sequence[Outcome], cases: int) -> str:
    status = Counter(outcome.status for outcome in outcomes)
    warned = sum(bool(outcome.warnings) for outcome in outcomes)
    hours = sum(outcome.seconds for outcome in outcomes) / 3600
    facts = [
        (f"{status[DONE]}", f"of {cases} cases done"),
        (f"{len(outcomes) - status[DONE]}", "failed"),
        (f"{cases - len(outcomes)}", "not worked on"),
        (f"{warned}", "with warnings"),
        (f"{hours:.3g} h" if hours >= 1 else f"{60 * hours:.3g} min", "of computing"),
    ]
    return "".join(f"<div class=fact><b>{number}</b> {words}</div>" for number, words in facts)


def _failures(outcomes: Sequence[Outcome]) -> str:
    """Kinds of errors, the most frequent first."""
    kinds = Counter(outcome.kind for outcome in outcomes if outcome.status != DONE)
    return "".join(f"<li>{count} × {html.escape(kind)}</li>" for kind, count in kinds.most_common())


def _plots(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for name, title in _PLOTTED.items():
        values = [float(row[name]) for row in rows if row.get(name) is not None and row["status"] == DONE]
        if len(values) > 1:
            yield histogram(values, title)


def _row(out: Path, outcome: Outcome, row: dict[str, Any], columns: Sequence[str]) -> str:
    cells = "".join(
        f"<td>{html.escape(str(value))}" if (value := row.get(name)) is not None else "<td>" for name in columns
    )
    told = [f"<b>{html.escape(outcome.kind)}</b> {html.escape(outcome.error)}<br><i>{html.escape(outcome.remedy)}</i>"]
    told = told if outcome.status != DONE else []
    if count := len(outcome.warnings):
        listed = "<br>".join(map(html.escape, outcome.warnings))
        told.append(f"<details><summary>{count} warning{'s' * (count > 1)}</summary>{listed}</details>")
    return f"<tr class={outcome.status}><td>{_picture(out, outcome.id)}{cells}<td class=told>{''.join(told)}</tr>\n"


def _picture(out: Path, id: str) -> str:
    try:
        data = base64.b64encode((folder_of(out, id) / THUMBNAIL_FILE).read_bytes()).decode()
    except OSError:  # a case that failed has none
        return ""
    return f'<img alt="sub-{id}, long axis, before and after" src="data:image/jpeg;base64,{data}">'


def _write(pieces: Iterator[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines(pieces)
