"""``calid dicom list FOLDER`` shows what a study holds, ``calid dicom convert FOLDER OUT`` writes its sparse cine."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calid.atomic import write_json
from calid.commands.common import FORMATS, Report, add_stack, check_json, check_outputs, check_picture
from calid.errors import ExitCode, StackWarning, UnusableInput
from calid.files.writing import lost_in, write_stack
from calid.naming import naming
from calid.protocol import Warned
from calid.stacks.check import check_stack
from calid.stacks.layout import Layout
from calid.stacks.stack import SliceStack, common_step, is_uniform

if TYPE_CHECKING:
    from calid.dicom.assemble import Assembled

INPUT = "folder of any depth, zip archive or files of a study: DICOM, or what dcm2niix made of it"
_EVERY = 100


def add(commands: Any) -> None:
    """Declare the commands."""
    group = commands.add_parser("dicom", help="find the short-axis cine in a study").add_subparsers(
        required=True, metavar="list | convert"
    )
    lists = group.add_parser("list", help="show what a study holds")
    lists.set_defaults(run=list_study)
    lists.add_argument("input", type=Path, nargs="+", metavar="FOLDER", help=INPUT)
    lists.add_argument("--json", type=Path, metavar="FILE", help="also write the study report as JSON")
    converts = group.add_parser("convert", help="write the sparse cine of a study")
    converts.set_defaults(run=convert)
    converts.add_argument("input", type=Path, nargs="+", metavar="FOLDER", help=INPUT)
    converts.add_argument("output", type=Path, metavar="OUT", help=FORMATS)
    add_stack(converts)
    converts.add_argument("--report", type=Path, metavar="FILE", help="also write the study report as JSON")
    converts.add_argument("--sheet", type=Path, metavar="FILE", help="also draw all slices in a few phases (.png)")


def list_study(args: argparse.Namespace, report: Report) -> int:
    """Print the study report."""
    from calid.dicom.report import as_json, as_text
    from calid.dicom.study import read_study

    if args.json is not None:
        check_json(args.json)
    with _counting() as heard:
        study = read_study(args.input, heard)
    print(as_text(study))
    if args.json is not None:
        write_json(args.json, as_json(study))
    return int(ExitCode.DONE)


def convert(args: argparse.Namespace, report: Report) -> int:
    """Write a stack of a study, and on request its report and its contact sheet."""
    from calid.dicom.report import as_json, as_text
    from calid.dicom.sheet import write_sheet
    from calid.dicom.study import read_study

    check_outputs([args.output], *args.input)
    if args.report is not None:
        check_json(args.report)
    if args.sheet is not None:
        check_picture(args.sheet)
    with _counting() as heard:
        study = read_study(args.input, heard)
    made = study.assemble(args.stack)
    with naming(args.input[0]):
        _check_one_spacing(made.stack)
        for finding in check_stack(made.stack):
            report(Warned(str(finding)))
        for lost in lost_in(args.output, Layout.of(made.stack)):
            report(Warned(f"{args.output}: {lost}"))
        _write(made, args.output)
    print(as_text(study, made))
    if args.report is not None:
        write_json(args.report, as_json(study, made))
    if args.sheet is not None:
        write_sheet(made.stack, args.sheet)
    return int(ExitCode.DONE)


@contextmanager
def _counting() -> Iterator[Callable[[int], None]]:
    """Tell on a terminal how many files have been looked at, in one line that is gone afterwards."""
    shown = sys.stderr.isatty()

    def count(files: int) -> None:
        if shown and files % _EVERY == 0:
            print(f"\r{files} files", end="", file=sys.stderr, flush=True)

    try:
        yield count
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _check_one_spacing(stack: SliceStack) -> None:
    """A volume file has a single spacing; a dense one has it even where a slice is missing."""
    if not is_uniform(stack.positions):
        gaps, common = stack.gaps, common_step(stack.positions, largest=2.0)
        raise UnusableInput(
            f"its slices are {gaps.min():.4g} to {gaps.max():.4g} mm apart, and a volume file has one spacing",
            f"reconstruct the study itself: calid reconstruct STUDY OUT{f' --spacing {common:.6g}' if common else ''}",
        )


def _write(made: Assembled, output: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StackWarning)  # told above
        write_stack(made.stack, output)
