"""Slices that belong together: stacks of parallel ones, and single ones, of which long axes are made.

By geometry and by what the pictures are. Series, their names and frames of reference decide nothing: slices of one
stack often have a series each, and anonymisers give every picture a frame of reference of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import numpy as np

from calid.dicom.kinds import Kind
from calid.dicom.remarks import Remark
from calid.dicom.repeats import FEWEST_PLACES, Placed, kept, nearness, repetition, stacks_among
from calid.dicom.slices import Content, SliceCine

PARALLEL_DEGREES = 5.0
"""Slices of one stack are not further from its normal: a patient who is asked to breathe out turns by less."""

_FURTHEST_ASIDE = 0.5
"""Of a side of the picture that the middles of two slices of one stack may be apart in their plane."""
_LONGEST_GAP = 3.5
"""Times the usual one that a gap of one stack may be long: two slices missing, and somewhat more."""
_LONGEST_GAP_MM = 40.0
_ACROSS_DEGREES = 50.0
"""Long axes are further than that from the short axis."""
_BODY_AXIS_DEGREES = 12.0


class Role(Enum):
    """What a view shows of a heart, as far as its place tells."""

    SHORT_AXIS = "short-axis"
    LONG_AXIS = "long-axis"
    TRANSVERSE = "transverse"
    OTHER = "other"


@dataclass(frozen=True)
class View:
    """A stack of parallel slices, or a single one.

    :param slices: from one end to the other, along :attr:`normal`.
    :param positions: mm along the normal, increasing from 0.
    :param normal: unit vector, LPS, right-handed with the rows and columns of most slices.
    :param remarks: on slices that were left out.
    """

    slices: tuple[SliceCine, ...]
    positions: tuple[float, ...]
    normal: np.ndarray
    content: Content
    kind: Kind
    role: Role
    remarks: tuple[Remark, ...] = ()

    @property
    def is_stack(self) -> bool:
        """Whether there are slices enough for a stack."""
        return len(self.slices) >= FEWEST_PLACES

    @property
    def is_short_axis_cine(self) -> bool:
        """Whether this is what the program is for."""
        return self.is_stack and self.content is Content.CINE and self.role is Role.SHORT_AXIS

    @property
    def is_short_axis_still(self) -> bool:
        """Whether this is one phase of it."""
        return self.is_stack and self.content is Content.STILL and self.role is Role.SHORT_AXIS

    @property
    def started(self) -> tuple[float, ...]:
        """When its first slice was acquired, to sort by."""
        return min(cine.when for cine in self.slices)


def views_of(slices: Iterable[SliceCine]) -> list[View]:
    """Views among slices, the ones most worth to be reconstructed first.

    Short-axis cines come first; of them original pictures before derived ones, then those with more slices, then the
    later ones, for a stack is repeated when something was wrong with it.
    """
    groups = defaultdict(list)
    for cine in slices:
        groups[cine.first.patient, cine.first.study, cine.first.kind, cine.content].append(cine)
    views = [view for group in groups.values() for part in _parallel(group) for view in _views(part)]
    views = _with_roles(views)
    return sorted(views, key=_rank)


def long_axes_of(views: Iterable[View], stack: View) -> tuple[View, ...]:
    """The long-axis cines of the study that a stack is from: other witnesses of the same heart."""
    return tuple(
        view
        for view in views
        if not view.is_stack
        and view.role is Role.LONG_AXIS
        and view.content is Content.CINE
        and _same_study(view, stack)
    )


def _rank(view: View) -> tuple[object, ...]:
    later = tuple(-value for value in view.started)
    contents = (Content.CINE, Content.STILL, Content.DYNAMIC)
    return (
        not view.is_short_axis_cine,
        not view.is_stack,
        contents.index(view.content),
        view.role is not Role.SHORT_AXIS,
        view.kind is not Kind.MAGNITUDE,
        -len(view.slices),
        later,
    )


def _parallel(slices: list[SliceCine]) -> list[list[SliceCine]]:
    """Slices whose normals agree, whatever their sense; around the normal that most of them have."""
    normals = np.array([cine.plane.normal for cine in slices])
    rounded, which, counts = np.unique(np.round(normals, 3), axis=0, return_inverse=True, return_counts=True)
    which = which.ravel()
    alike = np.abs(rounded @ rounded.T) / np.outer(*2 * [np.linalg.norm(rounded, axis=1)])
    close = alike >= np.cos(np.radians(1.0))
    near = alike >= np.cos(np.radians(PARALLEL_DEGREES))
    left = np.ones(len(rounded), bool)
    parts = []
    while left.any():
        leader = int(np.argmax(np.where(left, close @ (counts * left), -1)))
        members = near[leader] & left
        left &= ~members
        parts.append([slices[n] for n in np.flatnonzero(members[which])])
    return parts


def _views(slices: list[SliceCine]) -> list[View]:
    """Parallel slices, apart by where they are in their plane and along their normal, and by when."""
    normal = _common_normal(slices)
    found = []
    for beside in _side_by_side(slices, normal):
        placed = _placed(beside, normal)
        for run in _runs(placed):
            for stack in stacks_among(run):
                found += [_view(stack, normal)]
    return found


def _view(stack: Sequence[Placed], normal: np.ndarray) -> View:
    chosen, dropped = kept(stack)
    number = {id(each): n for n, each in enumerate(chosen)}
    remarks = tuple(repetition(number[id(best)], best, other) for best, other in dropped if id(best) in number)
    start = chosen[0].at
    return View(
        tuple(each.cine for each in chosen),
        tuple(each.at - start for each in chosen),
        normal,
        chosen[0].cine.content,
        chosen[0].cine.first.kind,
        Role.OTHER,
        remarks,
    )


def _common_normal(slices: Sequence[SliceCine]) -> np.ndarray:
    """The normal that most slices have (the median of each component), in the sense that most of them have."""
    normals = np.array([cine.plane.normal for cine in slices])
    signs = np.sign(normals @ normals[0])
    normal = np.median(normals * signs[:, np.newaxis], axis=0)
    normal /= np.linalg.norm(normal)
    return normal if signs.sum() >= 0 else -normal


def _side_by_side(slices: list[SliceCine], normal: np.ndarray) -> list[list[SliceCine]]:
    found: list[list[SliceCine]] = []
    for cine in slices:
        for members in found:
            offset = cine.plane.centre - members[0].plane.centre
            aside = np.linalg.norm(offset - (offset @ normal) * normal)
            if aside <= _FURTHEST_ASIDE * max(cine.plane.extent, members[0].plane.extent):
                members.append(cine)
                break
        else:
            found.append([cine])
    return found


def _placed(slices: Sequence[SliceCine], normal: np.ndarray) -> list[Placed]:
    """Where each slice meets the line along the normal through the middle of all, so that a tilt moves it little."""
    anchor = np.mean([cine.plane.centre for cine in slices], axis=0)
    placed = []
    for cine in slices:
        own = cine.plane.normal
        placed.append(Placed(cine, float((np.array(cine.plane.position) - anchor) @ own / (normal @ own))))
    return placed


def _runs(placed: list[Placed]) -> list[list[Placed]]:
    """Apart where a gap is longer than one stack has."""
    placed = sorted(placed, key=lambda each: each.at)
    gaps = np.diff([each.at for each in placed])
    usual = gaps[gaps >= nearness(placed)]
    longest = max(_LONGEST_GAP_MM, _LONGEST_GAP * float(np.median(usual))) if usual.size else _LONGEST_GAP_MM
    cuts = [0, *(np.flatnonzero(gaps > longest) + 1), len(placed)]
    return [placed[start:stop] for start, stop in pairwise(cuts)]


_APEX_TO_BASE = np.array([-0.62, 0.5456, 0.5638])
_HORIZONTAL = np.array([-0.423, 0.372, -0.825])
_VERTICAL = np.array([0.66, 0.75, 0.0])
"""Normals of the short axis, the four-chamber and the two-chamber view of a usual heart, LPS."""


def _with_roles(views: list[View]) -> list[View]:
    """What each view shows: by its angle to those of a usual heart, and where that is no help, by the other views."""
    single = [view for view in views if not view.is_stack and view.content is Content.CINE]
    roles = [_usual_role(view.normal) for view in views]
    for n, view in enumerate(views):
        if view.is_stack and view.content is Content.CINE and roles[n] in (Role.LONG_AXIS, Role.OTHER):
            across = [one for one in single if _degrees(one.normal, view.normal) > _ACROSS_DEGREES]
            if len(across) >= 2 and len(across) == len(single) and _same_study(view, across[0]):
                roles[n] = Role.SHORT_AXIS
    found = [_as(view, role) for view, role in zip(views, roles, strict=True)]
    short = [view for view in found if view.is_short_axis_cine]
    if not short:
        return found
    alone = {id(view) for view in single}
    return [
        _as(now, _single_role(now, short)) if id(before) in alone else now
        for before, now in zip(views, found, strict=True)
    ]


def _single_role(view: View, short: Sequence[View]) -> Role:
    near = [one for one in short if _same_study(one, view)] or short
    angle = _degrees(near[0].normal, view.normal)
    return Role.LONG_AXIS if angle > _ACROSS_DEGREES else Role.SHORT_AXIS if angle < 20 else Role.OTHER


def _usual_role(normal: np.ndarray) -> Role:
    if any(_degrees(np.eye(3)[axis], normal) < _BODY_AXIS_DEGREES for axis in range(3)):
        return Role.TRANSVERSE if _degrees(np.eye(3)[2], normal) < _BODY_AXIS_DEGREES else Role.OTHER
    angles = [_degrees(usual, normal) for usual in (_APEX_TO_BASE, _HORIZONTAL, _VERTICAL)]
    return Role.SHORT_AXIS if angles[0] == min(angles) else Role.LONG_AXIS


def _degrees(one: np.ndarray, other: np.ndarray) -> float:
    cosine = abs(one @ other) / (np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


def _same_study(one: View, other: View) -> bool:
    return (one.slices[0].first.patient, one.slices[0].first.study) == (
        other.slices[0].first.patient,
        other.slices[0].first.study,
    )


def _as(view: View, role: Role) -> View:
    return View(view.slices, view.positions, view.normal, view.content, view.kind, role, view.remarks)
