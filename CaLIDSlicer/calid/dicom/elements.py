"""Elements of a header as bytes, by their tags: what :mod:`calid.dicom.headers` asks for, and nothing else.

Most files of an archive are little endian with plain elements up to the pixels. They are walked through here, three
times as fast as by pydicom, which reads all others: a study has thousands.
"""

from __future__ import annotations

import struct
from collections.abc import Set
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.filereader import read_partial
from pydicom.tag import Tag

IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
_DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205")

_PREAMBLE = 132
_FIRST_READ = 1 << 16
_SYNTAX = 0x00020010
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
"""Value representations whose length has four bytes (PS3.5, 7.1.2)."""
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True)
class Elements:
    """Elements of a file.

    :param values: bytes of each tag.
    :param syntax: transfer syntax UID.
    :param end: where in the file reading stopped.
    """

    values: dict[int, bytes]
    syntax: str
    end: int


def read_elements(file: BinaryIO, wanted: Set[int], last: int) -> Elements:
    """The ``wanted`` elements up to the tag ``last``.

    :raises Exception: of whatever kind, from pydicom, for a file that is none.
    """
    file.seek(0)
    found = _walk(file.read(_FIRST_READ), wanted, last)
    return _by_pydicom(file, wanted, last) if found is None else found


def _by_pydicom(file: BinaryIO, wanted: Set[int], last: int) -> Elements:
    file.seek(0)
    tags = [Tag(number) for number in wanted]
    header = read_partial(file, lambda tag, vr, length: int.__gt__(tag, last), specific_tags=tags)
    raw = {int(tag): header.get_item(tag).value for tag in header.keys()}  # noqa: SIM118 - no values
    values = {tag: value for tag, value in raw.items() if isinstance(value, bytes)}
    return Elements(values, str(getattr(header.file_meta, "TransferSyntaxUID", "") or IMPLICIT), file.tell())


def _walk(content: bytes, wanted: Set[int], last: int) -> Elements | None:
    """Elements in the start of a file; nothing if they are not plain, or go on beyond it."""
    meta, at = _elements(content, _PREAMBLE, {_SYNTAX}, 0x0002FFFF, is_explicit=True)
    syntax = meta.get(_SYNTAX, b"").rstrip(b"\0 ").decode("ascii", "replace")
    if at is None or not syntax or syntax == BIG_ENDIAN or syntax in _DEFLATED:
        return None
    values, end = _elements(content, at, wanted, last, is_explicit=syntax != IMPLICIT)
    return None if end is None else Elements(values, syntax, end)


def _elements(
    content: bytes, at: int, wanted: Set[int], last: int, is_explicit: bool
) -> tuple[dict[int, bytes], int | None]:
    """Elements from a place on, and where the first one after ``last`` begins; ``None`` if that is not found."""
    values: dict[int, bytes] = {}
    size, before = len(content), 0
    while at + 12 <= size:
        group, element = struct.unpack_from("<HH", content, at)
        tag = group << 16 | element
        if tag > last:
            return values, at
        if tag <= before:
            break
        before = tag
        if not is_explicit:
            start, length = at + 8, struct.unpack_from("<I", content, at + 4)[0]
        elif content[at + 4 : at + 6] in _LONG:
            start, length = at + 12, struct.unpack_from("<I", content, at + 8)[0]
        elif content[at + 4 : at + 6].isalpha():
            start, length = at + 8, struct.unpack_from("<H", content, at + 6)[0]
        else:
            break
        at = start + length
        if length == _UNDEFINED or at > size:
            break
        if tag in wanted:
            values[tag] = content[start:at]
    return values, None
