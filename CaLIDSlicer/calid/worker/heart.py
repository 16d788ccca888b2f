"""Measures a heart for 3D Slicer: the numbers, as they are and as rows of a table, and the labels that were counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from calid.atomic import write_atomically
from calid.measurement.body import Body
from calid.protocol import DRAWN_FILE, Done, Event, HeartFacts, Job, Measured
from calid.stacks.stack import SliceStack

LABELS_FILE, REPORT_FILE = "labels.npy", "report.html"


def measure_heart(
    measure: Callable[..., Any], folder: Path, job: Job, stack: SliceStack, emit: Callable[[Event], None]
) -> Done:
    """Write the labels into the job folder and tell the numbers.

    :param measure: with the arguments and the result of :func:`calid.measurement.measure.measure`.
    :raises UnusableInput: for what shows no heart, or facts that cannot be.
    """
    from calid.measurement.report import to_html
    from calid.measurement.table import rows_of

    told = job.heart
    found = measure(
        stack,
        body=Body(told.height_cm, told.weight_kg, told.rr_ms),
        papillary=told.papillary,
        labels=True,
        acquired=told.acquired,
        drawn=_drawn(folder, told),
        options=job.options,
        progress=emit,
    )
    write_atomically(folder / LABELS_FILE, partial(np.save, arr=found.labels))
    page = to_html(found, told.title, told.verdict)
    write_atomically(folder / REPORT_FILE, lambda partial: partial.write_text(page, encoding="utf-8"))
    positions = found.dense_positions.tolist()
    emit(Measured(found.to_dict(), [list(row) for row in rows_of(found)], LABELS_FILE, positions, REPORT_FILE))
    return Done(positions, told.acquired or list(range(len(positions))), found.provenance)


def _drawn(folder: Path, told: HeartFacts) -> dict[int, np.ndarray]:
    if not told.drawn:
        return {}
    labels = np.load(folder / DRAWN_FILE, allow_pickle=False)
    return dict(zip(told.drawn, labels, strict=True))
