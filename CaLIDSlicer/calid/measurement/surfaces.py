"""The chambers of a measured heart as closed surfaces, a file for each phase and chamber.

Where a label is as likely as not, there is its surface. It encloses what was counted: partial voxels as far as they
belong to it, and half an acquired distance beyond the first and the last slice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from calid.atomic import write_atomically
from calid.errors import CalidError, UnusableInput
from calid.measurement.phases import LabelledPhases
from calid.measurement.result import Measurement
from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE

CHAMBERS = {"lv": (LEFT_VENTRICLE,), "lv_epicardium": (LEFT_VENTRICLE, MYOCARDIUM), "rv": (RIGHT_VENTRICLE,)}
"""Name of a surface -> the labels that it encloses."""

_EVEN = 0.5
_RIM = 0.02
"""Of the distance of slices: how steep a surface is where it closes beyond the last one."""

_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_SPACE = b"CaLIDSlicer SPACE=LPS"  # how Slicer reads, from the head of the file, which way its coordinates point


class Surface(NamedTuple):
    """Triangles: ``points`` (n, 3) in world mm, and three numbers of points for each, outwards by the right hand."""

    points: np.ndarray
    triangles: np.ndarray

    @property
    def ml(self) -> float:
        """What it encloses."""
        a, b, c = np.moveaxis(self.points[self.triangles], 1, 0)
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6000)


def surfaces_of(found: Measurement, t: int, frame: np.ndarray) -> dict[str, Surface]:
    """The surfaces of a phase, counted from 0, by the names of :data:`CHAMBERS`; without those that are empty.

    :param frame: of the stack, 4 x 4, (i, j, mm along the slice axis, 1) to world mm.
    :raises CalidError: if scikit-image is missing.
    """
    shares = found.heart.phase(t)
    made = (
        (name, _surface(found.heart, shares[:, list(labels)].sum(axis=1), frame)) for name, labels in CHAMBERS.items()
    )
    return {name: surface for name, surface in made if surface is not None}


def write_surfaces(found: Measurement, frame: np.ndarray, folder: Path) -> None:
    """Write ``NAME_NNN.stl``, phases counted from 1, into a folder, which is made; in LPS, as files have it.

    :raises CalidError: if scikit-image is missing.
    :raises UnusableInput: for a folder that cannot be written, with its name.
    :raises OutOfResources: for a full disk.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UnusableInput(
            f"{folder} cannot be made: {error.strerror}", "name a folder that can be written"
        ) from error
    for t in range(len(found.ml["lv"])):
        for name, surface in surfaces_of(found, t, frame).items():
            write_atomically(folder / f"{name}_{t + 1:03d}.stl", partial(_write, surface))


def check_surfaces() -> None:
    """Raise :class:`CalidError` if what makes surfaces is not installed."""
    _marching_cubes()


def _marching_cubes() -> Callable[..., Any]:
    try:
        from skimage.measure import marching_cubes
    except ImportError as error:
        raise CalidError("surfaces need scikit-image", 'run: pip install "calid[surfaces]"') from error
    return marching_cubes


def _surface(heart: LabelledPhases, share: np.ndarray, frame: np.ndarray) -> Surface | None:
    """Of a part of the heart (k, h, w), each voxel as far as it belongs to it."""
    if not (share > _EVEN).any():
        return None
    mm, closed = _closed(heart, share)
    points, triangles, *_ = _marching_cubes()(closed, _EVEN)
    slices = np.interp(points[:, 0], np.arange(len(mm)), mm)
    world = np.column_stack([*_pixels(heart, points[:, 1:] - 1), slices, np.ones(len(points))]) @ frame.T
    surface = Surface(world[:, :3], triangles.astype(np.int64))
    return surface if surface.ml > 0 else Surface(surface.points, surface.triangles[:, ::-1])


def _closed(heart: LabelledPhases, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share with nothing around it, (k + 4, h + 2, w + 2), and where its slices lie, mm.

    The first and the last slice go on to the end of what they stand for.
    """
    positions, gaps = heart.positions, np.diff(heart.positions)
    low = positions[0] - (heart.lengths[0] - gaps[0] / 2)
    high = positions[-1] + (heart.lengths[-1] - gaps[-1] / 2)
    rim = _RIM * float(gaps.min())
    mm = np.concatenate([[low - rim, low + rim], positions, [high - rim, high + rim]])
    longer = np.concatenate([share[:1], share, share[-1:]])
    return mm, np.pad(longer, 1).astype(np.float32)


def _pixels(heart: LabelledPhases, points: np.ndarray) -> Iterator[np.ndarray]:
    """Columns and then rows of the scanner, of (row, column) in the region that the network looked at."""
    grid, region = heart.chambers.grid, heart.chambers.region
    for axis, start in ((1, region.columns.start), (0, region.rows.start)):
        from_middle = (points[:, axis] + start - (grid.model_shape[axis] - 1) / 2) * grid.pixel
        yield from_middle / grid.spacing[axis] + (grid.shape[axis] - 1) / 2


def _write(surface: Surface, path: Path) -> None:
    """Binary STL."""
    corners = surface.points[surface.triangles].astype(np.float32)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facets = np.zeros(len(corners), _FACET)
    facets["corners"] = corners
    facets["normal"] = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    with path.open("wb") as file:
        file.write(_SPACE.ljust(80))
        file.write(np.uint32(len(facets)).tobytes())
        file.write(facets.tobytes())
