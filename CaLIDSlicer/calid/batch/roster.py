"""Under which id each case goes, the same in every run into a folder.

Names of files and folders may be those of patients, so cases are numbered, unless they are to keep their names. The
key, in ``key.csv``, tells which case has which id; it stays with the lab.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from calid.atomic import write_atomically
from calid.batch.case import Case
from calid.batch.finding import Found
from calid.errors import UnusableInput
from calid.measurement.body import Body

KEY_FILE = "key.csv"
_BODY = ("height_cm", "weight_kg", "rr_ms")
_ID = re.compile(r"[A-Za-z0-9]+")
_DIGITS = 5


def enrol(found: Iterable[Found], out: Path, keep_names: bool = False) -> list[Case]:
    """Cases with ids: those that an earlier run into ``out`` gave, and new ones for the others.

    :param keep_names: make ids of names, instead of numbers.
    """
    known = {name: id for id, name in _read_key(out / KEY_FILE)}
    taken = {id.lower() for id in known.values()}
    cases, numbers = [], (f"{number:0{_DIGITS}}" for number in count(1))
    for each in found:
        if (id := known.get(each.name)) is None:
            wishes = _from_name(each.name) if keep_names else numbers
            id = next(wish for wish in wishes if wish.lower() not in taken)
            taken.add(id.lower())
        cases.append(Case(id, tuple(map(str, each.paths)), each.name))
    return cases


def read_list(path: Path) -> list[Case]:
    """The cases of a .csv file with the columns ``path`` and ``id``, and, where wanted, ``stack`` and the body.

    Paths are relative to the file. The body has the columns ``height_cm``, ``weight_kg`` and ``rr_ms``.

    :raises UnusableInput: naming the file and the line, for what is missing, twice there or out of range.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnusableInput(f"{path}: it cannot be read: {reason}", "name a .csv file of text in UTF-8") from error
    if not rows or not {"id", "path"} <= set(rows[0]):
        raise UnusableInput(f"{path}: it lists no cases", "give it a head with id and path, and a line for each case")
    cases: dict[str, Case] = {}
    for number, row in enumerate(rows, 2):
        case = _listed(path, number, row)
        if case.id.lower() in cases:
            raise UnusableInput(f"{path}, line {number}: there are two cases {case.id}", "give each an id of its own")
        cases[case.id.lower()] = case
    return list(cases.values())


def write_key(cases: Iterable[Case], out: Path) -> None:
    """Note which case has which id, beside those that are noted."""
    rows = dict(_read_key(out / KEY_FILE)) | {case.id: case.name for case in cases}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("id", "input"), *sorted(rows.items())])
    write_atomically(out / KEY_FILE, partial(_write, text.getvalue()))


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def _read_key(path: Path) -> list[tuple[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return [(row["id"], row["input"]) for row in csv.DictReader(file)]


def _from_name(name: str) -> Iterator[str]:
    """The letters and digits of a name without its ending, then the same with a number for others of that name."""
    *folders, last = name.split("/")
    plain = "".join(_ID.findall("".join([*folders, last.split(".")[0]]))) or "case"
    yield plain
    yield from (f"{plain}x{number}" for number in count(2))


def _listed(path: Path, number: int, row: dict[str, str]) -> Case:
    id, where = (row["id"] or "").strip().removeprefix("sub-"), (row["path"] or "").strip()
    line = f"{path}, line {number}"
    if not _ID.fullmatch(id):
        raise UnusableInput(f"{line}: {id!r} is no id", "use letters and digits only")
    if not where:
        raise UnusableInput(f"{line}: there is no path", "name a file or a folder, relative to this list")
    try:
        stack = int(row["stack"]) if row.get("stack") else None
        body = {name: float(row[name]) for name in _BODY if row.get(name)}
        Body(**body)
    except ValueError as error:
        raise UnusableInput(f"{line}: {error}", "write stack, height_cm, weight_kg and rr_ms as numbers") from error
    except UnusableInput as error:
        raise UnusableInput(f"{line}: {error}", error.terms) from error
    return Case(id, (str((path.parent / where).absolute()),), where.replace("\\", "/"), stack, body)
