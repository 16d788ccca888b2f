"""What is said of the order, the heart beats and the places of slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from calid.dicom.reading import Frames
from calid.dicom.remarks import Remark, Topic, corrected, note, suspicious
from calid.dicom.slices import Content, Order
from calid.stacks.check import MULTIPLE_TOLERANCE
from calid.stacks.findings import counted
from calid.stacks.stack import POSITION_TOLERANCE_MM

_ROUNDED = 0.01
"""Of the usual gap that a slice may be away from an even place: scanners round, and patients do not notice."""
_OTHER_INTERVAL = 0.2
_UNSTEADY = 0.15
"""Of the R-R interval: a standard deviation as large as that is an arrhythmia."""


def order_remarks(slices: Sequence[Frames]) -> list[Remark]:
    """By what the phases were ordered."""
    if all(each.cine.content is Content.STILL for each in slices):
        return []
    orders = Counter(each.cine.order for each in slices)
    if set(orders) == {Order.TRIGGER}:
        return [note(Topic.ORDER, "Phases are ordered by trigger time.")]
    said = " and ".join(f"{order.value} ({count} slices)" for order, count in orders.most_common())
    remarks = [corrected(Topic.ORDER, f"Trigger times are missing; phases are ordered by {said}.")]
    if swapped := [number for number, each in enumerate(slices) if each.is_reordered]:
        text = (
            f"Content times and instance numbers disagree in slices {counted(swapped)}; by instance number the heart "
            "moves more smoothly, so that was taken."
        )
        remarks.append(corrected(Topic.ORDER, text, *swapped))
    return remarks


def interval_remarks(slices: Sequence[Frames]) -> list[Remark]:
    """How long the heart beats were."""
    cycles = [each.cine.timing.cycle for each in slices if each.cine.timing.cycle is not None]
    if all(each.cine.content is Content.STILL for each in slices):
        return []
    if not cycles:
        text = "Nothing says how long a heart beat is: phases are fractions of it, without times."
        return [corrected(Topic.INTERVAL, text)]
    low, high, usual = min(cycles), max(cycles), float(np.median(cycles))
    text = (
        f"R-R intervals are {low:.0f} to {high:.0f} ms; phases are matched as fractions of each slice's own, and times "
        f"are those of the median, {usual:.0f} ms."
        if high - low >= 1
        else f"The R-R interval is {usual:.0f} ms."
    )
    remarks = [note(Topic.INTERVAL, text)]
    odd = [
        n for n, each in enumerate(slices) if abs((each.cine.timing.cycle or usual) - usual) > _OTHER_INTERVAL * usual
    ]
    if odd:
        far = [f"{slices[n].cine.timing.cycle:.0f} ms" for n in odd]
        text = f"The heart beat differently in slices {counted(odd)}: {', '.join(far)} instead of {usual:.0f} ms."
        remarks.append(suspicious(Topic.INTERVAL, text, *odd))
    spreads = [each.cine.first.rr_spread or 0.0 for each in slices]
    if max(spreads) > _UNSTEADY * usual:
        text = f"The heart beat unsteadily: R-R intervals vary by up to ± {max(spreads):.0f} ms within a slice."
        remarks.append(suspicious(Topic.INTERVAL, text))
    return remarks


def regular(positions: np.ndarray) -> tuple[np.ndarray, float]:
    """Positions in mm, on an even grid where they are on it but for rounding, and by how much they moved at most."""
    gaps = np.diff(positions)
    usual = _usual_gap(gaps)
    steps = np.concatenate([[0], np.cumsum(np.maximum(np.round(gaps / usual), 1))])
    step = (positions[-1] - positions[0]) / steps[-1]
    plain = round(step, 2)  # what was typed into the scanner, before it rounded coordinates
    step = plain if abs(plain - step) * steps[-1] <= POSITION_TOLERANCE_MM else step
    even = step * steps + positions[0]
    moved = float(np.abs(even - positions).max())
    return (even, moved) if moved <= max(POSITION_TOLERANCE_MM, _ROUNDED * usual) else (positions, 0.0)


def position_remarks(positions: np.ndarray, moved: float) -> list[Remark]:
    """Slices that are missing, gaps that are uneven, places that were rounded."""
    gaps = np.diff(positions)
    usual, remarks = _usual_gap(gaps), []
    if moved > POSITION_TOLERANCE_MM:
        text = f"Slices are up to {moved:.2f} mm off even places, {usual:.4g} mm apart, and were put there."
        remarks.append(corrected(Topic.UNEVEN, text))
    multiples = gaps / usual
    for k in np.flatnonzero(multiples > 1.5):
        away = abs(multiples[k] - round(multiples[k]))
        count = round(multiples[k]) - 1
        are = "A slice is" if count == 1 else f"{count} slices are"
        text = (
            f"{are} missing between slices {k + 1} and {k + 2}, which are {gaps[k]:.4g} mm apart."
            if away < MULTIPLE_TOLERANCE
            else f"Slices {k + 1} and {k + 2} are {gaps[k]:.4g} mm apart, others {usual:.4g} mm."
        )
        remarks.append(suspicious(Topic.MISSING, text, int(k), int(k) + 1))
    uneven = np.flatnonzero((np.abs(multiples - 1) > _ROUNDED) & (multiples <= 1.5))
    if uneven.size:
        text = f"Gaps differ: {gaps[uneven].min():.4g} to {gaps[uneven].max():.4g} mm where most are {usual:.4g} mm."
        remarks.append(suspicious(Topic.UNEVEN, text))
    return remarks


def _usual_gap(gaps: np.ndarray) -> float:
    """The gap in mm that most neighbours have; of two as common the smaller, for slices go missing."""
    return float(np.sort(gaps)[(len(gaps) - 1) // 2])
