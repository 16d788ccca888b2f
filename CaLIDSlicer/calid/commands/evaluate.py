"""``calid evaluate DATA --out report.json``: score methods by the held-out-slice protocol."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from calid.commands.common import Report, add_scoring, within
from calid.errors import ExitCode


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("evaluate", help="score methods by the held-out-slice protocol")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="folder with index.json and ed_es/")
    add_scoring(parser)
    add("--every", type=within(int, 2), default=2, metavar="N", help="keep one slice in N (default: 2, the protocol)")


def run(args: argparse.Namespace, report: Report) -> int:
    """Print the table and write report, table and figures."""
    from calid.evaluation.evaluate import evaluate

    evaluate(args.data, args.methods, args.out, args.split, args.limit, args.every)
    return int(ExitCode.DONE)
