"""What a look at a stack found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

NOTABLE_SHIFT = 3.0
"""mm. From here on the shift of a slice in its plane is worth a warning: experts see it."""


class Kind(Enum):
    """What is wrong."""

    MISSING = "missing"
    TOO_LONG = "too long"
    BLANK = "blank"
    DUPLICATED = "duplicated"
    OUT_OF_ORDER = "out of order"
    SHIFTED = "shifted"
    SWAPPED_AXES = "swapped axes"
    OTHER_IMAGES = "other images"
    OTHER_SCALE = "other scale"


@dataclass(frozen=True)
class Finding:
    """One thing that looks wrong.

    :param text: a sentence, in which slices and phases are counted from 1.
    :param slices: that it is about, counted from 0.
    """

    kind: Kind
    text: str
    slices: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.text


def counted(numbers: Iterable[int], most: int = 20) -> str:
    """Numbers counted from 0 as people count them: "3, 5-7"; of many, the first."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and abs(number - runs[-1][-1]) == 1 and (len(runs[-1]) < 2 or number - runs[-1][-1] == 1):
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [f"{run[0] + 1}-{run[-1] + 1}" if len(run) > 2 else ", ".join(str(n + 1) for n in run) for run in runs]
    return ", ".join(texts[:most]) + ", …" * (len(texts) > most)
