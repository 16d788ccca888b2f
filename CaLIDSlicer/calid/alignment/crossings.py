"""Where long axes cross slices, two breath-holds show one line of the heart: shifts that neighbours cannot tell.

Along each line, what the slice shows is correlated with what the long axis shows, each averaged over the other's
thickness. A slice is where it agrees best with all long axes. These have breath-holds of their own, so each is first
brought to where it agrees best with all slices; what they all share stays unknown, and is no shift.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np

from calid.stacks.stack import SliceStack

STEP, HALF = 2.5, 60.0
"""mm, from one point of a line to the next, and from its middle to its ends."""

REACH = 9.0
"""mm that a slice, or a long axis, is looked for in each direction."""

NOISE = 0.5
"""mm, standard deviation of where a slice is found to be at best; measured on dense hearts."""

_COARSE, _FINE = 1.5, 0.375
_HELD = 1e-3
"""Of correlation, per mm², that a displacement has to gain; else a line along a straight wall would slip."""
_FEWEST_POINTS, _APART_DEGREES = 20, 25.0
_USUAL_THICKNESS = 8.0
_SLABS = np.array([-0.4, -0.2, 0.0, 0.2, 0.4])
"""Of a thickness, where it is sampled."""


class Across(Protocol):
    """A long axis, such as :class:`calid.dicom.long_axis.LongAxis`."""

    @property
    def voxels(self) -> np.ndarray:
        """(phases, rows, columns), in step with the stack."""

    @property
    def affine(self) -> np.ndarray:
        """4 x 4, (column, row, mm along the normal) to the world of the stack."""

    @property
    def thickness(self) -> float | None:
        """mm; ``None`` where nothing says it."""


@dataclass(frozen=True, eq=False)
class _Line:
    """Points (samples, points, 2), row and column in pixels, of a slice and of a long axis."""

    in_slice: np.ndarray
    in_long: np.ndarray
    counts: np.ndarray


class Crossings:
    """The lines of a stack with its long axes.

    :param stack: in whose world the long axes are.
    :param across: the long axes.
    :param pixels: of the pictures in which the slices are seen, mm; their middle is that of the stack's slices.
    :param shape: of these pictures.
    :param thickness: mm of the slices.
    """

    def __init__(
        self, stack: SliceStack, across: Sequence[Across], pixels: float, shape: tuple[int, int], thickness: float
    ) -> None:
        self._long = [np.asarray(one.voxels, np.float32) for one in across]
        self._pixels = [np.linalg.norm(one.affine[:3, [1, 0]], axis=0) for one in across]
        self._lines = [
            [_line(stack, one, k, pixels, shape, thickness) for k in range(len(stack.positions))] for one in across
        ]
        self._picture_pixel = pixels

    def observe(self, pictures: np.ndarray, phases: Sequence[int], shifts: np.ndarray) -> np.ndarray:
        """(slices, 2) mm, down and to the right: the shift of each slice; not a number where too little crosses it.

        :param pictures: (phases, slices, rows, columns) that are looked at.
        :param phases: their numbers in the stack and the long axes.
        :param shifts: (slices, 2) mm, what is known of the shifts.
        """
        seen = [long[list(phases)] for long in self._long]
        moved = [self._displacement(pictures, seen[v], v, shifts) for v in range(len(seen))]
        profiles = [
            [_sample(seen[v], line.in_long + moved[v]) for line in lines] for v, lines in enumerate(self._lines)
        ]
        return np.array([self._slice(pictures[:, k], k, profiles) for k in range(len(shifts))])

    def _displacement(self, pictures: np.ndarray, seen: np.ndarray, v: int, shifts: np.ndarray) -> np.ndarray:
        """(2,) pixels of a long axis, down and to the right, by which it agrees best with the slices as they are."""
        lines = self._lines[v]
        used = [k for k, line in enumerate(lines) if line.counts.sum() >= _FEWEST_POINTS]
        if not used:
            return np.zeros(2)
        shown = {k: _sample(pictures[:, k], lines[k].in_slice + shifts[k] / self._picture_pixel) for k in used}

        def agreement(mm: np.ndarray) -> float:
            at = mm / self._pixels[v]
            found = [_correlation(shown[k], _sample(seen, lines[k].in_long + at), lines[k].counts) for k in used]
            return float(np.mean(found))

        return _best(agreement) / self._pixels[v]

    def _slice(self, pictures: np.ndarray, k: int, profiles: list[list[np.ndarray]]) -> np.ndarray:
        used = [v for v, lines in enumerate(self._lines) if lines[k].counts.sum() >= _FEWEST_POINTS]
        if len(used) < 2:
            return np.full(2, np.nan)

        def agreement(mm: np.ndarray) -> float:
            lines = (self._lines[v][k] for v in used)
            shown = (_sample(pictures, line.in_slice + mm / self._picture_pixel) for line in lines)
            pairs = zip(used, shown, strict=True)
            return float(np.mean([_correlation(one, profiles[v][k], self._lines[v][k].counts) for v, one in pairs]))

        return _best(agreement)


def crossing(stack: SliceStack, across: Sequence[Across]) -> list[Across]:
    """The long axes that can tell a shift in both directions: those of at least two planes; else none."""
    phases = len(stack.voxels)
    usable = [one for one in across if len(one.voxels) == phases]
    normals = [np.cross(one.affine[:3, 0], one.affine[:3, 1]) for one in usable]
    apart = np.sin(np.radians(_APART_DEGREES))
    pairs = combinations([normal / np.linalg.norm(normal) for normal in normals], 2)
    return usable if any(np.linalg.norm(np.cross(*pair)) > apart for pair in pairs) else []


def _line(stack: SliceStack, one: Across, k: int, pixels: float, shape: tuple[int, int], thickness: float) -> _Line:
    """The line in which a long axis crosses slice ``k``, around its point nearest to the middle of the slice."""
    rows, columns = stack.voxels.shape[2:]
    through = stack.frame[:3, 2]
    right, down = (one.affine[:3, n] / np.linalg.norm(one.affine[:3, n]) for n in range(2))
    normal = np.cross(right, down)
    along = np.cross(normal, through)
    steep = float(np.linalg.norm(along))
    along, up = along / steep, np.cross(along / steep, normal)
    middle = (stack.frame @ [(columns - 1) / 2, (rows - 1) / 2, stack.positions[k], 1])[:3]
    inward = np.cross(along, through)
    origin = middle - inward * ((middle - one.affine[:3, 3]) @ normal) / (inward @ normal)
    points = origin + along * np.arange(-HALF, HALF + 1e-6, STEP)[:, np.newaxis]
    layers = points + (up * thickness / abs(up @ through)) * _SLABS[:, np.newaxis, np.newaxis]
    sides = points + inward * (one.thickness or _USUAL_THICKNESS) * _SLABS[:, np.newaxis, np.newaxis]
    in_long = _in_pixels(np.linalg.inv(one.affine), layers)
    in_stack = _in_pixels(np.linalg.inv(stack.frame), sides)
    half = (np.array([rows, columns]) - 1) / 2
    in_slice = (in_stack - half) * stack.pixel_spacing / pixels + (np.array(shape) - 1) / 2
    size = np.array(one.voxels.shape[1:])
    inside = [_within(in_stack, np.array([rows, columns])), _within(in_long, size)]
    return _Line(in_slice, in_long, inside[0] & inside[1])


def _in_pixels(inverse: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Row and column of places (..., 3) in mm."""
    return (places @ inverse[:3, :3].T + inverse[:3, 3])[..., 1::-1]


def _within(at: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(points,) bool: whether all samples of a point are in a picture."""
    return np.all((at >= 0) & (at <= size - 1), axis=(0, -1))


def _sample(images: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(images, points) of images (images, rows, columns), bilinear, the mean over the samples (samples, points, 2)."""
    last = np.array(images.shape[1:]) - 1
    at = np.clip(at, 0, last)
    low = np.minimum(at.astype(int), np.maximum(last - 1, 0))
    (r, c), part = np.moveaxis(low, -1, 0), np.moveaxis(at - low, -1, 0)
    below, right = np.minimum(r + 1, last[0]), np.minimum(c + 1, last[1])
    upper = images[:, r, c] * (1 - part[1]) + images[:, r, right] * part[1]
    lower = images[:, below, c] * (1 - part[1]) + images[:, below, right] * part[1]
    return (upper * (1 - part[0]) + lower * part[0]).mean(axis=1)


def _correlation(one: np.ndarray, other: np.ndarray, counts: np.ndarray) -> float:
    """Mean over the images of the correlation of profiles (images, points), of the points that count."""
    a, b = (profile[:, counts] - profile[:, counts].mean(axis=1, keepdims=True) for profile in (one, other))
    power = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return float(((a * b).sum(axis=1) / np.maximum(power, 1e-9)).mean())


def _best(agreement: Callable[[np.ndarray], float]) -> np.ndarray:
    """(2,) mm where something agrees best, looked for coarsely and then finely."""
    best = np.zeros(2)
    for span, step in ((REACH, _COARSE), (_COARSE, _FINE)):
        offsets = np.arange(-span, span + 1e-6, step)
        tried = [best + np.array([down, right]) for down in offsets for right in offsets]
        best = max(tried, key=lambda mm: agreement(mm) - _HELD * float(mm @ mm))
    return best
