"""What short-axis cines there are among files of Slicer's DICOM database: by headers alone, and at once.

Slicer asks each of its plugins, while the user waits, what it can make of the series that are selected. The pixels are
read later, in a process of their own (:mod:`.Opening`), and with them all is looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from calid.dicom.headers import read_pictures
from calid.dicom.pictures import Picture
from calid.dicom.quiet import quiet
from calid.dicom.slices import slices_of
from calid.dicom.sources import LeftOut, Opener, Source
from calid.dicom.views import View, long_axes_of, views_of
from calid.dicom.words import phases_in_words

from ..Translation import _


@dataclass(frozen=True)
class Offer:
    """What can be loaded of one series; all offers of a study lead to the same nodes.

    :param name: such as "Short-axis cine (12 slices x 20 phases, CaLID)".
    :param series: UID.
    :param files: of the series that are used, in order.
    :param given: all files that were looked at, and that are to be opened.
    :param stack: number of the stack among them, from 1.
    :param longAxis: number of the long axis, from 1; 0 for the stack itself.
    """

    name: str
    series: str
    files: tuple[str, ...]
    given: tuple[str, ...]
    stack: int
    longAxis: int = 0


def offersIn(files: Sequence[str]) -> list[Offer]:
    """What can be made of the files of any number of series: short-axis cines, with the long axes of their studies."""
    views = _views(files)
    stacks = [view for view in views if view.is_stack]
    offers: list[Offer] = []
    for number, stack in enumerate(stacks, 1):
        if stack.is_short_axis_cine:
            offers += _offersOf(stack, views, tuple(files), number)
    return offers


def _offersOf(stack: View, views: Iterable[View], given: tuple[str, ...], number: int) -> list[Offer]:
    """An offer for each series of the stack, and for each of its long axes."""
    phases = phases_in_words(stack)
    name = _("Short-axis cine ({slices} slices x {phases}, CaLID)").format(slices=len(stack.slices), phases=phases)
    found = [Offer(name, series, files, given, number) for series, files in _bySeries(stack)]
    for at, view in enumerate(long_axes_of(views, stack), 1):
        name = _("Long-axis cine ({phases}, CaLID)").format(phases=phases_in_words(view))
        found += [Offer(name, series, files, given, number, at) for series, files in _bySeries(view)]
    return found


def _bySeries(view: View) -> list[tuple[str, tuple[str, ...]]]:
    files: dict[str, dict[str, None]] = {}
    for cine in view.slices:
        for picture in cine.pictures:
            files.setdefault(picture.series, {})[str(picture.source.path)] = None
    return [(series, tuple(named)) for series, named in files.items()]


def _views(files: Sequence[str]) -> list[View]:
    left_out: list[LeftOut] = []
    names: set[str] = set()
    pictures: list[Picture] = []
    with Opener() as opener, quiet():
        for source in map(Source, map(Path, files)):
            try:
                with opener.open(source) as file:
                    found = read_pictures(file, source, names)
            except (OSError, ValueError):  # the worker names it, with the reason
                continue
            if not isinstance(found, LeftOut):
                pictures += [picture for picture in found if picture.kind.is_usable]
    return views_of(slices_of(pictures, left_out))
