"""What ``calid reconstruct STUDY OUT`` tells beside its result: the study report, and the witness of its long axes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calid.atomic import write_json
from calid.commands.common import Report, check_json, check_picture
from calid.dicom.opening import Opened, is_study
from calid.errors import UnusableInput
from calid.protocol import Witnessed
from calid.stacks.plan import DensePlan

if TYPE_CHECKING:
    from calid.dicom.long_axis import LongAxis


def add_study_outputs(add: Callable[..., Any]) -> None:
    """Declare what can be asked for.

    :param add: of a parser.
    """
    add("--dicom", type=Path, metavar="FOLDER", help="of a DICOM study, also write a derived series into a new folder")
    add("--report", type=Path, metavar="FILE", help="of a study, also print its report, and write it as JSON")
    witnesses = "of a study with long axes, also draw them beside the result cut on their planes (.png)"
    add("--witnesses", type=Path, metavar="FILE", help=witnesses)


def check_study_outputs(args: argparse.Namespace) -> None:
    """Raise ``UnusableInput`` unless what is asked for of a study can be written."""
    asked = {"--dicom": args.dicom, "--report": args.report, "--witnesses": args.witnesses}
    named = [name for name, path in asked.items() if path is not None]
    if named and not is_study(args.input):
        remedy = f"leave out {named[0]}, or pass the study"
        raise UnusableInput(f"{args.input} is no DICOM study, which {named[0]} is about", remedy)
    if args.dicom is not None:
        from calid.dicom.derived import check_series_folder

        check_series_folder(args.dicom)
    if args.report is not None:
        check_json(args.report)
    if args.witnesses is not None:
        check_picture(args.witnesses)


class StudyOutputs:
    """Listens to a result phase by phase, and tells at its end what a study has to say of it.

    ``long_axes`` are those of the study, in the phases that are reconstructed.

    :param opened: of no study, everything is silent.
    :raises UnusableInput: if a picture of witnesses is asked for and no long axis goes through the heart.
    """

    def __init__(self, args: argparse.Namespace, opened: Opened, plan: DensePlan, report: Report) -> None:
        self._args, self._opened, self._report = args, opened, report
        self._first = 0 if args.phase is None else args.phase - 1
        self._witnesses = None
        self.long_axes: list[LongAxis] = []
        if opened.study is not None and opened.made is not None:
            from calid.dicom.witnesses import Witnesses

            found = opened.study.read_long_axes(opened.made)
            self._witnesses = Witnesses(opened.made.stack, found, plan.positions)
            phases = slice(self._first, self._first + len(opened.stack.voxels))
            self.long_axes = [replace(one, voxels=one.voxels[phases]) for one in found]
        if args.witnesses is not None and not self._witnesses:
            raise UnusableInput(
                "there is no long-axis cine through the heart of this stack that can be read",
                "leave out --witnesses; calid dicom list shows what there is",
            )

    def add(self, phase: int, dense: np.ndarray) -> None:
        """Take a phase of the result, (slices, rows, columns), counted from 0."""
        if self._witnesses:
            self._witnesses.add(self._first + phase, dense)

    def finish(self) -> None:
        """All phases were added: tell, print and write."""
        study, made = self._opened.study, self._opened.made
        if study is None or made is None:
            return
        from calid.dicom.report import as_json, as_text, witnesses_as_json

        heard = self._witnesses.heard() if self._witnesses else []
        if heard and self._args.report is None:
            self._report(Witnessed(witnesses_as_json(study, heard)))
        if self._args.report is not None:
            print(as_text(study, made, heard))
            write_json(self._args.report, as_json(study, made, heard))
        if self._args.witnesses is not None:
            from calid.dicom.witness_sheet import write_witnesses

            names = [study.called(witness.long_axis.view) for witness in heard]
            write_witnesses(heard, names, self._args.witnesses)
