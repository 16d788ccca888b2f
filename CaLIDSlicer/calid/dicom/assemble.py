"""A stack from a view: pixels on one grid, in one cycle and on one intensity scale; and what was done for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calid.dicom import brightness, cycle
from calid.dicom.grid import Grid, difference
from calid.dicom.pixels import Pixels
from calid.dicom.reading import Frames, read_frames
from calid.dicom.remarks import Level, Remark, Topic, corrected, suspicious
from calid.dicom.slices import commonest
from calid.dicom.sources import LeftOut
from calid.dicom.told import interval_remarks, order_remarks, position_remarks, regular
from calid.dicom.views import View
from calid.errors import UnusableInput
from calid.stacks.phases import PhaseIndex
from calid.stacks.stack import SliceStack

TILT_DEGREES = 0.3
"""A slice that is turned by more is told of."""

_FINE = 500
"""Real values that go up to more than this lose nothing that is seen by becoming whole numbers."""

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Assembled:
    """A stack and how it came about.

    :param stack: in LPS.
    :param view: whose slices are those of the stack.
    :param left_out: pictures that could not be read.
    """

    stack: SliceStack
    view: View
    remarks: tuple[Remark, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def told(self) -> list[Remark]:
        """Remarks that a user should hear of without asking; that a slice is missing, a look at the stack tells."""
        return [
            remark
            for remark in self.remarks
            if (remark.level is not Level.NOTE or remark.topic is Topic.VIEW) and remark.topic is not Topic.MISSING
        ]


def assemble(view: View, pixels: Pixels, tell: Tell = lambda done, of: None) -> Assembled:
    """The stack of a view.

    :param tell: takes how many slices have been read, and of how many.
    :raises UnusableInput: if too few slices can be read, or some have too few phases.
    """
    left_out: list[LeftOut] = []
    rescale, remarks = _needs_rescaling(view)
    slices = []
    for number, cine in enumerate(view.slices):
        frames = read_frames(cine, pixels, rescale, left_out)
        if frames is not None:
            slices.append(frames)
        tell(number + 1, len(view.slices))
    _check_enough(slices, view, left_out)
    slices = _one_type(slices)
    grid = Grid.of([each.cine.plane for each in slices])
    slices.sort(key=lambda each: float(grid.positions([each.cine.plane])[0]))
    positions, moved = regular(grid.positions([each.cine.plane for each in slices]))
    remarks += [*view.remarks, *_unreadable(slices, view, left_out), *order_remarks(slices)]
    remarks += [*interval_remarks(slices), *position_remarks(positions, moved), *_tilts(slices, grid)]
    on_grid, told = _on_grid(slices, grid)
    remarks += told
    in_step, reference, told = _in_step(on_grid)
    remarks += told
    voxels, told = _on_scale(in_step)
    remarks += told
    thickness, told = _thickness(slices)
    remarks += told
    stack = _stack(voxels, grid, positions, reference, slices, thickness)
    used = replace(view, slices=tuple(each.cine for each in slices), positions=tuple(map(float, stack.positions)))
    return Assembled(stack, used, tuple(remarks), tuple(left_out))


def _needs_rescaling(view: View) -> tuple[bool, list[Remark]]:
    """Stored values serve where all pictures have one slope and no intercept; else the scanner's are compared."""
    scales = {(picture.slope, picture.intercept) for cine in view.slices for picture in cine.pictures}
    if len(scales) == 1 and next(iter(scales))[1] == 0:
        return False, []
    slopes = sorted({slope for slope, _ in scales})
    text = f"Rescale slopes of {slopes[0]:.4g} to {slopes[-1]:.4g} and intercepts were applied to the stored values."
    return True, [corrected(Topic.SCALE, text)]


def _check_enough(slices: Sequence[Frames], view: View, left_out: Sequence[LeftOut]) -> None:
    if len(slices) < 2:
        why = f", the first because {left_out[0].reason}" if left_out else ""
        raise UnusableInput(
            f"{len(slices)} of the {len(view.slices)} slices of the stack can be read{why}",
            "export the study again, uncompressed, or decompress it: gdcmconv --raw IN OUT",
        )


def _unreadable(slices: Sequence[Frames], view: View, left_out: Sequence[LeftOut]) -> list[Remark]:
    remarks = []
    gone = len(view.slices) - len(slices)
    if gone:
        text = f"{gone} of {len(view.slices)} slices could not be read and are missing: {left_out[0].reason}."
        remarks.append(suspicious(Topic.UNREADABLE, text))
    for number, each in enumerate(slices):
        if each.unreadable:
            text = f"{each.unreadable} of {len(each.cine.pictures)} pictures of slice {number + 1} could not be read."
            remarks.append(corrected(Topic.UNREADABLE, text, number))
    return remarks


def _one_type(slices: list[Frames]) -> list[Frames]:
    """Slices whose pixels have one type that holds them all."""
    kind = np.result_type(*(each.voxels.dtype for each in slices))
    if kind.kind not in "iuf" or kind.itemsize > 4 or kind == np.float16:
        kind = np.dtype(np.float32)
    return [replace(each, voxels=each.voxels.astype(kind, copy=False)) for each in slices]


def _tilts(slices: Sequence[Frames], grid: Grid) -> list[Remark]:
    normal, remarks = grid.plane.normal, []
    for number, each in enumerate(slices):
        angle = float(np.degrees(np.arccos(min(1.0, abs(each.cine.plane.normal @ normal)))))
        if angle > TILT_DEGREES:
            text = (
                f"Slice {number + 1} is tilted by {angle:.1f} degrees against the others; it is taken as parallel, "
                "in its place at the middle of the picture."
            )
            remarks.append(corrected(Topic.TILTED, text, number))
    return remarks


def _on_grid(slices: Sequence[Frames], grid: Grid) -> tuple[list[Frames], list[Remark]]:
    moved, remarks = [], []
    for number, each in enumerate(slices):
        plane = each.cine.plane
        position = float(grid.positions([plane])[0])
        if not grid.fits(plane, position):
            text = f"Slice {number + 1} was put on the pixel grid of the others: {difference(grid, plane)}."
            remarks.append(corrected(Topic.GRID, text, number))
            each = replace(each, voxels=grid.resampled(each.voxels, plane, position))
        moved.append(each)
    return moved, remarks


def _in_step(slices: Sequence[Frames]) -> tuple[list[np.ndarray], tuple[float, ...], list[Remark]]:
    """Frames of all slices at the same fractions of the cycle, and these."""
    _check_cycle(slices)
    reference = cycle.common_fractions([each.fractions for each in slices])
    steady = [each.voxels for each in slices if cycle.is_in_step(each.fractions, reference)]
    systole = cycle.end_systole(steady) if steady and len(reference) > 2 else None
    frames, remarks = [], []
    for number, each in enumerate(slices):
        if cycle.is_in_step(each.fractions, reference):
            frames.append(each.voxels)
            continue
        frames.append(cycle.resampled((each.voxels, each.fractions), reference, systole))
        remarks.append(_resampled(number, each, len(reference)))
    return frames, reference, remarks


def _check_cycle(slices: Sequence[Frames]) -> None:
    """Raise ``UnusableInput`` for slices of unequally many phases, too few to know how a heart moves between."""
    fewest, most = (pick(slices, key=lambda each: len(each.fractions)) for pick in (min, max))
    if cycle.FEWEST_PHASES > len(fewest.fractions) < len(most.fractions):
        few, many = (f"{each.cine.first.source.name} has {len(each.fractions)}" for each in (fewest, most))
        raise UnusableInput(
            f"{few} phase{'s' * (len(fewest.fractions) > 1)}, but {many}, and fewer than {cycle.FEWEST_PHASES} are no "
            "heart cycle that could be resampled",
            "leave out the slices that have another number of phases, and run calid reconstruct again; or export them "
            "again",
        )


def _resampled(number: int, each: Frames, phases: int) -> Remark:
    own = len(each.fractions)
    what = f"{own} phases, not {phases}" if own != phases else "its phases at other times"
    missing = max(each.cine.timing.missing, each.unreadable)
    lack = f", {missing} missing among them" if missing else ""
    text = (
        f"Slice {number + 1} has {what}{lack}: it was resampled over the heart cycle, with its end-systole kept as it "
        "was acquired."
    )
    return corrected(Topic.PHASES, text, number)


def _on_scale(frames: Sequence[np.ndarray]) -> tuple[np.ndarray, list[Remark]]:
    """(phases, slices, rows, columns) on one intensity scale, as whole numbers where that loses nothing."""
    remarks, scaled = [], list(frames)
    for number, factor in enumerate(brightness.factors(frames)):
        if factor != 1.0:
            text = (
                f"Slice {number + 1} is {1 / factor:.3g} times as bright as the others, and was multiplied by "
                f"{factor:.3g}."
            )
            remarks.append(corrected(Topic.BRIGHTNESS, text, number))
            scaled[number] = frames[number].astype(np.float32) * np.float32(factor)
    voxels = np.stack(scaled, axis=1)
    if voxels.dtype.kind == "f" and _FINE < voxels.max() <= np.iinfo(np.int16).max and voxels.min() >= -(2**15):
        voxels = np.rint(voxels).astype(np.int16)
    return voxels, remarks


def _thickness(slices: Sequence[Frames]) -> tuple[float | None, list[Remark]]:
    known = [round(t, 3) for each in slices if (t := each.cine.first.thickness) is not None and t > 0]
    usual = commonest(known)
    if usual is None:
        return None, []
    if max(known) - min(known) > 0.05 * usual:
        text = f"Slices are {min(known):g} to {max(known):g} mm thick; {usual:g} mm is taken for all."
        return usual, [corrected(Topic.THICKNESS, text)]
    return usual, []


def _stack(
    voxels: np.ndarray,
    grid: Grid,
    positions: np.ndarray,
    reference: tuple[float, ...],
    slices: Sequence[Frames],
    thickness: float | None,
) -> SliceStack:
    frame = grid.plane.affine
    frame[:3, 3] += positions[0] * frame[:3, 2]
    cycles = [each.cine.timing.cycle for each in slices if each.cine.timing.cycle is not None]
    times, index = None, None
    if len(voxels) > 1 and cycles:
        times = tuple(round(fraction * float(np.median(cycles)) / 1000, 6) for fraction in reference)
    elif len(voxels) > 1:
        index = PhaseIndex(tuple(f"{100 * fraction:.6g}" for fraction in reference), "%", "part of R-R")
    return SliceStack(voxels, frame, positions - positions[0], times, index=index, thickness=thickness)
