"""What looks wrong in a stack: one place decides; panel, command line, events and Python's warnings tell.

Warns on clear evidence only. The limits were set on short-axis stacks of 104 patients, of whom few are warned of, and
on the phantom. What no scanner acquires is refused: that comes before a model is loaded or memory is asked for.
"""

from __future__ import annotations

import numpy as np

from calid.errors import UnusableInput
from calid.stacks import emptiness, likeness
from calid.stacks.cine import cine_findings, refuse_cine
from calid.stacks.findings import Finding, Kind, counted
from calid.stacks.padding import Padding
from calid.stacks.stack import SliceStack

LONGEST_MM = 400.0
"""From the first slice to the last one. A heart is 200 mm long at most, and so is what is planned on it."""
PIXEL_MM = 0.05, 10.0
"""Pixels of a heart, of a mouse or a man."""
MULTIPLE_TOLERANCE = 0.1
"""A gap of 15.5 mm is twice one of 8 mm."""

_BRIGHTEST_PERCENT = 99
"""Fat is no landmark."""
_MOST_ORDERED = 40
"""Slices. The search for a better order takes their number to the third power."""
_LARGEST, _SMALLEST = 1e30, 1e-30
"""Values beyond these have no room in float32, of which the networks and the uncertainty are."""
_FEWEST_LEVELS = 64
"""Steps of float64 between dark and bright: fewer are no image any more."""


class StackCheck:
    """Looks at a stack.

        for finding in StackCheck(stack).findings():
            print(finding)

    :raises UnusableInput: naming the number, for what no scanner acquires: pixels or values of an impossible size, a
        phase that is missing, more phases than a heart cycle has.
    """

    def __init__(self, stack: SliceStack) -> None:
        _refuse_pixels(stack.pixel_spacing)
        refuse_cine(stack.voxels)
        self.stack, self.padding = stack, Padding.of(stack.voxels)
        _refuse_values(self.padding.without(stack.voxels))

    def findings(self) -> list[Finding]:
        """What its user should know, worst first; slices and phases are counted from 1."""
        blank = emptiness.findings(self.stack.voxels)
        unusable = {k for finding in blank for k in finding.slices}
        same = _duplicated(self.stack, self.padding, unusable)
        unusable |= {k for finding in same for k in finding.slices}
        found = [*_missing(self.stack.gaps), *_too_long(self.stack), *blank, *same]
        cine = cine_findings(self.padding.filled(self.stack.voxels))
        if swapped := [finding for finding in cine if finding.kind is Kind.SWAPPED_AXES]:
            return swapped  # what else is odd follows from that
        return [*found, *self._misplaced(unusable), *cine]

    def _misplaced(self, unusable: set[int]) -> list[Finding]:
        """Slices in the wrong order or place, of those that show something."""
        used = [k for k in range(len(self.stack.positions)) if k not in unusable]
        if len(used) < 3:
            return []
        first = self.padding.filled(self.stack.voxels[0, used])
        slices = np.minimum(first, np.percentile(first, _BRIGHTEST_PERCENT)).astype(np.float64)
        alike, shifts = likeness.correlations(slices), likeness.shifted(slices, self.stack.pixel_spacing)
        if len(used) <= _MOST_ORDERED:
            order, gain = likeness.better_order(alike)
            # Either may look like the other; what explains more is taken.
            if gain > max(likeness.ORDER_GAIN, sum(more for _, more in shifts.values())) and not _is_swap(order):
                return [_out_of_order([used[n] for n in order])]
        return _swapped_or_shifted(likeness.swapped(alike), shifts, used)


def check_stack(stack: SliceStack) -> list[Finding]:
    """The findings of :class:`StackCheck`."""
    return StackCheck(stack).findings()


def common_gap(gaps: np.ndarray) -> float:
    """The distance in mm that most neighbours have."""
    return float(np.median(gaps))


def _refuse_pixels(spacing: tuple[float, float]) -> None:
    low, high = PIXEL_MM
    for size in spacing:
        if not low <= size <= high:
            guesses = {"metres": 1e3, "centimetres": 10.0, "tenths of a millimetre": 0.1, "micrometres": 1e-3}
            unit = next((unit for unit, mm in guesses.items() if low <= size * mm <= high), None)
            raise UnusableInput(
                f"its pixels are {size:.6g} mm wide, and a heart is imaged with {low:g} to {high:g} mm",
                "correct the spacing in the header, or its unit" + f"; it seems to be in {unit}" * (unit is not None),
            )


def _refuse_values(tissue: np.ndarray) -> None:
    low, high = float(tissue.min()), float(tissue.max())
    largest = max(abs(low), abs(high))
    if not largest <= _LARGEST:
        raise UnusableInput(f"its voxels go up to {largest:.3g}", "divide them: no scanner has such values")
    if largest < _SMALLEST:
        raise UnusableInput(f"its voxels go up to {largest:.3g} only", "multiply them: no scanner has such values")
    if high - low < _FEWEST_LEVELS * np.spacing(largest) and high > low:
        raise UnusableInput(
            f"its voxels differ by {high - low:.3g} around {largest:.17g}, which rounding makes flat",
            f"subtract {low:.17g} from them",
        )


def _missing(gaps: np.ndarray) -> list[Finding]:
    multiples = gaps / common_gap(gaps)
    is_multiple = (multiples > 1.5) & (np.abs(multiples - np.round(multiples)) < MULTIPLE_TOLERANCE)
    return [
        Finding(
            Kind.MISSING,
            f"A slice seems to be missing between slices {k + 1} and {k + 2}, which are {gaps[k]:.3g} mm apart.",
        )
        for k in np.flatnonzero(is_multiple)
    ]


def _too_long(stack: SliceStack) -> list[Finding]:
    length = float(stack.positions[-1])
    if length < LONGEST_MM:
        return []
    text = (
        f"The stack is {length:.4g} mm long, its {len(stack.positions)} slices being {common_gap(stack.gaps):.4g} mm "
        "apart, and no heart is longer than 200 mm: check the slice spacing."
    )
    return [Finding(Kind.TOO_LONG, text)]


def _duplicated(stack: SliceStack, padding: Padding, unusable: set[int]) -> list[Finding]:
    """Slices that are the same image in any phase, or nearly the same in the first one."""
    pairs: dict[tuple[int, int], int] = {}
    for phase, slices in enumerate(stack.voxels):
        seen: dict[bytes, int] = {}
        for k, image in enumerate(slices):
            first = k if k in unusable else seen.setdefault(image.tobytes(), k)
            if first != k:
                pairs.setdefault((first, k), phase)
    return [
        Finding(
            Kind.DUPLICATED,
            f"Slices {below + 1} and {above + 1} are the same image{f' in phase {phase + 1}' if phase else ''}.",
            (below, above),
        )
        for (below, above), phase in pairs.items()
    ] + _nearly_duplicated(stack, padding, unusable | {k for _, k in pairs})


def _nearly_duplicated(stack: SliceStack, padding: Padding, unusable: set[int]) -> list[Finding]:
    """Slices that differ by their scale or by a little noise."""
    used = [k for k in range(len(stack.positions)) if k not in unusable]
    if len(used) < 2:
        return []
    alike = likeness.correlations(padding.filled(stack.voxels[0, used]))
    apart = np.abs(np.subtract.outer(stack.positions[used], stack.positions[used]))
    pairs = np.argwhere(np.triu((alike >= likeness.SAME_IMAGE) & (apart >= likeness.SAME_IMAGE_MM)))
    return [
        Finding(
            Kind.DUPLICATED,
            f"Slices {used[a] + 1} and {used[b] + 1} are nearly the same image (correlation {alike[a, b]:.4f}).",
            (used[a], used[b]),
        )
        for a, b in pairs.tolist()
    ]


def _is_swap(order: list[int]) -> bool:
    """Whether an order differs from the usual one, in either sense, by two neighbours that change places."""
    for one in (order, order[::-1]):
        moved = [k for k, slice_number in enumerate(one) if slice_number != k]
        if not moved or (len(moved) == 2 and moved[1] - moved[0] == 1):
            return True
    return False


def _out_of_order(order: list[int]) -> Finding:
    if order[0] > order[-1]:
        order = order[::-1]
    text = (
        "The slices seem to be out of order: neighbours are less alike than slices further apart. By their likeness "
        f"the order would be {counted(order)}."
    )
    return Finding(Kind.OUT_OF_ORDER, text)


def _swapped_or_shifted(
    swaps: dict[int, float], shifts: dict[int, tuple[float, float]], used: list[int]
) -> list[Finding]:
    kept = [k for k in swaps if swaps[k] > max(shifts.get(n, (0.0, 0.0))[1] for n in range(k - 1, k + 3))]
    near = {n for k in kept for n in range(k - 1, k + 3)}
    return [
        Finding(
            Kind.OUT_OF_ORDER,
            f"Slices {used[k] + 1} and {used[k + 1] + 1} seem to be in the wrong order.",
            (used[k], used[k + 1]),
        )
        for k in kept
    ] + [
        Finding(Kind.SHIFTED, f"Slice {used[k] + 1} seems to be shifted by {mm:.0f} mm in its plane.", (used[k],))
        for k, (mm, _) in shifts.items()
        if k not in near
    ]
