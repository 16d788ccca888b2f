"""What several commands ask for and check in the same way."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from calid.atomic import write_atomically
from calid.dicom import opening
from calid.dicom.opening import Opened
from calid.errors import UnusableInput
from calid.files.detached import files_of
from calid.files.formats import SUFFIXES
from calid.files.writing import check_writable
from calid.naming import naming
from calid.options import Options
from calid.protocol import Event, Warned
from calid.stacks.check import check_stack
from calid.stacks.stack import SliceStack

Report = Callable[[Event], None]

FORMATS = " ".join(SUFFIXES)


def add_input(parser: argparse.ArgumentParser, verb: str) -> None:
    """The stack to work on, and the model to work with."""
    kinds = f"{FORMATS}, 3D or 4D, or a folder of single slices; or a study: a folder or zip archive of DICOM"
    parser.add_argument("input", type=Path, metavar="IN", help=kinds)
    add_stack(parser)
    parser.add_argument("--phase", type=int, metavar="N", help=f"{verb} only this phase of a cine, the first being 1")
    add_options(parser, "seed", "models", "device")


def add_stack(parser: argparse.ArgumentParser) -> None:
    """Which of several stacks is meant."""
    which = "of a study, as calid dicom list counts (default: the short-axis cine)"
    parser.add_argument("--stack", type=within(int, 1), metavar="N", help=which)


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Some of :class:`~calid.options.Options`, by their own names."""
    declared = {each.name: each for each in fields(Options)}
    for name in names:
        about = declared[name].metadata
        default = "" if declared[name].default in (None, ()) else f" (default: {declared[name].default})"
        shown = {key: about[key] for key in ("metavar", "choices") if key in about}
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_whole_numbers if about["kind"] is tuple else about["kind"],
            default=declared[name].default,
            help=about["help"] + default,
            **shown,
        )


def _whole_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers: write it as 3,5") from error


def chosen_options(args: argparse.Namespace, **others: Any) -> Options:
    """The options that the command declared, and ``others``.

    :raises UnusableInput: for one out of range.
    """
    named = {each.name: getattr(args, each.name) for each in fields(Options) if hasattr(args, each.name)}
    with naming(args.input):
        return Options(**{**named, **others})


def add_scoring(parser: argparse.ArgumentParser) -> None:
    """Which methods to score on which patients, and where the report goes."""
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="FILE", help="report.json; tables and figures go beside it")
    add("--methods", nargs="+", default=["linear", "calid"], metavar="NAME", help="default: linear calid")
    add("--split", default="validation", help="patients to score (default: validation)")
    add("--limit", type=within(int, 1), metavar="N", help="only the first N patients")


def read_input(args: argparse.Namespace, report: Report) -> SliceStack:
    """The stack that ``add_input`` asked for; tells what is odd about it.

    :raises UnusableInput: naming the file, if it cannot be used, or has no such phase.
    """
    return open_input(args, report).stack


def open_input(args: argparse.Namespace, report: Report) -> Opened:
    """The same, with the study that the stack is from."""
    opened = opening.open_input(args.input, args.stack)
    with naming(args.input):
        if args.phase is not None:
            opened = replace(opened, stack=_phase(opened.stack, args.phase))
        for warning in (*opened.remarks, *check_stack(opened.stack)):
            report(Warned(f"{args.input}: {warning}"))
    return opened


def _phase(stack: SliceStack, phase: int) -> SliceStack:
    count = len(stack.voxels)
    if not 1 <= phase <= count:
        raise UnusableInput(f"there is no phase {phase}", f"choose a phase from 1 to {count}")
    return stack.phase(phase - 1)


def check_outputs(outputs: Sequence[Path], *inputs: Path) -> None:
    """Raise ``UnusableInput`` unless every output can be written and is named once, whatever its name is."""
    read = [part for path in inputs for part in _parts(path)]
    for number, path in enumerate(outputs):
        for others, why in ((read, ": inputs are not overwritten"), (outputs[:number], "")):
            if (same := next((other for other in others if _are_same(path, other)), None)) is not None:
                twice = "is named twice" if path in inputs or others is not read else "belongs to the input"
                named = twice if path == same else f"and {same} are the same file"
                raise UnusableInput(f"{path} {named}", f"give {path.name} a name of its own{why}")
    for path in outputs:
        check_writable(path)


def _parts(path: Path) -> list[Path]:
    """An input, and the files in it if it is a folder, or beside it if its header names one."""
    try:
        return [path, *path.iterdir()] if path.is_dir() else files_of(path)
    except (OSError, ValueError):  # it is told when it is read
        return [path]


def _are_same(one: Path, other: Path) -> bool:
    """Whether two names lead to one file: by links, mounts, or other spellings."""
    try:
        if one.exists() and other.exists():
            return os.path.samefile(one, other)
        first, second = (Path(os.path.realpath(path)) for path in (one, other))  # of a loop of links too
        return first == second or (one.name == other.name and os.path.samefile(first.parent, second.parent))
    except (OSError, ValueError):  # one of them cannot be a file, which is told when it is opened
        return one == other


def within(kind: Callable[[str], Any], low: float, high: float = math.inf) -> Callable[[str], Any]:
    """The ``type`` of a numeric argument that has a range."""

    def parse(text: str) -> Any:
        value = kind(text)
        if not low <= value <= high or not math.isfinite(value):
            limits = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
            raise argparse.ArgumentTypeError(f"{text} is out of range: choose a number {limits}")
        return value

    parse.__name__ = kind.__name__  # what is no number at all is called by it
    return parse


def check_json(path: Path) -> None:
    """Raise ``UnusableInput`` unless ``path`` is a .json file that can be written."""
    if path.suffix != ".json" or not path.parent.is_dir():
        raise UnusableInput(f"{path} cannot be written", "name a .json file in a folder that exists")
    write_atomically(path, lambda partial: None, keep=False)


def check_picture(path: Path) -> None:
    """Raise ``UnusableInput`` unless ``path`` is a .png file that can be written."""
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise UnusableInput(f"{path} cannot be written", "name a .png file in a folder that exists")
    write_atomically(path, lambda partial: None, keep=False)
