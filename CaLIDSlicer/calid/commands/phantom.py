"""``calid phantom OUT``: a beating-heart phantom, sparse and with its truth."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from calid.commands.common import FORMATS, Report, check_outputs
from calid.errors import ExitCode
from calid.files.writing import write_stack


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("phantom", help="make a beating-heart phantom, sparse and with its truth")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("output", type=Path, metavar="OUT", help=f"the sparse stack: {FORMATS}")
    add("--truth", type=Path, metavar="FILE", help="also write the dense truth")
    add("--labels", type=Path, metavar="FILE", help="also write the label map of the dense truth")
    add("--phases", type=int, default=1, help="time points of the heart beat (default: 1)")
    add("--slices", type=int, default=10, help="slices of the sparse stack (default: 10)")
    add("--gap", type=float, default=8.0, metavar="MM", help="between sparse slices (default: 8)")
    add("--pixel", type=float, default=1.4, metavar="MM", help="pixel size (default: 1.4)")
    add("--matrix", type=int, nargs=2, default=(176, 176), metavar=("ROWS", "COLUMNS"), help="default: 176 176")
    add("--noise", type=float, default=0.02, help="standard deviation relative to blood (default: 0.02)")
    add("--breath-hold-shift", type=float, default=0.0, metavar="MM", help="of each slice (default: 0)")
    add("--thickness", type=float, default=6.0, metavar="MM", help="of sparse slices (default: 6)")
    add("--dense-spacing", type=float, default=1.0, metavar="MM", help="of the truth (default: 1)")
    add("--seed", type=int, default=0, help="default: 0")


def run(args: argparse.Namespace, report: Report) -> int:
    """Write what is asked for; the phases keep their times."""
    from calid.phantom.beating_heart import Phantom

    check_outputs([path for path in (args.output, args.truth, args.labels) if path is not None])
    args.matrix = tuple(args.matrix)
    phantom = Phantom(**{option.name: getattr(args, option.name) for option in fields(Phantom)})
    write_stack(phantom.sparse, args.output)
    if args.truth is not None:
        write_stack(phantom.dense, args.truth)
    if args.labels is not None:
        write_stack(replace(phantom.dense, voxels=phantom.labels), args.labels)
    return int(ExitCode.DONE)
