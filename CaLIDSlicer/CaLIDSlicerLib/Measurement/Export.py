"""Measures as text: for the clipboard, as a file of comma-separated values, and as a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from calid.atomic import write_atomically

from ..Scene.Measures import Measures


def asText(measures: Measures) -> str:
    """All rows, cells separated by tabs as spreadsheets paste them, with a head, and the notes at the end."""
    return "\n".join("\t".join(row) for row in _rows(measures)) + "\n"


def saveTable(measures: Measures, path: str | Path) -> None:
    """Write all rows as comma-separated values; the file appears complete or not at all.

    :raises OutOfResources: for a full disk, with the space that is left.
    :raises UnusableInput: for a folder that cannot be written.
    """
    text = io.StringIO()
    csv.writer(text).writerows(_rows(measures))
    write_atomically(Path(path), lambda partial: partial.write_text(text.getvalue(), encoding="utf-8", newline=""))


def saveReport(measures: Measures, path: str | Path) -> None:
    """Write the page of HTML; raises as :func:`saveTable` does."""
    text = measures.page.GetText()
    write_atomically(Path(path), lambda partial: partial.write_text(text, encoding="utf-8"))


def _rows(measures: Measures) -> Iterator[list[str]]:
    table = measures.table.GetTable()
    columns = [table.GetColumn(index) for index in range(table.GetNumberOfColumns())]
    yield [column.GetName() for column in columns]
    for row in range(table.GetNumberOfRows()):
        yield [column.GetValue(row) for column in columns]
    for note in measures.numbers["notes"]:
        yield ["note", note, *[""] * (len(columns) - 2)]
