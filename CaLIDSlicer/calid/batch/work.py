"""One case from its input to the files of its result; whatever happens, it ends with an outcome."""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from calid.atomic import write_json
from calid.batch.case import DONE, Case, Outcome, Wanted
from calid.batch.fingerprint import Print, request_of, weights_of
from calid.batch.folder import LOG_FILE, THUMBNAIL_FILE, folder_of, hidden_folder, made_of, publish
from calid.batch.picture import write_before_after
from calid.dicom.converted import NIFTI as CONVERTED
from calid.dicom.opening import Opened, open_input
from calid.errors import CalidError, StackWarning, WeightsError
from calid.failures import explain
from calid.files.formats import NIFTI
from calid.files.writing import PROVENANCE, PROVENANCE_ROOM, PhaseWriter
from calid.measurement.body import Body
from calid.naming import naming
from calid.protocol import Event, Started, Warned
from calid.reconstruction.estimate import check_memory
from calid.stacks.check import check_stack
from calid.stacks.layout import Layout
from calid.stacks.plan import DensePlan, check_one_spacing, plan_slices
from calid.worker.run import lazy_reconstruct, peak_memory_bytes

MEASURES_FILE, SELF_CHECK_FILE, SERIES_FOLDER = "measures.json", "self_check.json", "dicom"
_MEASURED = ("edv_ml", "esv_ml", "sv_ml", "ef_percent", "mass_g")


def work(
    case: Case,
    wanted: Wanted,
    out: Path,
    request: dict[str, Any],
    reconstruct: Callable[..., Any] = lazy_reconstruct,
    redirect: Callable[[Path], Any] = lambda log: None,
) -> Outcome:
    """Make what is wanted of a case, and publish it in ``out``.

    :param request: what the run expects, :func:`~calid.batch.fingerprint.request_of`; a worker with other weights or
        another version refuses to work.
    :param redirect: sends what libraries print into the log of the case.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        folder: Path | None = None
        said = _Said(case, wanted)
        source: Print | None = None
        try:
            _check_worker(case, wanted, request)
            folder = stack.enter_context(hidden_folder(out))
            redirect(folder / LOG_FILE)
            with suppress(OSError):  # opening it tells why
                source = Print.of([Path(path) for path in case.paths])
            _Making(case, wanted, folder, said, reconstruct).make()
            outcome = Outcome(case.id, DONE)
        except (Exception, KeyboardInterrupt) as error:
            outcome = Outcome.failed(case, explain(error), wanted)
        outcome = _completed(outcome, said, started)
        try:
            if folder is not None:
                if outcome.status != DONE:
                    outcome = _without_place(outcome, folder, out)
                    _leave_the_log(folder)
                _write_log(folder / LOG_FILE, outcome)
                publish(folder, out, outcome, made_of(request, source))
        except (Exception, KeyboardInterrupt) as error:
            outcome = _completed(Outcome.failed(case, explain(error), wanted), said, started)
    return outcome


def record(case: Case, wanted: Wanted, out: Path, request: dict[str, Any], error: CalidError) -> Outcome:
    """The outcome of a case whose worker cannot tell it any more, published as far as that is possible."""
    outcome = Outcome.failed(case, error, wanted)
    with suppress(CalidError, OSError), hidden_folder(out) as folder:
        _write_log(folder / LOG_FILE, outcome)
        publish(folder, out, outcome, made_of(request, None))
    return outcome


def _check_worker(case: Case, wanted: Wanted, request: dict[str, Any]) -> None:
    if request_of(case, wanted, weights_of(wanted)) != request:
        raise WeightsError(
            "this worker has other weights or another version of calid than the run",
            "install the same calid for all workers, and name the same weights with --models",
        )


def _completed(outcome: Outcome, said: _Said, started: float) -> Outcome:
    seconds = round(time.monotonic() - started, 3)
    peak = peak_memory_bytes()
    facts = said.facts | ({} if peak is None else {"peak_memory_mb": round(peak / 2**20)})
    return replace(outcome, seconds=seconds, warnings=tuple(said.warnings), facts=facts)


def _without_place(outcome: Outcome, folder: Path, out: Path) -> Outcome:
    """A failure told of where the case would have been published, not where it was written."""
    place = str(folder_of(out, outcome.id))
    return replace(
        outcome,
        error=outcome.error.replace(str(folder), place),
        remedy=outcome.remedy.replace(str(folder), place),
    )


def _leave_the_log(folder: Path) -> None:
    """Remove what is incomplete."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOG_FILE:
            path.unlink()


def _write_log(path: Path, outcome: Outcome) -> None:
    lines = [f"warning: {text}" for text in outcome.warnings]
    if outcome.error:
        lines += [f"{outcome.kind}: {outcome.error}", f"  {outcome.remedy}"]
    lines.append(f"{outcome.status} after {outcome.seconds:.1f} s")
    with path.open("a", encoding="utf-8", errors="replace") as log:
        log.write("\n".join(lines) + "\n")


class _Said:
    """What is to be told of a case: warnings, and columns of the table."""

    def __init__(self, case: Case, wanted: Wanted) -> None:
        self._case, self._keep_names = case, wanted.keep_names
        self.warnings: list[str] = []
        self.facts: dict[str, Any] = {}

    def warn(self, text: str) -> None:
        """One sentence, once."""
        text = " ".join(text.split())
        text = text if self._keep_names else self._case.without_names(text)
        if text not in self.warnings:
            self.warnings.append(text)

    def listen(self, event: Event) -> None:
        """To the events of a reconstruction."""
        if isinstance(event, Warned):
            self.warn(event.message)
        elif isinstance(event, Started):
            self.facts |= {"model": event.model, "device": event.device, "thickness_mm": event.thickness}


class _Making:
    """The files of one case, in a folder."""

    def __init__(self, case: Case, wanted: Wanted, folder: Path, said: _Said, reconstruct: Callable[..., Any]) -> None:
        self._case, self._wanted, self._folder, self._said = case, wanted, folder, said
        self._reconstruct, self._options = reconstruct, wanted.options

    def make(self) -> None:
        """All that is wanted."""
        opened = _open(self._case)
        stack = opened.stack
        with naming(self._case.path):
            for remark in (*opened.remarks, *check_stack(stack)):
                self._said.warn(str(remark))
            phases, slices = stack.voxels.shape[:2]
            self._said.facts |= {"phases": phases, "slices": slices, "gap_mm": _rounded(float(stack.gaps.mean()))}
            self._said.facts |= {"largest_gap_mm": _rounded(float(stack.gaps.max()))}
            plan = plan_slices(stack.positions, self._options.spacing)
            check_one_spacing(plan, stack.positions, self._options.spacing)
            check_memory(stack, plan, self._options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StackWarning)  # told above
            self._said.facts["slices_dense"] = len(plan.positions)
            self._densely(opened, plan)
            if self._wanted.self_check:
                self._self_check(opened)

    def _densely(self, opened: Opened, plan: DensePlan) -> None:
        stack = opened.stack
        with ExitStack() as files:
            layout = Layout.of(stack, plan.positions)
            writer = files.enter_context(
                PhaseWriter(self._folder / _dense_file(self._case, layout), layout, {PROVENANCE: " " * PROVENANCE_ROOM})
            )
            series = files.enter_context(self._series(opened, plan)) if self._has_series(opened) else None

            def add(phase: int, dense: np.ndarray, spread: np.ndarray | None) -> None:
                writer.add(dense)
                if series is not None:
                    series.add(phase, dense)
                if phase == 0:
                    write_before_after(self._folder / THUMBNAIL_FILE, stack, dense, plan.positions)

            provenance = self._measured(opened, add) if self._wanted.measure else self._filled(opened, add)
            writer.finish({PROVENANCE: json.dumps(provenance)})
            if series is not None:
                series.finish(provenance)

    def _filled(self, opened: Opened, add: Callable[..., None]) -> dict[str, Any]:
        result = self._reconstruct(
            opened.stack, options=self._options, gather=False, progress=self._said.listen, on_phase=add
        )
        return result.provenance

    def _measured(self, opened: Opened, add: Callable[..., None]) -> dict[str, Any]:
        """Measure, and keep the reconstruction that measuring makes, unless the stack is measured as it is."""
        from calid.dicom.patient import read_patient
        from calid.measurement.measure import is_dense, measure

        stated = {} if opened.made is None else read_patient(opened.made.view)
        body, remarks = Body.of(self._case.body, stated)
        as_it_is = is_dense(opened.stack, self._options)
        found = measure(opened.stack, body=body, options=self._options, progress=self._said.listen, on_phase=add)
        for note in (*remarks, *found.notes):
            self._said.warn(note)
        write_json(self._folder / MEASURES_FILE, found.to_dict())
        for name in ("lv", "rv"):
            values = getattr(found, name)
            self._said.facts |= {f"{name}_{key}": _rounded(values[key]) for key in _MEASURED if key in values}
        return self._filled(opened, add) if as_it_is else found.provenance["reconstruction"]

    def _self_check(self, opened: Opened) -> None:
        from calid.selfcheck.check import self_check

        chosen = self._options
        result = self_check(opened.stack.phase(0), seed=chosen.seed, device=chosen.device, models=chosen.models)
        write_json(self._folder / SELF_CHECK_FILE, result.to_dict())
        mean = result.mean
        self._said.facts |= {
            "self_check_psnr_db": _rounded(mean["psnr"]),
            "self_check_gain_db": _rounded(mean["psnr"] - mean["linear_psnr"]),
        }

    def _has_series(self, opened: Opened) -> bool:
        return self._wanted.dicom and opened.made is not None and not _is_converted(opened)

    def _series(self, opened: Opened, plan: DensePlan) -> Any:
        from calid.dicom.derived import SeriesWriter

        made = plan.for_choice(self._options.acquired)
        return SeriesWriter(self._folder / SERIES_FOLDER, opened.stack, opened.require_view(), made)


def _open(case: Case) -> Opened:
    """The stack of a case; of a study in several folders, that of them all."""
    if len(case.paths) == 1:
        return open_input(case.path, case.stack)
    from calid.dicom.study import read_study

    study = read_study(case.paths)
    made = study.assemble(case.stack)
    return Opened(made.stack, tuple(study.privacy.masked(str(remark)) for remark in made.told), study, made)


def _is_converted(opened: Opened) -> bool:
    return opened.require_view().slices[0].first.syntax == CONVERTED


def _dense_file(case: Case, layout: Layout) -> str:
    """NIfTI becomes NIfTI; all else a format with room for times, thickness and provenance."""
    if case.path.name.lower().endswith(NIFTI):
        return "dense.nii.gz"
    return "dense.seq.nrrd" if layout.shape[0] > 1 else "dense.nrrd"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
