"""``calid batch IN OUT``: a cohort, on the workers of this machine or of a cluster, into one table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from calid.commands.common import Report, add_options, chosen_options, within
from calid.errors import ExitCode

_CHOSEN = ("spacing", "samples", "steps", "detail", "thickness", "acquired", "align", "seed", "models", "device")


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("batch", help="reconstruct and measure a cohort")
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("input", type=Path, metavar="IN", help="folder with image files, studies and zip archives in any mix")
    add("output", type=Path, metavar="OUT", help="folder: one for each case, participants.tsv and report.html")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--pattern", metavar="GLOB", help="take what matches as the cases, such as */sax.nii.gz")
    listed = "take the cases of a table: id, path (relative to it), and stack, height_cm, weight_kg, rr_ms if wanted"
    which.add_argument("--cases", type=Path, metavar="FILE.csv", help=listed)
    add("--measure", action="store_true", help="also measure each heart")
    add("--self-check", action="store_true", help="also predict slices that were acquired, in the first phase")
    add("--dicom", action="store_true", help="of DICOM studies, also write a derived series")
    before = parser.add_mutually_exclusive_group()
    before.add_argument("--resume", action="store_true", help="make what an earlier run has not finished")
    before.add_argument("--overwrite", action="store_true", help="make again what an earlier run has made")
    add("--keep-ids", action="store_true", help="keep names of files and folders in ids, table and report")
    add("--scheduler", metavar="ADDRESS", help="of a Dask cluster that is there, such as tcp://10.0.0.1:8786")
    add("--workers", type=within(int, 1), metavar="N", help="default: as cores and memory allow; 1 needs no Dask")
    add("--threads", type=within(int, 1), metavar="N", help="of each worker (default: the cores, shared out)")
    add("--timeout", type=within(float, 1), metavar="S", help="end a case that takes longer")
    add("--retries", type=within(int, 0), default=2, metavar="N", help="of a case whose worker was lost (default: 2)")
    add_options(parser, *_CHOSEN)


def run(args: argparse.Namespace, report: Report) -> int:
    """Work on all cases, and tell what became of them."""
    from calid.batch import cohort
    from calid.batch.case import DONE, Wanted
    from calid.batch.progress import Bar
    from calid.batch.slot import Limits

    wanted = Wanted(chosen_options(args), args.measure, args.self_check, args.dicom, args.keep_ids)
    choice = cohort.Choice(args.pattern, args.cases, args.resume, args.overwrite, args.keep_ids)
    limits = Limits(args.timeout, retries=args.retries)
    manner = cohort.Manner(args.scheduler, args.workers, args.threads, limits)
    with Bar() as bar:
        outcomes = cohort.run(args.input, args.output, wanted, choice, manner, bar.begin)
    done = sum(outcome.status == DONE for outcome in outcomes)
    print(f"{done} of {len(outcomes)} cases done: {args.output / 'participants.tsv'}", file=sys.stderr)
    return int(ExitCode.DONE if done == len(outcomes) else ExitCode.PARTIAL)
