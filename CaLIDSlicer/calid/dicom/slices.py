"""The pictures of one place in one series, in the order of their phases.

Ordered by trigger time, else temporal position, else content time, else instance number: by the first that every
picture has and that tells them apart. Which one it was is recorded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from calid.dicom.pictures import Picture, Plane
from calid.dicom.sources import LeftOut
from calid.dicom.timing import LONGEST_STEP_MS, Timing, is_within_a_beat, timing_of

SAME_DIRECTION = np.cos(np.radians(0.3))
SAME_PLACE_MM = 0.5
"""Along the normal and in the plane, for pictures of one slice."""


class Order(Enum):
    """By what phases were ordered."""

    TRIGGER = "trigger time"
    TEMPORAL = "temporal position"
    CONTENT = "content time"
    INSTANCE = "instance number"
    FILE = "order of the files"


class Content(Enum):
    """What the pictures of a slice are in time."""

    CINE = "cine"
    STILL = "single-phase"
    DYNAMIC = "dynamic series"
    """One picture a heart beat, as of perfusion."""


@dataclass(frozen=True)
class SliceCine:
    """A slice.

    :param pictures: in the order of their phases.
    :param instances_disagree: whether content times and instance numbers, of which the former were used, say two
        different orders.
    """

    pictures: tuple[Picture, ...]
    order: Order
    content: Content
    timing: Timing
    instances_disagree: bool = False

    @property
    def first(self) -> Picture:
        """The picture that stands for all."""
        return self.pictures[0]

    @property
    def plane(self) -> Plane:
        """Where it is."""
        return self.first.plane

    @cached_property
    def when(self) -> tuple[float, float, float, float]:
        """What sorts slices by when they were acquired, whatever of it is known."""
        known = (self.first.acquired, self.first.series_number, self.first.acquisition_number)
        acquired, series, acquisition = (0.0 if value is None else float(value) for value in known)
        instance = min(picture.instance_number or 0 for picture in self.pictures)
        return acquired, series, acquisition, float(instance)


def slices_of(pictures: Iterable[Picture], left_out: list[LeftOut]) -> list[SliceCine]:
    """Slices of pictures in any order; pictures that another one equals are noted as left out."""
    groups: dict[tuple[Any, ...], list[Picture]] = defaultdict(list)
    for picture in _once(pictures, left_out):
        echo = None if picture.echo is None else round(picture.echo, 2)
        groups[picture.patient, picture.study, picture.series, picture.kind, picture.plane.shape, echo].append(picture)
    return [cine for group in groups.values() for place in _places(group) for cine in _in_phase_order(place, left_out)]


def _once(pictures: Iterable[Picture], left_out: list[LeftOut]) -> Iterable[Picture]:
    """Pictures whose instance UID was not seen before."""
    seen = set()
    for picture in pictures:
        key = (picture.instance, picture.frame)
        if picture.instance and key in seen:
            left_out.append(LeftOut(picture.source.name, "a copy of another file"))
            continue
        seen.add(key)
        yield picture


def _places(pictures: list[Picture]) -> list[list[Picture]]:
    """Pictures of one series, apart by where they are."""
    planes = sorted({picture.plane for picture in pictures}, key=lambda plane: plane.position)
    places: list[list[Plane]] = []
    for alike in _directions(planes):
        along = np.array([plane.position for plane in alike]) @ alike[0].normal
        for run in np.split(np.argsort(along), np.flatnonzero(np.diff(np.sort(along)) > SAME_PLACE_MM) + 1):
            places += _in_plane([alike[n] for n in run])
    number = {plane: n for n, place in enumerate(places) for plane in place}
    gathered: list[list[Picture]] = [[] for _ in places]
    for picture in pictures:
        gathered[number[picture.plane]].append(picture)
    return gathered


def _directions(planes: list[Plane]) -> list[list[Plane]]:
    found: list[tuple[np.ndarray, np.ndarray, list[Plane]]] = []
    for plane in planes:
        normal, row = plane.normal, np.array(plane.row)
        for other, along, members in found:
            if other @ normal > SAME_DIRECTION and along @ row > SAME_DIRECTION:
                members.append(plane)
                break
        else:
            found.append((normal, row, [plane]))
    return [members for _, _, members in found]


def _in_plane(planes: list[Plane]) -> list[list[Plane]]:
    """Planes at one place along the normal, apart by what they cover."""
    found: list[list[Plane]] = []
    for plane in planes:
        for members in found:
            away = np.linalg.norm(np.subtract(plane.position, members[0].position))
            if away <= 2 * SAME_PLACE_MM and np.allclose(plane.spacing, members[0].spacing, rtol=1e-3):
                members.append(plane)
                break
        else:
            found.append([plane])
    return found


_KEYS: dict[Order, Callable[[Picture], float | None]] = {
    Order.TRIGGER: lambda picture: picture.trigger,
    Order.TEMPORAL: lambda picture: picture.temporal,
    Order.CONTENT: lambda picture: picture.written,
    Order.INSTANCE: lambda picture: picture.instance_number,
}


def _in_phase_order(pictures: list[Picture], left_out: list[LeftOut]) -> list[SliceCine]:
    """The slice, or the several that were acquired at one place in one series."""
    pictures = sorted(pictures, key=lambda picture: (picture.instance_number or 0, picture.source.name))
    order = _order_of(pictures)
    if order is Order.FILE:
        return [_slice(pictures, order)]
    key = _KEYS[order]
    copies = _copies(pictures, key)
    taken = [copies[0]]
    for copy in copies[1:]:
        if len(copy) >= len(copies[0]) / 2 and _is_later(copy[0], taken[-1][0]):
            taken.append(copy)
        else:
            left_out += [
                LeftOut(picture.source.name, "at the same place and time as another picture") for picture in copy
            ]
    return [_slice(copy, order) for copy in taken]


def _order_of(pictures: Sequence[Picture]) -> Order:
    """The first key that all pictures have and that tells phases apart."""
    if len(pictures) == 1:
        return Order.TRIGGER if pictures[0].trigger is not None else Order.INSTANCE
    for order, key in _KEYS.items():
        found = [key(picture) for picture in pictures]
        distinct = len(set(found))
        if None in found or distinct < 2:
            continue
        if distinct == len(found) or (order is not Order.CONTENT and distinct >= max(2, len(found) / 4)):
            return order
    return Order.FILE


def _copies(pictures: Sequence[Picture], key: Callable[[Picture], Any]) -> list[list[Picture]]:
    """The first picture of every phase, the second, and so on, each in the order of the phases."""

    def acquisition(picture: Picture) -> tuple[float, float, int]:
        return picture.acquired or 0, picture.acquisition_number or 0, picture.instance_number or 0

    phases = [sorted(same, key=acquisition) for _, same in groupby(sorted(pictures, key=key), key)]
    most = max(map(len, phases))
    return [[same[copy] for same in phases if len(same) > copy] for copy in range(most)]


def _is_later(one: Picture, other: Picture) -> bool:
    """Whether a picture belongs to another acquisition than another one of the same series."""
    if one.acquired is not None and other.acquired is not None and one.acquired - other.acquired > 3.0:
        return True
    return one.acquisition_number != other.acquisition_number


def _slice(pictures: Sequence[Picture], order: Order) -> SliceCine:
    triggers = [picture.trigger for picture in pictures if picture.trigger is not None]
    are_times = order is Order.TRIGGER and len(triggers) == len(pictures)
    rr, stated = commonest(picture.rr for picture in pictures), commonest(picture.phases for picture in pictures)
    content = _content(pictures, triggers if are_times else None, rr)
    timing = timing_of(
        len(pictures),
        triggers if are_times and content is Content.CINE else None,
        rr,
        None if stated is None else int(stated),
    )
    numbers = [picture.instance_number for picture in pictures]
    known = [number for number in numbers if number is not None]
    disagree = order is Order.CONTENT and len(set(known)) == len(numbers) and known != sorted(known)
    return SliceCine(tuple(pictures), order, content, timing, disagree)


def commonest(found: Iterable[float | None]) -> float | None:
    """The value that most have, the first of equally common ones; ``None`` where none is known."""
    counted = Counter(value for value in found if value is not None)
    return counted.most_common(1)[0][0] if counted else None


def _content(pictures: Sequence[Picture], triggers: list[float] | None, rr: float | None) -> Content:
    if len(pictures) == 1:
        return Content.STILL
    if triggers is not None:
        return Content.CINE if is_within_a_beat(triggers, rr) else Content.DYNAMIC
    for clock in (lambda picture: picture.acquired, lambda picture: picture.written):
        times = sorted(time for picture in pictures if (time := clock(picture)) is not None)
        distinct = sorted(set(times))
        if len(distinct) >= max(2, len(pictures) / 2):
            slow = 1000 * float(np.median(np.diff(distinct))) > 1.25 * LONGEST_STEP_MS
            return Content.DYNAMIC if slow else Content.CINE
    return Content.CINE
