"""``calid benchmark``: measure speed and memory."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from calid.commands.common import Report, add_options, check_json
from calid.errors import ExitCode


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("benchmark", help="measure speed and memory, and compare with other diffusion methods")
    parser.set_defaults(run=run)
    add_options(parser, "device")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the numbers: .json")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, the times mean nothing")


def run(args: argparse.Namespace, report: Report) -> int:
    """Print the tables, and write the numbers if asked to."""
    if args.out is not None:
        check_json(args.out)
    from calid.benchmarking.benchmark import benchmark

    benchmark(args.device, args.out, args.quick)
    return int(ExitCode.DONE)
