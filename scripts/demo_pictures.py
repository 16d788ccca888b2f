"""The pictures of the demo that need no 3D graphics: long-axis reformats and the slices of one gap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from demo_input import LEFT_CAVITY, RIGHT_VENTRICLE, DemoCase
from demo_render import View

from calid.baselines.methods import interpolate, linear_weights
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack

mpl.use("Agg")  # no display
from matplotlib import pyplot as plt

HALF_WIDTH_MM = 75.0
STEP_MM = 0.7
RENDER_MARGIN_MM = 8.0
PANEL_INCHES = 4.4


def beforeAndAfter(case: DemoCase, dense: SliceStack) -> dict[str, SliceStack]:
    """By title: what was acquired, linear interpolation, and the reconstruction at the same spacing."""
    spacing = float(dense.gaps[0])
    plan = plan_slices(case.sparse.positions, spacing)
    voxels, _ = interpolate(linear_weights, case.sparse, plan)
    linear = SliceStack(voxels, case.sparse.frame, plan.positions, case.sparse.times)
    return {
        f"acquired, {case.sparse.gaps[0]:g} mm apart": case.sparse,
        f"linear, {spacing:.3g} mm": linear,
        f"CaLID, {spacing:.3g} mm": dense,
    }


def drawLongAxis(case: DemoCase, stacks: dict[str, SliceStack], path: Path) -> None:
    """Two planes along the slice axis, a row each, of every stack: each slice is drawn as thick as its distance."""
    lines = planes(case)
    aspect = np.ptp(bounds(case.sparse)) / (2 * HALF_WIDTH_MM)
    size = (PANEL_INCHES * len(stacks), (PANEL_INCHES * aspect + 0.5) * len(lines))
    figure, axes = plt.subplots(len(lines), len(stacks), figsize=size, squeeze=False, layout="compressed")
    isUpsideDown = not isApexFirst(case)
    for row, (plane, points) in zip(axes, lines.items(), strict=True):
        for axis, (title, stack) in zip(row, stacks.items(), strict=True):
            show(axis, alongLine(stack.voxels[0], points), bounds(stack), case)
            axis.set_title(f"{title}\n{plane}", fontsize=9)
            if isUpsideDown:
                axis.invert_yaxis()
    save(figure, path)


def drawGap(case: DemoCase, dense: SliceStack, acquired: Sequence[int | None], path: Path) -> None:
    """The slices of the gap in the middle of the heart, from one acquired slice to the next."""
    indices = _middleGap(case, acquired)
    figure, axes = plt.subplots(1, len(indices), figsize=(2.2 * len(indices), 2.7), layout="compressed")
    for axis, index in zip(axes, indices, strict=True):
        axis.imshow(cropped(case, dense.voxels[0][index]), cmap="gray", vmin=0, vmax=brightest(case))
        kind = "synthesised" if acquired[index] is None else "acquired"
        axis.set_title(f"{kind}\n{dense.positions[index] - dense.positions[indices[0]]:.1f} mm", fontsize=9)
        axis.axis("off")
    save(figure, path)


def heartBox(case: DemoCase, margin: float) -> tuple[slice, slice]:
    """Rows and columns of the box around the labels, ``margin`` mm wider on every side."""
    box = []
    for axis, spacing in zip((1, 2), case.sparse.pixel_spacing, strict=True):
        where = np.flatnonzero((case.labels > 0).any(axis=tuple({0, 1, 2} - {axis})))
        pixels = round(margin / spacing)
        box.append(slice(max(where[0] - pixels, 0), where[-1] + pixels + 1))
    return box[0], box[1]


def viewOf(case: DemoCase) -> View:
    """Base up, right ventricle on the left, cut open through both ventricles."""
    left, right = _centre(case, LEFT_CAVITY), _centre(case, RIGHT_VENTRICLE)
    corner = np.array([box.start for box in heartBox(case, RENDER_MARGIN_MM)])
    spacing = np.array(case.sparse.pixel_spacing)
    across = _unit((left - right) * spacing)
    isBaseUp = isApexFirst(case) == _isRightHanded(case.sparse)
    return View(1 if isBaseUp else -1, tuple(across[::-1]), tuple(((left - corner) * spacing)[::-1]))


def renderable(case: DemoCase, stack: SliceStack) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Voxels around the heart in 0..1, in a right-handed frame, and their spacing (slice, row, column) in mm."""
    rows, columns = heartBox(case, RENDER_MARGIN_MM)
    voxels = np.clip(stack.voxels[0][:, rows, columns] / brightest(case), 0, 1)
    y, x = (np.linspace(-1, 1, count)[:, np.newaxis] for count in voxels.shape[1:])
    voxels = np.where(y**2 + x.T**2 <= 1, voxels, 0)  # the corners of the box would only hide the heart
    return voxels if _isRightHanded(stack) else voxels[::-1], (float(stack.gaps[0]), *stack.pixel_spacing)


def _isRightHanded(stack: SliceStack) -> bool:
    return bool(np.linalg.det(stack.frame[:3, :3]) > 0)


def _centre(case: DemoCase, label: int) -> np.ndarray:
    """(row, column) of the middle of a structure."""
    return np.argwhere(case.labels == label)[:, 1:].mean(axis=0)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def planes(case: DemoCase) -> dict[str, np.ndarray]:
    """Lines (points, 2) of row and column, through the left cavity: one towards the right ventricle, one across."""
    spacing = np.array(case.sparse.pixel_spacing)
    left = _centre(case, LEFT_CAVITY)
    across = _unit((left - _centre(case, RIGHT_VENTRICLE)) * spacing)
    steps = np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM, STEP_MM)[:, np.newaxis]
    directions = {"through both ventricles": across, "across the left ventricle": np.array([across[1], -across[0]])}
    return {name: left + steps * direction / spacing for name, direction in directions.items()}


def alongLine(voxels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(slices, points) of voxels (slices, rows, columns), bilinear in the plane and 0 outside the image."""
    corner = np.floor(points).astype(int)
    fraction = points - corner
    padded = np.pad(voxels.astype(float), ((0, 0), (1, 1), (1, 1)))
    image = np.zeros((len(voxels), len(points)))
    for row, column in np.ndindex(2, 2):
        weight = np.abs(1 - row - fraction[:, 0]) * np.abs(1 - column - fraction[:, 1])
        rows, columns = ((corner + (row, column) + 1).T[n].clip(0, padded.shape[n + 1] - 1) for n in (0, 1))
        image += weight * padded[:, rows, columns]
    return image


def bounds(stack: SliceStack) -> np.ndarray:
    """Edges of the slices in mm along the slice axis: half way between neighbours."""
    middles = (stack.positions[1:] + stack.positions[:-1]) / 2
    return np.concatenate([[2 * stack.positions[0] - middles[0]], middles, [2 * stack.positions[-1] - middles[-1]]])


def show(axis, image: np.ndarray, edges: np.ndarray, case: DemoCase) -> None:
    """Draw an image (slices, points) whose slices have these edges in mm; the heart stands on its apex or its base."""
    columns = np.linspace(-HALF_WIDTH_MM, HALF_WIDTH_MM, image.shape[1] + 1)
    axis.pcolormesh(columns, edges, image, cmap="gray", vmin=0, vmax=brightest(case), rasterized=True)
    axis.set(aspect="equal", ylim=bounds(case.sparse)[[0, -1]], facecolor="black", xticks=[], yticks=[])


def brightest(case: DemoCase) -> float:
    """The value that is drawn white, the same in all pictures of a case: bright blood, and not the fat around it."""
    return float(np.percentile(case.sparse.voxels[0][case.labels > 0], 99.9))


def isApexFirst(case: DemoCase) -> bool:
    """The heart is widest near the base."""
    areas = np.flatnonzero((case.labels > 0).any(axis=(1, 2)))
    sizes = [(case.labels[k] > 0).sum() for k in areas]
    return sum(sizes[: len(sizes) // 2]) < sum(sizes[-(len(sizes) // 2) :])


def _middleGap(case: DemoCase, acquired: Sequence[int | None]) -> list[int]:
    below = int(np.median(np.flatnonzero((case.labels == LEFT_CAVITY).any(axis=(1, 2)))[:-1]))
    return list(range(acquired.index(below), acquired.index(below + 1) + 1))


def cropped(case: DemoCase, image: np.ndarray) -> np.ndarray:
    """An image (rows, columns) around the heart."""
    rows, columns = heartBox(case, 15.0)
    return image[rows, columns]


def save(figure, path: Path) -> None:
    """Write a figure as a picture, and forget it."""
    figure.savefig(path, dpi=130)
    plt.close(figure)
