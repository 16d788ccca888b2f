"""What was measured, to look at: the outlines of the labels over the image, as PNG.

Two planes of the dense stack, the same at end-diastole and end-systole and to one scale: a short-axis slice half-way
between base and apex, as the file has it, and a cut along the slice axis through both ventricles, the base up.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageColor

from calid.measurement.charts import COLOURS
from calid.measurement.phases import LabelledPhases
from calid.measurement.result import Measurement
from calid.segmentation.context import NOTHING
from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE

_PIXELS_PER_MM = 3
_MARGIN_MM = 12.0
_BRIGHTEST_PERCENT = 99.5
_PAPER = 238
"""Grey of what lies beyond what was looked at."""


def pictures_of(found: Measurement) -> dict[str, bytes]:
    """PNG by caption: two planes at end-diastole, and at end-systole if there is more than one phase."""
    when = {"end-diastole": found.ed, "end-systole": found.es} if found.ed != found.es else {"phase 1": found.ed}
    planes = _planes(found)
    brightest = float(np.percentile(found.heart.image(found.ed), _BRIGHTEST_PERCENT))
    return {
        f"{plane}, {name}": _png(_drawn(found.heart, t, grid, brightest))
        for plane, grid in planes.items()
        for name, t in when.items()
    }


@dataclass(frozen=True, eq=False)
class _Grid:
    """Where the pixels of a picture lie: the numbers (h, w) of slice, row and column of each, in parts."""

    k: np.ndarray
    row: np.ndarray
    column: np.ndarray


def _planes(found: Measurement) -> dict[str, _Grid]:
    heart, extent = found.heart, found.extents[found.ed]
    shares = heart.phase(found.ed)
    pixel = heart.chambers.segmenter.pixel
    base, apex = extent.base.position_mm, extent.apex.position_mm
    middle_mm = (base + apex) / 2
    inside = shares[:, 1:].sum(axis=1)
    centre = _centre(inside)
    far = np.argwhere(inside.max(axis=0) > 0.5) - centre[1:]
    half = float(np.linalg.norm(far, axis=1).max()) * pixel + _MARGIN_MM
    across = np.arange(-half, half, 1 / _PIXELS_PER_MM)
    left = _centre(shares[:, LEFT_VENTRICLE])[1:]
    to_left = _direction(shares, left)
    down = np.arange(-half, half, 1 / _PIXELS_PER_MM) * (1 if apex > base else -1) + middle_mm
    y, x = (grid / pixel for grid in np.meshgrid(across, across, indexing="ij"))
    slices = np.arange(len(heart.positions))
    middle = np.interp(middle_mm, heart.positions, slices)
    deep = np.interp(down, heart.positions, slices, left=-1, right=len(slices))[:, None] + 0 * x
    return {
        "short axis": _Grid(middle + 0 * x, centre[1] + y, centre[2] + x),
        "long axis": _Grid(deep, *(left[n] - to_left[n] * x for n in (0, 1))),
    }


def _centre(shares: np.ndarray) -> np.ndarray:
    """Centre of gravity (slice, row, column) of (k, h, w)."""
    grids = np.meshgrid(*(np.arange(n) for n in shares.shape), indexing="ij")
    return np.array([(grid * shares).sum() for grid in grids]) / max(float(shares.sum()), 1e-9)


def _direction(shares: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Unit vector (row, column) from the left ventricle to the right one, along a row where there is none."""
    right = shares[:, RIGHT_VENTRICLE]
    way = _centre(right)[1:] - left if right.max() > 0.5 else np.array([0.0, -1.0])
    return way / np.linalg.norm(way)


def _drawn(heart: LabelledPhases, t: int, grid: _Grid, brightest: float) -> np.ndarray:
    """(h, w, 3) uint8: grey, the borders of the chambers in their colours, and paper beyond what was looked at."""
    seen = np.concatenate([heart.image(t)[:, None], heart.phase(t)], axis=1)
    at = _sampled(seen, grid)
    grey = 255 * np.clip((at[0] - NOTHING) / (brightest - NOTHING), 0, 1)
    picture = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    beyond = np.any([(place < 0) | (place > n - 1) for place, n in _places(seen, grid)], axis=0)
    picture[beyond] = _PAPER
    label = np.where(beyond, 0, at[1:].argmax(axis=0))
    for name, shape in {
        "rv": label == RIGHT_VENTRICLE,
        "wall": label >= MYOCARDIUM,
        "lv": label == LEFT_VENTRICLE,
    }.items():
        picture[_border(shape)] = ImageColor.getrgb(COLOURS[name])
    return picture


def _sampled(volume: np.ndarray, grid: _Grid) -> np.ndarray:
    """(c, h, w) of (k, c, rows, columns) at a grid, by linear interpolation; beyond the volume its edge goes on."""
    found = np.zeros((volume.shape[1], *grid.k.shape))
    places = [np.clip(place, 0, n - 1) for place, n in _places(volume, grid)]
    below = [np.minimum(place.astype(int), n - 2) for place, (_, n) in zip(places, _places(volume, grid), strict=True)]
    for corner in np.ndindex(2, 2, 2):
        k, row, column = (low + step for low, step in zip(below, corner, strict=True))
        weights = [1 - np.abs(place - n) for place, n in zip(places, (k, row, column), strict=True)]
        found += np.prod(weights, axis=0) * np.moveaxis(volume[k, :, row, column], -1, 0)
    return found


def _places(volume: np.ndarray, grid: _Grid) -> list[tuple[np.ndarray, int]]:
    """Slice, row and column of the pixels of a grid, and how many of each (k, c, rows, columns) has."""
    return list(zip((grid.k, grid.row, grid.column), (volume.shape[0], *volume.shape[2:]), strict=True))


def _border(shape: np.ndarray) -> np.ndarray:
    """The pixels of a mask (h, w) that touch others, two pixels wide."""
    inner = shape
    for _ in range(2):
        padded = np.pad(inner, 1, mode="edge")
        inner = inner & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return shape & ~inner


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return file.getvalue()
