"""The command line: ``calid reconstruct | self-check | phantom | evaluate | benchmark | train``.

Everything that is cheap to check is checked before a model is loaded. Exit codes: :class:`calid.errors.ExitCode`.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from calid import __version__
from calid.atomic import write_atomically
from calid.errors import ExitCode, UnusableInput
from calid.failures import explain
from calid.files import check_writable, read_stack, write_stack
from calid.plan import plan_slices
from calid.protocol import Done, Event
from calid.reporting import fail, reporter
from calid.stack import SliceStack, common_step, is_uniform
from calid.worker import acquired_indices, lazy_reconstruct, peak_memory_bytes

Report = Callable[[Event], None]


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
    _add_reconstruct(commands, reconstruct)
    _add_self_check(commands)
    _add_phantom(commands)
    _add_evaluate(commands)
    _add_benchmark(commands)
    _add_train(commands)
    return parser


def _add_reconstruct(commands: Any, reconstruct: Callable[..., Any]) -> None:
    parser = commands.add_parser("reconstruct", help="make a sparse stack dense")
    parser.set_defaults(run=partial(_reconstruct, reconstruct))
    add = parser.add_argument
    add("input", type=Path, metavar="IN", help=".nii .nii.gz .nrrd .mha, 3D or 4D, or a folder of single slices")
    add("output", type=Path, metavar="OUT", help=".nii .nii.gz .nrrd .mha")
    add("--spacing", type=float, default=2.0, metavar="MM", help="largest distance between slices (default: 2)")
    add("--samples", type=int, metavar="N", help="draws of the sampler, whose mean is written")
    add("--steps", type=int, metavar="N", help="denoising steps of one draw")
    add("--seed", type=int, default=0, metavar="N", help="of the sampler (default: 0)")
    add("--detail", type=float, metavar="0..1", help="0: the mean, blurred and nearest to the truth; 1: sharp")
    add("--fill", choices=["direct", "autoregressive"], help="order in which the missing slices are made")
    add("--uncertainty", type=Path, metavar="FILE", help="also write the predicted standard deviation")
    add("--mask", type=Path, metavar="FILE", help="also write a label map: 1 in synthesised slices")
    add("--phase", type=int, metavar="N", help="reconstruct only this phase of a cine, counted from 0")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    add("--models", type=Path, metavar="DIR", help="folder of model weights (default: the bundled ones)")
    add("--progress", choices=["text", "json"], default="text", help="json: events as JSON lines on stdout")


def _reconstruct(reconstruct: Callable[..., Any], args: argparse.Namespace, report: Report) -> int:
    started = time.monotonic()
    stack = _checked_input(args)
    result = reconstruct(
        stack,
        args.spacing,
        samples=args.samples,
        steps=args.steps,
        seed=args.seed,
        fill=args.fill,
        detail=args.detail,
        device=args.device,
        uncertainty=args.uncertainty is not None,
        models=args.models,
        progress=report,
    )
    _write_result(args, result)
    seconds = round(time.monotonic() - started, 3)
    acquired = acquired_indices(result.synthesised)
    report(Done(result.stack.positions.tolist(), acquired, result.provenance, seconds, peak_memory_bytes()))
    return int(ExitCode.DONE)


def _checked_input(args: argparse.Namespace) -> SliceStack:
    """The stack to reconstruct, after everything that can be checked without a model has been."""
    outputs = [path for path in (args.output, args.uncertainty, args.mask) if path is not None]
    _check_outputs(outputs, args.input)
    stack = read_stack(args.input)
    if args.phase is not None:
        stack = _phase(args.input, stack, args.phase)
    _check_one_spacing(args.input, stack, args.spacing)
    return stack


def _check_outputs(outputs: Sequence[Path], *inputs: Path) -> None:
    paths = [*inputs, *outputs]
    if len({path.resolve() for path in paths}) < len(paths):
        raise UnusableInput(f"{outputs[0]}: a file is named twice", "give every input and output its own file")
    for path in outputs:
        check_writable(path)


def _phase(path: Path, stack: SliceStack, phase: int) -> SliceStack:
    count = len(stack.voxels)
    if not 0 <= phase < count:
        raise UnusableInput(f"{path}: there is no phase {phase}", f"choose a phase from 0 to {count - 1}")
    return stack.phase(phase)


def _check_one_spacing(path: Path, stack: SliceStack, spacing: float) -> None:
    """Unequal gaps are planned each by its own length, but a volume file has a single spacing."""
    try:
        plan = plan_slices(stack.positions, spacing)
    except UnusableInput as error:
        raise UnusableInput(f"{path}: {error}", error.remedy) from error
    if is_uniform(plan.positions):
        return
    steps, common = np.diff(plan.positions), common_step(stack.positions, largest=spacing)
    raise UnusableInput(
        f"{path}: a volume file has one spacing, but the gaps split into steps of {steps.min():.4g} to "
        f"{steps.max():.4g} mm",
        f"use --spacing {common:.6g}" if common else "leave out slices until the gaps are equal",
    )


def _write_result(args: argparse.Namespace, result: Any) -> None:
    dense = result.stack
    metadata = {"calid_provenance": json.dumps(result.provenance)}
    write_stack(dense, args.output, metadata)
    if args.uncertainty is not None:
        write_stack(replace(dense, voxels=result.uncertainty), args.uncertainty, metadata)
    if args.mask is not None:
        made = np.asarray(result.synthesised, dtype=np.uint8)[np.newaxis, :, np.newaxis, np.newaxis]
        mask = np.ascontiguousarray(np.broadcast_to(made, (1, *dense.voxels.shape[1:])))
        write_stack(SliceStack(mask, dense.frame, dense.positions), args.mask, metadata)


def _add_self_check(commands: Any) -> None:
    parser = commands.add_parser("self-check", help="predict slices that were acquired: how far to trust the model")
    parser.set_defaults(run=_self_check)
    add = parser.add_argument
    add("input", type=Path, metavar="IN", help=".nii .nii.gz .nrrd .mha, 3D or 4D, or a folder of single slices")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    add("--seed", type=int, default=0, metavar="N", help="of the sampler (default: 0)")
    add("--phase", type=int, metavar="N", help="check only this phase of a cine, counted from 0")
    add("--models", type=Path, metavar="DIR", help="folder of model weights (default: the bundled ones)")
    add("--out", type=Path, metavar="FILE", help="also write the scores: .json")


def _self_check(args: argparse.Namespace, report: Report) -> int:
    if args.out is not None:
        _check_json(args.out)
    stack = read_stack(args.input)
    if args.phase is not None:
        stack = _phase(args.input, stack, args.phase)
    from calid.selfcheck import self_check

    try:
        result = self_check(stack, seed=args.seed, device=args.device, models=args.models, progress=report)
    except UnusableInput as error:
        raise UnusableInput(f"{args.input}: {error}", error.remedy) from error
    if args.out is not None:
        text = json.dumps(result.to_dict(), indent=1) + "\n"
        write_atomically(args.out, lambda partial: partial.write_text(text, encoding="utf-8"))
    print(result.to_text())
    return int(ExitCode.DONE)


def _check_json(path: Path) -> None:
    if path.suffix != ".json" or not path.parent.is_dir():
        raise UnusableInput(f"{path} cannot be written", "name a .json file in a folder that exists")
    write_atomically(path, lambda partial: None, keep=False)


def _add_phantom(commands: Any) -> None:
    parser = commands.add_parser("phantom", help="make a beating-heart phantom, sparse and with its truth")
    parser.set_defaults(run=_phantom)
    add = parser.add_argument
    add("output", type=Path, metavar="OUT", help="the sparse stack: .nii .nii.gz .nrrd .mha")
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


def _phantom(args: argparse.Namespace, report: Report) -> int:
    from calid.phantom import Phantom

    outputs = [path for path in (args.output, args.truth, args.labels) if path is not None]
    _check_outputs(outputs)
    args.matrix = tuple(args.matrix)
    phantom = Phantom(**{option.name: getattr(args, option.name) for option in fields(Phantom)})
    write_stack(phantom.sparse, args.output)
    if args.truth is not None:
        write_stack(phantom.dense, args.truth)
    if args.labels is not None:
        write_stack(replace(phantom.dense, voxels=phantom.labels), args.labels)
    return int(ExitCode.DONE)


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="score methods by the held-out-slice protocol")
    parser.set_defaults(run=_evaluate)
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="folder with index.json and ed_es/")
    add("--out", type=Path, required=True, metavar="FILE", help="report.json; tables and figures go beside it")
    add("--methods", nargs="+", default=["linear", "calid"], metavar="NAME", help="default: linear calid")
    add("--split", default="validation", help="patients to score (default: validation)")
    add("--limit", type=int, metavar="N", help="only the first N patients")
    add("--every", type=int, default=2, metavar="N", help="keep one slice in N (default: 2, the protocol)")


def _evaluate(args: argparse.Namespace, report: Report) -> int:
    from calid.evaluate import evaluate

    evaluate(args.data, args.methods, args.out, args.split, args.limit, args.every)
    return int(ExitCode.DONE)


def _add_benchmark(commands: Any) -> None:
    parser = commands.add_parser("benchmark", help="measure speed and memory, and compare with other diffusion methods")
    parser.set_defaults(run=_benchmark)
    add = parser.add_argument
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    add("--out", type=Path, metavar="FILE", help="also write the numbers: .json")
    add("--quick", action="store_true", help="tiny sizes: shows that it works, the times mean nothing")


def _benchmark(args: argparse.Namespace, report: Report) -> int:
    if args.out is not None:
        _check_json(args.out)
    from calid.benchmark import benchmark

    benchmark(args.device, args.out, args.quick)
    return int(ExitCode.DONE)


def _add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train a stage of the model, or publish the result", add_help=False)
    parser.set_defaults(run=_train)
    parser.add_argument(
        "stage",
        choices=[
            *("autoencoder", "decoder", "motion", "context", "denoiser", "deviation", "publish"),
            *("segmentation", "unet", "pixel-diffusion"),
        ],
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="CONFIG --data DIR ...; see calid train STAGE -h")


def _train(args: argparse.Namespace, report: Report) -> int:
    return import_module(f"calid.training.{args.stage.replace('-', '_')}").main(args.arguments)


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
