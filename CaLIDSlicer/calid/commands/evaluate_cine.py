"""``calid evaluate-cine DATA --out report.json``: score methods on the beating heart."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from calid.commands.common import Report, add_scoring, within
from calid.errors import ExitCode


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("evaluate-cine", help="score methods on cines: held-out slices, motion and volume")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="folder with index.json, ed_es/ and cine/")
    add_scoring(parser)
    add("--jobs", type=within(int, 1), default=1, metavar="N", help="patients at a time (default: 1)")


def run(args: argparse.Namespace, report: Report) -> int:
    """Print the table and write report, tables and figures."""
    from calid.evaluation.cine.evaluate import evaluate_cine

    evaluate_cine(args.data, args.methods, args.out, args.split, args.limit, args.jobs)
    return int(ExitCode.DONE)
