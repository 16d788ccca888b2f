"""The study report: what is there, what was made of it, what was corrected and what looks wrong; as text and as JSON.

Nothing in it says who the patient is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from calid.dicom.assemble import Assembled
from calid.dicom.remarks import Level, Remark
from calid.dicom.slices import Content, SliceCine
from calid.dicom.sources import LeftOut
from calid.dicom.study import Study
from calid.dicom.views import View
from calid.dicom.witnesses import Witness
from calid.dicom.words import describe, description_of, gathered, numbers_of

FORMAT = "calid study report 1"


def as_json(study: Study, made: Assembled | None = None, witnesses: Sequence[Witness] = ()) -> dict[str, Any]:
    """The report as a JSON object; lengths in mm, times in ms, slices and phases counted from 0.

    :param made: the stack that was assembled, if one was.
    :param witnesses: of what was reconstructed of it.
    """
    report: dict[str, Any] = {
        "format": FORMAT,
        "files": study.files,
        "patients": study.patients,
        "stacks": [{"number": n, **_view(study, view)} for n, view in enumerate(study.stacks, 1)],
        "views": [_view(study, view) for view in study.single],
        "left_out": _left_out(study, study.left_out),
        "remarks": _remarks(study, study.remarks),
    }
    if made is not None:
        report["assembled"] = _assembled(study, made)
    if witnesses:
        report["witnesses"] = witnesses_as_json(study, witnesses)
    return report


def as_text(study: Study, made: Assembled | None = None, witnesses: Sequence[Witness] = ()) -> str:
    """The report in lines for people; slices and phases are counted from 1."""
    lines = [f"{study.files} files, {_count(study.patients, 'patient')}"]
    for number, view in enumerate(study.stacks, 1):
        lines += ["", f"stack {number}: {describe(view)}", *_indented(_details(study, view))]
        lines += _indented(_told(study, view.remarks if made is None else ()))
    if study.single:
        lines += ["", "other views:"]
        lines += [f"  {describe(view)}{_series(study, view)}" for view in study.single]
    if study.left_out:
        lines += ["", "left out:"]
        lines += [
            f"  {count} x {reason}: {', '.join(names)}{', …' * (count > len(names))}"
            for reason, count, names in gathered(study.left_out)
        ]
    remarks = study.remarks if made is None else made.remarks
    lines += [""] * bool(remarks) + _told(study, remarks)
    if witnesses:
        lines += ["", *witnesses_in_words(witnesses_as_json(study, witnesses))]
    return "\n".join(lines)


def witnesses_as_json(study: Study, witnesses: Iterable[Witness]) -> list[dict[str, Any]]:
    """How each long axis agrees with the result, and with linear interpolation before it."""
    return [
        {
            "view": study.called(witness.long_axis.view),
            "phases": len(witness.acquired),
            "pixels": int(witness.region.sum()),
            **{
                when: {name: _rounded(value) for name, value in asdict(agreement).items()}
                for when, agreement in zip(("before", "after"), witness.agreements, strict=True)
            },
        }
        for witness in witnesses
    ]


def witnesses_in_words(views: Iterable[dict[str, Any]]) -> list[str]:
    """The same in lines for people.

    :param views: of :func:`witnesses_as_json`.
    """
    return [
        "long axes as witnesses, each another breath-hold (1 is full agreement; before: linear interpolation):",
        *(
            f"  {view['view']}: correlation {_change(view, 'correlation')}, "
            f"of edges {_change(view, 'gradient_correlation')}"
            for view in views
        ),
    ]


def _change(view: dict[str, Any], name: str) -> str:
    values = (view[when][name] for when in ("before", "after"))
    before, after = ("unknown" if value is None else f"{value:.3f}" for value in values)
    return f"{before} before, {after} after"


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def _view(study: Study, view: View) -> dict[str, Any]:
    first = view.slices[0].first
    return {
        "what": describe(view),
        "role": view.role.value,
        "content": view.content.value,
        "kind": view.kind.value,
        "series": sorted({n for cine in view.slices if (n := cine.first.series_number) is not None}),
        "description": study.privacy.masked(description_of(view)),
        "matrix": list(first.plane.shape),
        "pixel_mm": list(first.plane.spacing),
        "positions_mm": [round(position, 4) for position in view.positions],
        "gaps_mm": [round(float(gap), 4) for gap in np.diff(view.positions)],
        "thickness_mm": first.thickness,
        "normal_lps": [round(float(part), 6) for part in view.normal],
        "phases": [len(cine.pictures) for cine in view.slices],
        "rr_ms": [None if cine.timing.cycle is None else round(cine.timing.cycle, 2) for cine in view.slices],
        "ordered_by": sorted({cine.order.value for cine in view.slices}),
        "remarks": _remarks(study, view.remarks),
    }


def _assembled(study: Study, made: Assembled) -> dict[str, Any]:
    stack, times = made.stack, made.stack.times
    return {
        "what": describe(made.view),
        "shape": list(stack.voxels.shape),
        "dtype": str(stack.voxels.dtype),
        "frame_lps": stack.frame.tolist(),
        "positions_mm": [round(float(position), 4) for position in stack.positions],
        "times_ms": None if times is None else [round(1000 * time, 4) for time in times],
        "thickness_mm": stack.thickness,
        "long_axes": len(study.long_axes(made.view)),
        "remarks": _remarks(study, made.remarks),
        "left_out": _left_out(study, made.left_out),
    }


def _left_out(study: Study, pictures: Iterable[LeftOut]) -> list[dict[str, Any]]:
    return [
        {"reason": reason, "count": count, "examples": [study.privacy.masked(name) for name in names]}
        for reason, count, names in gathered(pictures)
    ]


def _remarks(study: Study, remarks: Iterable[Remark]) -> list[dict[str, Any]]:
    return [
        {
            "topic": remark.topic.value,
            "level": remark.level.value,
            "text": study.privacy.masked(remark.text),
            "slices": list(remark.slices),
        }
        for remark in remarks
    ]


def _details(study: Study, view: View) -> list[str]:
    first, gaps = view.slices[0].first, np.diff(view.positions)
    rows, columns = first.plane.shape
    apart = f"{round(float(gaps.mean()), 2):g}" if np.ptp(gaps) < 0.05 else f"{gaps.min():.4g} to {gaps.max():.4g}"
    thick = f", {first.thickness:g} mm thick" if first.thickness else ""
    lines = [f"{columns} x {rows} pixels of {first.plane.spacing[1]:.4g} mm, slices {apart} mm apart{thick}"]
    if view.content is Content.CINE:
        orders = " and ".join(sorted({cine.order.value for cine in view.slices}))
        lines.append(f"phases by {orders}; R-R {_intervals(view.slices)}")
    return [*lines, *([series] if (series := _series(study, view).strip(" ()")) else [])]


def _intervals(slices: Sequence[SliceCine]) -> str:
    known = [cine.timing.cycle for cine in slices if cine.timing.cycle is not None]
    if not known:
        return "unknown"
    return f"{min(known):.0f} ms" if max(known) - min(known) < 1 else f"{min(known):.0f} to {max(known):.0f} ms"


def _series(study: Study, view: View) -> str:
    numbers, called = numbers_of(view), study.privacy.masked(description_of(view))
    parts = [f"series {numbers}" if numbers else "", called]
    return f" ({', '.join(part for part in parts if part)})" if any(parts) else ""


def _told(study: Study, remarks: Iterable[Remark]) -> list[str]:
    order = (Level.SUSPICIOUS, Level.CORRECTED, Level.NOTE)
    ranked = sorted(remarks, key=lambda remark: order.index(remark.level))
    return [f"{remark.level.value}: {study.privacy.masked(remark.text)}" for remark in ranked]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
