"""``calid evaluate-dense DATA --out report.json``: score methods between the slices, where the heart is known."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from calid.commands.common import Report, check_json
from calid.errors import ExitCode

_METHODS = ["linear", "axial-filter", "registration", "calid"]
_SETTINGS = ["10/8", "10/8+", "7.5/6", "5/5"]


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("evaluate-dense", help="score methods on hearts that are known at every position")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="folder of heartNNN_sax.nii.gz, dense volumes, base first")
    add("--out", type=Path, required=True, metavar="FILE", help="report.json; table and figures go beside it")
    add("--methods", nargs="+", default=_METHODS, metavar="NAME", help=f"default: {' '.join(_METHODS)}")
    settings = "mm, + for shifted and noisy slices"
    add("--settings", nargs="+", default=_SETTINGS, metavar="DISTANCE/THICKNESS", help=settings)
    add("--cases", nargs="+", default=[], metavar="NNN", help="numbers of hearts (default: all)")
    add("--real", nargs="+", default=[], type=Path, metavar="STACK", help="stacks without truth, to picture")


def run(args: argparse.Namespace, report: Report) -> int:
    """Print the table and write report, table and figures."""
    check_json(args.out)
    from calid.evaluation.dense.evaluate import evaluate_dense

    evaluate_dense(args.data, args.methods, args.out, args.settings, args.cases, args.real)
    return int(ExitCode.DONE)
