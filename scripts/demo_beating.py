"""The cine of the demo: the command line makes it dense, and a beating picture and a contact sheet show it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from demo_input import DemoCase
from demo_pictures import (
    HALF_WIDTH_MM,
    alongLine,
    beforeAndAfter,
    bounds,
    brightest,
    cropped,
    isApexFirst,
    planes,
    save,
    show,
)
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

import calid
from calid.errors import CalidError
from calid.files.reading import read_stack
from calid.files.writing import write_stack
from calid.stacks.stack import SliceStack

CYCLE_SECONDS = 0.9
GREYS = 40
MOST_FRAMES = 16
SHEET_SLICES = 7


def reconstructCine(case: DemoCase, spacing: float, folder: Path) -> SliceStack:
    """Write the cine as a volume sequence of 3D Slicer, make it dense by ``calid reconstruct``, and read that back."""
    paths = [folder / f"{case.name.replace(' ', '_')}{part}.seq.nrrd" for part in ("", "_CaLID")]
    write_stack(case.sparse, paths[0])
    environment = os.environ | {"PYTHONPATH": str(Path(calid.__file__).parents[1])}
    command = [sys.executable, "-m", "calid", "reconstruct", *map(str, paths), "--spacing", str(spacing)]
    if case.sparse.thickness is not None:  # the file has no room for it
        command += ["--thickness", str(case.sparse.thickness)]
    finished = subprocess.run(command, env=environment, check=False)
    if finished.returncode:
        raise CalidError(f"{paths[0]}: the command line ended with code {finished.returncode}", "read what it printed")
    return read_stack(paths[1])


def drawBeating(case: DemoCase, dense: SliceStack, path: Path) -> None:
    """An animated picture at the speed of the heart: the plane through both ventricles, sparse, linear and dense."""
    phases = _shownPhases(len(dense.voxels))
    seconds = CYCLE_SECONDS if dense.times is None else dense.times[-1] * len(dense.times) / (len(dense.times) - 1)
    frames = [Image.fromarray(frame) for frame in _frames(case, dense, phases)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=round(1000 * seconds / len(frames)), loop=0)


def drawEndPhases(case: DemoCase, dense: SliceStack, path: Path) -> None:
    """A contact sheet: synthesised slices, each from the middle of a gap, at end-diastole and at end-systole."""
    indices = _middlesOfGaps(case, dense)
    figure, axes = plt.subplots(2, len(indices), figsize=(2 * len(indices), 4.6), layout="compressed")
    for row, (name, phase) in zip(axes, {"end-diastole": 0, "end-systole": case.endSystole}.items(), strict=True):
        for axis, index in zip(row, indices, strict=True):
            axis.imshow(cropped(case, dense.voxels[phase][index]), cmap="gray", vmin=0, vmax=brightest(case))
            axis.set_title(f"{name}\n{dense.positions[index]:.0f} mm, synthesised", fontsize=9)
            axis.axis("off")
    save(figure, path)


def _middlesOfGaps(case: DemoCase, dense: SliceStack) -> list[int]:
    """Dense slices between acquired ones that hold heart, at most ``SHEET_SLICES`` of them."""
    heart = case.sparse.positions[(case.labels > 0).any(axis=(1, 2))]
    middles = (heart[1:] + heart[:-1]) / 2
    chosen = middles[np.unique(np.linspace(0, len(middles) - 1, SHEET_SLICES).round().astype(int))]
    return [int(np.abs(dense.positions - position).argmin()) for position in chosen]


def _shownPhases(count: int) -> list[int]:
    """At most ``MOST_FRAMES`` phases, evenly spread: the picture stays small."""
    return [round(frame * count / min(count, MOST_FRAMES)) for frame in range(min(count, MOST_FRAMES))]


def _frames(case: DemoCase, dense: SliceStack, phases: list[int]) -> Iterator[np.ndarray]:
    """(rows, columns) uint8 of each phase, in few greys: noise in all of them would fill the file."""
    points = next(iter(planes(case).values()))
    titles = beforeAndAfter(case, dense)
    aspect = np.ptp(bounds(case.sparse)[[0, -1]]) / (2 * HALF_WIDTH_MM)
    for phase in phases:
        figure, axes = plt.subplots(1, len(titles), figsize=(12, 4 * aspect + 0.5), dpi=80, layout="constrained")
        for axis, (title, stack) in zip(axes, titles.items(), strict=True):
            show(axis, alongLine(stack.voxels[phase], points), bounds(stack), case)
            axis.set_title(title, fontsize=10)
            if not isApexFirst(case):
                axis.invert_yaxis()
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., 0].astype(float)
        plt.close(figure)
        yield (np.round(pixels / 255 * (GREYS - 1)) * 255 / (GREYS - 1)).astype(np.uint8)
