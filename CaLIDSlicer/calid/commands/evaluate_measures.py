"""``calid evaluate-measures DATA --out report.json``: volumes, function and mass against experts' labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from calid.commands.common import Report, add_options, check_json, within
from calid.errors import ExitCode
from calid.options import Options


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("evaluate-measures", help="hold measures against those of experts' labels")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="folder with index.json and ed_es/")
    add("--out", type=Path, required=True, metavar="FILE", help="report.json; table and figures go beside it")
    add("--split", default="validation", help="patients to measure (default: validation)")
    add("--limit", type=within(int, 1), metavar="N", help="only the first N patients")
    add_options(parser, "spacing", "models", "device")


def run(args: argparse.Namespace, report: Report) -> int:
    """Print the tables and write report, table and figures."""
    check_json(args.out)
    options = Options(spacing=args.spacing, models=args.models, device=args.device)
    from calid.evaluation.measures.evaluate import evaluate_measures

    evaluate_measures(args.data, args.out, args.split, args.limit, options)
    return int(ExitCode.DONE)
