"""The command line.

``calid reconstruct | measure | batch | dicom | self-check | phantom | evaluate | evaluate-cine | evaluate-dense |
evaluate-measures | benchmark | train``.

Everything that is cheap to check is checked before a model is loaded. Exit codes: :class:`calid.errors.ExitCode`.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from calid.commands import (
    batch,
    benchmark,
    dicom,
    evaluate,
    evaluate_cine,
    evaluate_dense,
    evaluate_measures,
    measure,
    phantom,
    self_check,
    train,
)
from calid.commands import reconstruct as reconstruct_command
from calid.commands.reporting import fail, reporter
from calid.failures import explain
from calid.version import __version__
from calid.worker.run import lazy_reconstruct


def main(argv: Sequence[str] | None = None, reconstruct: Callable[..., Any] = lazy_reconstruct) -> int:
    """Run one command, with ``reconstruct`` for the work of the first; returns the exit code."""
    args = _parser(reconstruct).parse_args(argv)
    with _termination_as_interrupt(), reporter(getattr(args, "progress", "text")) as report:
        try:
            return args.run(args, report)
        except (Exception, KeyboardInterrupt) as error:
            return fail(report, explain(error))


def _parser(reconstruct: Callable[..., Any]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="calid",
        description="Fill the gaps of sparse short-axis cardiac MR stacks by latent diffusion. Research use only.",
    )
    parser.add_argument("--version", action="version", version=f"calid {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    reconstruct_command.add(commands, reconstruct)
    evaluations = (evaluate, evaluate_cine, evaluate_dense, evaluate_measures)
    for command in (measure, batch, dicom, self_check, phantom, *evaluations, benchmark, train):
        command.add(commands)
    return parser


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM unwind the stack like Ctrl-C, so that temporary files are removed."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread: signals are someone else's business
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
