"""Before, after, and really acquired: a result and its input cut on the planes of the long axes of its study."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..Scene.LongAxes import longAxesOf
from .Geometry import look, scaleToFit, worldMatrix
from .Heart import Heart, heartOf
from .Layout import LONG_AXIS_VIEWS, inputOf, longAxesLayoutFor, sliceViews
from .Window import fitWindow


def layoutOf(volume) -> int | None:
    """The layout that has room for the long axes of a dense volume; ``None`` if there are none."""
    return longAxesLayoutFor(len(longAxesOf(volume)))


def fillPage(volume) -> bool:
    """Show input, result and long axis in each row, without overlays; false if there is no long axis."""
    scene, found = volume.GetScene(), longAxesOf(volume)
    for names, longAxis in zip(LONG_AXIS_VIEWS, found, strict=False):
        for view, background in zip(sliceViews(scene, names), (inputOf(volume), volume, longAxis), strict=False):
            view.layers.SetBackgroundVolumeID(background.GetID() if background else None)
            view.layers.SetForegroundVolumeID(None)
            view.layers.SetLabelVolumeID(None)
    return bool(found)


def lookAlong(volume) -> None:
    """Look at each long axis as it was acquired, at the heart of the stack, all at one scale."""
    scene, stack = volume.GetScene(), inputOf(volume) or volume
    heart = heartOf(stack)
    middle = _middleOf(stack, heart)
    views = (sliceViews(scene, names) for names in LONG_AXIS_VIEWS)
    rows = [(*row, _planeOf(row[0], middle)) for row in zip(longAxesOf(volume), views, strict=False)]
    scale = max(
        scaleToFit(view.plane, _extentIn(plane, stack, heart)) for _longAxis, row, plane in rows for view in row
    )
    fitWindow(stack, heart)
    for longAxis, row, plane in rows:
        fitWindow(longAxis, _heartIn(longAxis, middle, heart))
        for view in row:
            look(view.plane, plane, scale)


def _middleOf(stack, heart: Heart) -> np.ndarray:
    """The middle of the heart in the world, RAS mm."""
    slices = stack.GetImageData().GetDimensions()[2]
    return (worldMatrix(stack) @ [*heart.centre, (slices - 1) / 2, 1])[:3]


def _extentIn(plane: np.ndarray, stack, heart: Heart) -> tuple[float, float]:
    """Width and height in mm that show the heart of a stack, round in its slices and as long as it, in a plane."""
    affine, slices = worldMatrix(stack), stack.GetImageData().GetDimensions()[2]
    disc, through = affine[:3, :2] / np.linalg.norm(affine[:3, :2], axis=0) * heart.size, affine[:3, 2] * slices
    width, height = (float(abs(through @ axis) + np.linalg.norm(axis @ disc)) for axis in plane[:3, :2].T)
    return width, height


def _planeOf(longAxis, middle: np.ndarray) -> np.ndarray:
    """Slice-to-RAS matrix (4, 4) of an acquired plane, as it was acquired, its origin next to ``middle``."""
    affine = worldMatrix(longAxis)
    across, down = (affine[:3, n] / np.linalg.norm(affine[:3, n]) for n in range(2))
    normal = np.cross(across, -down)
    plane = np.eye(4)
    plane[:3] = np.column_stack([across, -down, normal, middle - ((middle - affine[:3, 3]) @ normal) * normal])
    return plane


def _heartIn(longAxis: Any, middle: np.ndarray, heart: Heart) -> Heart:
    """The heart of a stack as the part of a long axis that it is in, for a grey scale."""
    i, j = (np.linalg.inv(worldMatrix(longAxis)) @ [*middle, 1])[:2]
    return Heart((float(i), float(j)), heart.size)
