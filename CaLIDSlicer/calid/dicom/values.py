"""Values of a DICOM header, from bytes that may be anything: what is no such value is ``None``.

DICOM keeps most numbers as text (DS, IS), padded and separated by backslashes (PS3.5, 6.2).
"""

from __future__ import annotations

import math
import re
import struct

from pydicom.charset import convert_encodings, decode_bytes

_LARGEST_NUMBER = 1e15
_DAY = 86400.0
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]+")
_LONGEST_TEXT = 64
_DELIMITERS = {0x09, 0x0A, 0x0C, 0x0D}


def text(value: bytes | None, charset: bytes | None = None) -> str:
    """One line of printable text of at most 64 characters; never a path or a format, whatever it says."""
    if not value:
        return ""
    value = value[: 4 * _LONGEST_TEXT]
    decoded = value.decode("ascii", "replace")
    if not value.isascii():
        try:
            named = [part.strip() for part in (charset or b"ISO_IR 100").decode("ascii", "replace").split("\\")]
            decoded = decode_bytes(value, convert_encodings(named), _DELIMITERS)
        except (LookupError, UnicodeError, ValueError, AttributeError, IndexError):
            decoded = value.decode("latin-1")
    return _UNPRINTABLE.sub(" ", decoded).strip()[:_LONGEST_TEXT].strip()


def words(value: bytes | None) -> tuple[str, ...]:
    """Values of a CS attribute, in capitals."""
    return tuple(text(part).upper() for part in value.split(b"\\")[:16]) if value else ()


def uid(value: bytes | None) -> str:
    """A UID; anything goes, for archives write all sorts, so it serves to compare and for nothing else."""
    return text((value or b"").rstrip(b"\0"))


def number(value: bytes | None) -> float | None:
    """The first number of a DS or IS attribute."""
    many = numbers(value)
    return many[0] if many else None


def numbers(value: bytes | None) -> tuple[float, ...] | None:
    """All numbers of a DS or IS attribute; ``None`` unless all are finite."""
    if not value or len(value) > 1024:
        return None
    try:
        many = tuple(float(part) for part in value.rstrip(b"\0 ").split(b"\\"))
    except ValueError:
        return None
    return many if all(map(is_sane, many)) else None


def whole(value: bytes | None) -> int | None:
    """The first number of an IS attribute."""
    one = number(value)
    return None if one is None else int(one)


def short(value: bytes | None, is_little: bool) -> int | None:
    """A US attribute."""
    if not value or len(value) < 2:
        return None
    return int(struct.unpack("<H" if is_little else ">H", value[:2])[0])


def double(value: bytes | None, is_little: bool) -> float | None:
    """An FD attribute."""
    if not value or len(value) < 8:
        return None
    (one,) = struct.unpack("<d" if is_little else ">d", value[:8])
    return one if is_sane(one) else None


def is_sane(value: float) -> bool:
    """Whether a number may be computed with."""
    return math.isfinite(value) and abs(value) < _LARGEST_NUMBER


def moment(date: bytes | None, clock: bytes | None) -> float | None:
    """Seconds, from a DA and a TM attribute, or a DT attribute alone; only differences of them mean anything.

    Anonymisers blank dates and write impossible ones; then the time of day counts alone.
    """
    digits, _, decimals = (clock or b"").strip(b" \0").partition(b".")
    digits = digits.replace(b":", b"")
    if not digits.isdigit() or len(digits) not in (2, 4, 6):
        return None
    hours, minutes, seconds = (int(digits[n : n + 2] or b"0") for n in (0, 2, 4))
    fraction = float(b"0." + decimals) if decimals.isdigit() else 0.0
    return _days(date) * _DAY + hours * 3600 + minutes * 60 + seconds + fraction


def moment_of_datetime(value: bytes | None) -> float | None:
    """Seconds of a DT attribute (YYYYMMDDHHMMSS.FFFFFF&ZZXX)."""
    stamp = re.split(rb"[+-]", (value or b"").strip(b" \0"))[0]
    return moment(stamp[:8], stamp[8:]) if len(stamp) >= 10 else None


def _days(date: bytes | None) -> int:
    """A count of days that grows with the date; calendars are of no matter."""
    digits = (date or b"").strip(b" \0").replace(b".", b"")
    if len(digits) != 8 or not digits.isdigit():
        return 0
    return (int(digits[:4]) * 12 + int(digits[4:6])) * 31 + int(digits[6:])
