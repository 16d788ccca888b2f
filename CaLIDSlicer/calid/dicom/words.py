"""Views and what was left out, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from calid.dicom.kinds import Kind
from calid.dicom.slices import Content
from calid.dicom.sources import LeftOut
from calid.dicom.views import View

_MOST_EXAMPLES = 3


def describe(view: View) -> str:
    """A view in a few words: "short-axis cine, 12 slices x 20 phases"."""
    what = f"{view.role.value} {view.content.value}"
    derived = " (derived)" if view.kind is Kind.DERIVED else ""
    count = len(view.slices)
    return f"{what}{derived}, {count} slice{'s' * (count > 1)} x {phases_in_words(view)}"


def phases_in_words(view: View) -> str:
    """Such as "20 phases" or "20-25 phases"."""
    counts = sorted({len(cine.pictures) for cine in view.slices})
    many = str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
    noun = "picture" if view.content is Content.DYNAMIC else "phase"
    return f"{many} {noun}{'s' * (counts[-1] > 1)}"


def listed(items: Sequence[str]) -> str:
    """Such as "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def numbers_of(view: View) -> str:
    """The numbers of the series of a view, runs of them in short."""
    numbers = sorted({cine.first.series_number for cine in view.slices if cine.first.series_number is not None})
    return f"{', '.join(map(str, numbers[:4]))}{' …' * (len(numbers) > 4)}" if numbers else ""


def description_of(view: View) -> str:
    """How most of its series are called."""
    return Counter(cine.first.description for cine in view.slices).most_common(1)[0][0]


def gathered(left_out: Iterable[LeftOut]) -> list[tuple[str, int, list[str]]]:
    """For each reason, the number of pictures and the first names, the commonest reason first."""
    counts: Counter[str] = Counter()
    names: dict[str, list[str]] = {}
    for each in left_out:
        counts[each.reason] += each.count
        examples = names.setdefault(each.reason, [])
        if len(examples) < _MOST_EXAMPLES and each.name not in examples:
            examples.append(each.name)
    return [(reason, count, names[reason]) for reason, count in counts.most_common()]
