"""``calid reconstruct IN OUT``: make a sparse stack dense. Phases are written as they come."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calid.commands.common import FORMATS, Report, add_input, add_options, check_outputs, chosen_options, open_input
from calid.commands.study_outputs import StudyOutputs, add_study_outputs, check_study_outputs
from calid.dicom.opening import Opened
from calid.errors import ExitCode
from calid.files.writing import PROVENANCE, PROVENANCE_ROOM, PhaseWriter, lost_in
from calid.naming import naming
from calid.protocol import Done, Warned
from calid.reconstruction.estimate import check_memory
from calid.stacks.layout import Layout
from calid.stacks.plan import DensePlan, check_one_spacing, plan_slices, slice_indices
from calid.stacks.thickness import choose_thickness
from calid.worker.run import acquired_indices, peak_memory_bytes

if TYPE_CHECKING:
    from calid.dicom.derived import SeriesWriter


def add(commands: Any, reconstruct: Callable[..., Any]) -> None:
    """Declare the command, with ``reconstruct`` for its work."""
    parser = commands.add_parser("reconstruct", help="make a sparse stack dense")
    parser.set_defaults(run=partial(run, reconstruct))
    add_input(parser, "reconstruct")
    add = parser.add_argument
    add("output", type=Path, metavar="OUT", help=FORMATS)
    add_options(parser, "spacing", "samples", "steps", "detail", "thickness", "acquired", "align", "in_place")
    add("--uncertainty", type=Path, metavar="FILE", help="also write the predicted standard deviation")
    add("--mask", type=Path, metavar="FILE", help="also write a label map: 1 in synthesised slices")
    add_study_outputs(add)
    add("--progress", choices=["text", "json"], default="text", help="json: events as JSON lines on stdout")


def run(reconstruct: Callable[..., Any], args: argparse.Namespace, report: Report) -> int:
    """Everything that can be checked without a model is checked before one is loaded."""
    started = time.monotonic()
    options = chosen_options(args, uncertainty=args.uncertainty is not None)
    check_outputs([path for path in (args.output, args.uncertainty, args.mask) if path is not None], args.input)
    check_study_outputs(args)
    opened = open_input(args, report)
    stack = opened.stack
    with naming(args.input):
        plan = plan_slices(stack.positions, options.spacing)
        choose_thickness(stack, options.thickness)
        slice_indices(len(stack.positions), options.in_place)
        check_one_spacing(plan, stack.positions, options.spacing)
        check_memory(stack, plan, options)
    with ExitStack() as files:
        outputs = _Outputs(args, opened, plan, files, report)
        result = reconstruct(
            stack,
            options=options,
            long_axes=outputs.study.long_axes,
            gather=False,
            progress=report,
            on_phase=outputs.add,
        )
        outputs.finish(result.provenance)
    taken = round(time.monotonic() - started, 3)
    acquired = acquired_indices(result.synthesised)
    report(Done(plan.positions.tolist(), acquired, result.provenance, taken, peak_memory_bytes()))
    return int(ExitCode.DONE)


class _Outputs:
    """The files of a run. None of them appears before all are complete."""

    def __init__(
        self, args: argparse.Namespace, opened: Opened, plan: DensePlan, files: ExitStack, report: Report
    ) -> None:
        self._files, self._report = files, report
        stack = opened.stack
        self._dense = self._open(args.output, Layout.of(stack, plan.positions))
        self._spread = self._mask = None
        if args.uncertainty is not None:
            self._spread = self._open(args.uncertainty, Layout.of(stack, plan.positions, np.float32))
        if args.mask is not None:
            layout = Layout.of(stack.phase(0), plan.positions, np.uint8)
            self._mask = self._open(args.mask, layout)
            made = plan.for_choice(args.acquired).synthesised.astype(np.uint8)[:, np.newaxis, np.newaxis]
            self._mask.add(np.broadcast_to(made, layout.shape[1:]))
        self._series = None if args.dicom is None else self._start_series(args, opened, plan)
        with naming(args.input):
            self.study = StudyOutputs(args, opened, plan, report)

    def _start_series(self, args: argparse.Namespace, opened: Opened, plan: DensePlan) -> SeriesWriter:
        from calid.dicom.derived import SeriesWriter

        first = 0 if args.phase is None else args.phase - 1
        made = plan.for_choice(args.acquired)
        with naming(args.input):
            view = opened.require_view()
            return self._files.enter_context(SeriesWriter(args.dicom, opened.stack, view, made, first))

    def _open(self, path: Path, layout: Layout) -> PhaseWriter:
        for lost in lost_in(path, layout):
            self._report(Warned(f"{path}: {lost}"))
        return self._files.enter_context(PhaseWriter(path, layout, {PROVENANCE: " " * PROVENANCE_ROOM}))

    def add(self, phase: int, dense: np.ndarray, spread: np.ndarray | None) -> None:
        """Write the phase that comes next."""
        self._dense.add(dense)
        if self._spread is not None and spread is not None:
            self._spread.add(spread)
        if self._series is not None:
            self._series.add(phase, dense)
        self.study.add(phase, dense)

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """All phases were added."""
        for writer in (self._dense, self._spread, self._mask):
            if writer is not None:
                writer.finish({PROVENANCE: json.dumps(provenance)})
        if self._series is not None:
            self._series.finish(provenance)
        self.study.finish()
