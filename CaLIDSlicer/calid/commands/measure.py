"""``calid measure IN OUT``: volumes, function, mass and wall thickness, of a stack, a cine or a study."""

from __future__ import annotations

import argparse
import json
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calid.atomic import write_atomically, write_json
from calid.commands.common import (
    FORMATS,
    Report,
    add_input,
    add_options,
    check_outputs,
    chosen_options,
    open_input,
)
from calid.dicom.patient import read_patient
from calid.errors import ExitCode, StackWarning, UnusableInput
from calid.files.writing import PhaseWriter
from calid.measurement.body import Body
from calid.measurement.papillary import CONVENTIONS
from calid.naming import naming
from calid.protocol import Warned
from calid.stacks.layout import Layout

if TYPE_CHECKING:
    from calid.measurement.result import Measurement

SUFFIXES = (".json", ".csv")


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("measure", help="volumes, ejection fraction, mass and wall thickness")
    parser.set_defaults(run=run)
    add_input(parser, "measure")
    add = parser.add_argument
    add("output", type=Path, metavar="OUT", help=" or ".join(SUFFIXES))
    add_options(parser, "spacing", "thickness", "align", "in_place")
    add("--height", type=float, metavar="CM", help="of the patient (default: what a study says)")
    add("--weight", type=float, metavar="KG", help="of the patient (default: what a study says)")
    add("--rr", type=float, metavar="MS", help="from one heart beat to the next (default: what a study says)")
    papillary = "where papillary muscles count (default: cavity)"
    add("--papillary", choices=list(CONVENTIONS), default="cavity", help=papillary)
    add("--report", type=Path, metavar="FILE", help="also write a page with pictures: .html")
    surfaces = "also write closed surfaces as STL, for each phase and chamber a file, into a folder"
    add("--surfaces", type=Path, metavar="FOLDER", help=surfaces)
    add("--labels", type=Path, metavar="FILE", help=f"also write the label maps: {FORMATS}")


def run(args: argparse.Namespace, report: Report) -> int:
    """Print the numbers and write them."""
    options = chosen_options(args)
    typed = {"height_cm": args.height, "weight_kg": args.weight, "rr_ms": args.rr}
    with naming(args.input):
        Body(**typed)  # what was typed wrongly is told before a study is read
    _check_outputs(args)
    opened = open_input(args, report)
    stated = {} if opened.made is None else read_patient(opened.made.view)
    from calid.measurement.measure import measure, measured_positions
    from calid.measurement.table import to_text

    with naming(args.input):
        body, remarks = Body.of(typed, stated)
        layout = None
        if args.labels is not None:
            layout = Layout.of(opened.stack, measured_positions(opened.stack, options), np.uint8)
        with warnings.catch_warnings():  # opening has told what is odd about the stack
            warnings.simplefilter("ignore", StackWarning)
            found = measure(
                opened.stack,
                body=body,
                papillary=args.papillary,
                labels=layout is not None,
                options=options,
                progress=report,
            )
    for note in (*remarks, *found.notes):
        report(Warned(f"{args.input}: {note}"))
    if layout is not None:
        _write_labels(args.labels, layout, found)
    _write_numbers(args.output, found)
    if args.report is not None:
        from calid.measurement.report import to_html

        write_atomically(args.report, partial(_write, to_html(found, args.report.stem)))
    if args.surfaces is not None:
        from calid.measurement.surfaces import write_surfaces

        write_surfaces(found, opened.stack.frame, args.surfaces)
    print(to_text(found))
    return int(ExitCode.DONE)


def _write_labels(path: Path, layout: Layout, found: Measurement) -> None:
    with PhaseWriter(path, layout, {"calid_provenance": json.dumps(found.provenance)}) as writer:
        for phase in found.labels if found.labels is not None else ():
            writer.add(phase)
        writer.finish()


def _write_numbers(path: Path, found: Measurement) -> None:
    from calid.measurement.table import to_csv

    if path.suffix.lower() == ".json":
        write_json(path, found.to_dict())
    else:
        write_atomically(path, partial(_write, to_csv(found)))


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", newline="")


def _check_outputs(args: argparse.Namespace) -> None:
    if args.output.suffix.lower() not in SUFFIXES:
        raise UnusableInput(f"{args.output} cannot be written", f"name a file that ends in {' or '.join(SUFFIXES)}")
    if not args.output.parent.is_dir():
        raise UnusableInput(f"{args.output} cannot be written", "name a file in a folder that exists")
    if args.report is not None and args.report.suffix.lower() not in (".html", ".htm"):
        raise UnusableInput(f"{args.report} cannot be written", "name a file that ends in .html for --report")
    if args.surfaces is not None:
        from calid.measurement.surfaces import check_surfaces

        check_surfaces()
        if args.surfaces.is_file() or not args.surfaces.absolute().parent.is_dir():
            raise UnusableInput(f"{args.surfaces} cannot be made", "name a folder in one that exists, for --surfaces")
    if args.labels is not None:
        check_outputs([args.labels], args.input)
    for path in filter(None, (args.output, args.report)):
        write_atomically(path, lambda partial: None, keep=False)
