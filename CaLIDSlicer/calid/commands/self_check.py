"""``calid self-check IN``: predict slices that were acquired."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from calid.atomic import write_json
from calid.commands.common import Report, add_input, check_json, read_input
from calid.errors import ExitCode
from calid.naming import naming


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("self-check", help="predict slices that were acquired: how far to trust the model")
    parser.set_defaults(run=run)
    add_input(parser, "check")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the scores: .json")


def run(args: argparse.Namespace, report: Report) -> int:
    """Print the scores, and write them if asked to."""
    if args.out is not None:
        check_json(args.out)
    stack = read_input(args, report)
    from calid.selfcheck.check import self_check

    with naming(args.input):
        result = self_check(stack, seed=args.seed, device=args.device, models=args.models, progress=report)
    if args.out is not None:
        write_json(args.out, result.to_dict())
    print(result.to_text())
    return int(ExitCode.DONE)
