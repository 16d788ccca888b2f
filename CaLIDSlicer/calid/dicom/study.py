"""A study: what is in a folder, a list of files or an archive, and the stack that is meant.

study = read_study("export/")
stack = study.assemble().stack
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

from calid.dicom.assemble import Assembled, Tell, assemble
from calid.dicom.converted import is_converted, read_converted
from calid.dicom.headers import read_pictures
from calid.dicom.kinds import Kind
from calid.dicom.long_axis import LongAxis, read_long_axes
from calid.dicom.pictures import Picture
from calid.dicom.pixels import Pixels
from calid.dicom.privacy import Privacy
from calid.dicom.quiet import quiet
from calid.dicom.remarks import Remark, Topic, note, suspicious
from calid.dicom.slices import slices_of
from calid.dicom.sources import LeftOut, Opener, Source, find_sources
from calid.dicom.views import View, long_axes_of, views_of
from calid.dicom.words import describe, description_of, gathered, listed, numbers_of
from calid.errors import UnusableInput
from calid.naming import naming

Heard = Callable[[int], None]


@dataclass(frozen=True)
class Study:
    """What was found.

    :param path: what was opened, the first of several.
    :param files: that were looked at.
    :param views: the best first.
    :param left_out: files and pictures that are in no view, and why.
    :param remarks: on all of it.
    :param privacy: knows what patients are called.
    """

    path: Path
    files: int
    views: tuple[View, ...]
    left_out: tuple[LeftOut, ...]
    remarks: tuple[Remark, ...]
    privacy: Privacy

    @cached_property
    def stacks(self) -> tuple[View, ...]:
        """Stacks that could be reconstructed; their numbers count from 1."""
        return tuple(view for view in self.views if view.is_stack)

    @cached_property
    def single(self) -> tuple[View, ...]:
        """Views of one slice, or two."""
        return tuple(view for view in self.views if not view.is_stack)

    @cached_property
    def patients(self) -> int:
        """How many there are."""
        return len({view.slices[0].first.patient for view in self.views})

    def long_axes(self, stack: View) -> tuple[View, ...]:
        """As :func:`calid.dicom.views.long_axes_of`."""
        return long_axes_of(self.views, stack)

    def read_long_axes(self, made: Assembled) -> list[LongAxis]:
        """The long axes of the study that a stack is from, with their pixels; one that cannot be read is left out."""
        with self.privacy.masking(), Opener() as opener, quiet():
            return read_long_axes(self.long_axes(made.view), made, Pixels(opener))

    def called(self, view: View) -> str:
        """How the scanner called a view, without what patients are called: "4CH, series 50"."""
        numbers = numbers_of(view)
        name = self.privacy.masked(description_of(view)) or view.role.value
        return f"{name}, series {numbers}" if numbers else name

    def choose(self, number: int | None = None) -> tuple[int, list[Remark]]:
        """The number of the stack to take, from 1, and what is to be said of the choice.

        :param number: asked for; ``None`` takes the best short-axis cine or, if it is all there is, one phase of it.
        :raises UnusableInput: if there is none, or no way to tell which patient is meant.
        """
        with naming(self.path):
            if number is not None:
                return self._asked(number), []
            cines = [n for n, view in enumerate(self.stacks, 1) if view.is_short_axis_cine]
            if not cines and self._is_one_phase:
                text = f"There is no short-axis cine; the only stack was taken, a {describe(self.stacks[0])}."
                return 1, [note(Topic.VIEW, text)]
            if not cines:
                raise UnusableInput(f"there is no short-axis cine; {self._found()}", self._instead())
            if len({self.stacks[n - 1].slices[0].first.patient for n in cines}) > 1:
                raise UnusableInput(
                    f"{self.patients} patients are in it, with {len(cines)} short-axis cines",
                    f"choose one of them: {' or '.join(f'{{stack:{n}}}' for n in cines)}; or pass one folder for each",
                )
            others = [f"{n} ({describe(self.stacks[n - 1])})" for n in cines[1:]]
            if not others:
                return cines[0], []
            text = f"Stack 1 was taken of {len(cines)} short-axis cines; the others are {listed(others)}."
            return cines[0], [note(Topic.VIEW, text)]

    def assemble(self, number: int | None = None, tell: Tell = lambda done, of: None) -> Assembled:
        """A stack with its pixels.

        :param number: of the stack, from 1; ``None`` takes the one of :meth:`choose`.
        :param tell: takes how many slices have been read, and of how many.
        :raises UnusableInput: naming the path, if there is no such stack or it cannot be read.
        """
        chosen, remarks = self.choose(number)
        view = self.stacks[chosen - 1]
        with naming(self.path), self.privacy.masking(), Opener() as opener, quiet():
            made = assemble(view, Pixels(opener), tell)
        if view.kind is Kind.DERIVED:
            remarks.append(
                suspicious(Topic.DERIVED, "Its pictures are derived from others, not as they were acquired.")
            )
        return replace(made, remarks=(*remarks, *self.remarks, *made.remarks))

    @property
    def _is_one_phase(self) -> bool:
        """Whether there is nothing but a short-axis stack of a single phase, as after an export of end-diastole."""
        return len(self.views) == 1 and self.views[0].is_short_axis_still

    def _asked(self, number: int) -> int:
        count = len(self.stacks)
        if 1 <= number <= count:
            return number
        there = f"choose {{stack:{1 if count == 1 else f'1 to {count}'}}}" if count else self._instead()
        raise UnusableInput(f"there is no stack {number}; {self._found()}", there)

    def _found(self) -> str:
        """What there is instead of what was looked for."""
        parts = [f"stack {n} is a {describe(view)}" for n, view in enumerate(self.stacks[:6], 1)]
        if self.single:
            parts.append(f"{len(self.single)} views of one or two slices")
        parts += [f"{count} left out: {reason}" for reason, count, _ in gathered(self.left_out)[:3]]
        return f"among {self.files} files, found: {'; '.join(parts) or 'nothing'}"

    def _instead(self) -> str:
        if self.stacks:
            return "if one of the stacks is meant, name it: {stack:N}"
        return "pass the folder that the scanner or the archive exported, with all series of the short axis"


def read_study(paths: Path | str | Sequence[Path | str], heard: Heard = lambda files: None) -> Study:
    """Look at every file and find the views.

    :param paths: a folder of any depth, a zip archive, a file, or several of them.
    :param heard: takes the number of files that have been looked at; what it raises ends the search.
    :raises UnusableInput: naming the path, if it is not there or empty.
    """
    given = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(path) for path in paths]
    left_out: list[LeftOut] = []
    with naming(given[0]), Opener() as opener, quiet():
        reading = _Reading(opener, left_out, heard)
        pictures = reading.all_of(find_sources(given, left_out))
        if not reading.files:
            raise UnusableInput("there is no file in it", "pass the folder that the scanner or the archive exported")
    usable = []
    for picture in pictures:
        if picture.kind.is_usable:
            usable.append(picture)
        else:
            left_out.append(LeftOut(picture.source.name, picture.kind.value))
    views = tuple(views_of(slices_of(usable, left_out)))
    privacy = Privacy(reading.names)
    masked = tuple(replace(each, name=privacy.masked(each.name)) for each in left_out)
    return Study(given[0], reading.files, views, masked, tuple(reading.remarks + _identity(views)), privacy)


class _Reading:
    """Headers, file by file."""

    def __init__(self, opener: Opener, left_out: list[LeftOut], heard: Heard) -> None:
        self._opener, self._left_out, self._heard = opener, left_out, heard
        self.files, self.names, self.remarks = 0, set[str](), list[Remark]()

    def all_of(self, sources: Iterable[Source]) -> list[Picture]:
        """The pictures of DICOM files or, where there are none, of NIfTI files."""
        pictures, nifti, sidecars = [], [], []
        for source in sources:
            self.files += 1
            self._heard(self.files)
            if is_converted(source):
                nifti.append(source)
            elif source.name.lower().endswith(".json"):
                sidecars.append(source)
            else:
                pictures += self._one(source)
        if pictures or not nifti:
            self._left_out += [LeftOut(source.name, "NIfTI beside DICOM") for source in nifti]
            self._left_out += [LeftOut(source.name, "not DICOM") for source in sidecars]
            return pictures
        converted, self.remarks = read_converted(nifti, self._left_out)
        return converted

    def _one(self, source: Source) -> list[Picture]:
        try:
            with self._opener.open(source) as file:
                found = read_pictures(file, source, self.names)
        except (OSError, ValueError) as error:
            found = LeftOut(source.name, f"it cannot be read ({getattr(error, 'strerror', None) or error})")
        if isinstance(found, LeftOut):
            self._left_out.append(found)
            return []
        return found


def _identity(views: Sequence[View]) -> list[Remark]:
    remarks = []
    patients = {view.slices[0].first.patient for view in views}
    studies = {_study_of(view) for view in views}
    if len(patients) > 1:
        remarks.append(suspicious(Topic.IDENTITY, f"{len(patients)} patients are in it; no stack mixes them."))
    elif len(studies) > 1:
        remarks.append(note(Topic.IDENTITY, f"{len(studies)} studies are in it; no stack mixes them."))
    pictures = chain.from_iterable(cine.pictures for view in views for cine in view.slices)
    frames = {picture.frame_of_reference for picture in pictures} - {""}
    if len(frames) > len(studies):
        text = f"Its pictures name {len(frames)} frames of reference; they are taken as one, as positions say."
        remarks.append(note(Topic.IDENTITY, text))
    return remarks


def _study_of(view: View) -> tuple[str, str]:
    return view.slices[0].first.patient, view.slices[0].first.study
