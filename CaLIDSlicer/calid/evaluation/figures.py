"""Pictures of an evaluation: slices with error maps, long-axis reformats, error along the heart and by uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calid.evaluation.heldout import Case
from calid.evaluation.report import SUBSETS
from calid.evaluation.scoring import ScoredSlice

EXAMPLES, REFORMATS = 6, 3
LARGEST_ERROR = 0.5  # white in an error map
BINS = 20
T = TypeVar("T")


def draw_figures(scored: Sequence[ScoredSlice], folder: Path) -> None:
    """Write ``examples_SET.png``, ``reformats_SET.png``, ``along_the_heart.png`` and, if given, ``uncertainty.png``."""
    for subset in SUBSETS:
        part = [s for s in scored if s.case.subset == subset]
        if part:
            _save(_examples(part), folder / f"examples_{subset}.png")
            _save(_reformats(part), folder / f"reformats_{subset}.png")
    _save(_along_the_heart(scored), folder / "along_the_heart.png")
    doubtful = [s for s in scored if s.uncertainty is not None]
    if doubtful:
        _save(_uncertainty(doubtful), folder / "uncertainty.png")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110, bbox_inches="tight")


def _methods(scored: Sequence[ScoredSlice]) -> list[str]:
    return list(dict.fromkeys(s.method for s in scored))


def _examples(scored: Sequence[ScoredSlice]) -> Figure:
    """Slices at equal steps through the whole set, not chosen by eye; below each image its error."""
    methods = _methods(scored)
    shown = _spread([s for s in scored if s.method == methods[0]], EXAMPLES)
    figure = Figure(figsize=(1.7 * (3 + len(methods)), 3.6 * len(shown)))
    axes = figure.subplots(2 * len(shown), 3 + len(methods), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for row, first in enumerate(shown):
        made = [s for s in scored if s.case is first.case and s.k == first.k]
        _draw_example(axes[2 * row : 2 * row + 2], made)
    return figure


def _spread(items: Sequence[T], count: int) -> list[T]:
    return [items[n] for n in np.unique(np.linspace(0, len(items) - 1, count).round().astype(int))]


def _reformats(scored: Sequence[ScoredSlice]) -> Figure:
    """Long-axis cuts through some hearts of the set, where every other slice is a method's."""
    methods = _methods(scored)
    cases = _spread(list(dict.fromkeys(s.case for s in scored)), REFORMATS)
    figure = Figure(figsize=(2.6 * (1 + len(methods)), 2.2 * len(cases)))
    for axes, case in zip(figure.subplots(len(cases), 1 + len(methods), squeeze=False), cases, strict=True):
        made = {m: {s.k: s.line for s in scored if s.case is case and s.method == m} for m in methods}
        _draw_cut(axes[0], case, {}, f"{case.patient} {case.phase}: real")
        for axis, method in zip(axes[1:], methods, strict=True):
            _draw_cut(axis, case, made[method], method)
    return figure


def _draw_cut(axis: Axes, case: Case, made: Mapping[int, np.ndarray | None], title: str) -> None:
    """The middle row of all slices around the heart, of those in ``made`` (by slice) as it is there."""
    lines = case.scaled(case.stack.voxels[0, :, case.middle_row])
    for k, line in made.items():
        lines[k] = line
    sides = [case.region(k)[1] for k in case.scored]
    columns = slice(min(side.start for side in sides), max(side.stop for side in sides))
    _show(axis, lines[case.scored[0] - 1 : case.scored[-1] + 2, columns], title)
    axis.set(aspect=case.distance / case.stack.pixel_spacing[1])
    axis.set_axis_off()


def _draw_example(axes: np.ndarray, made: Sequence[ScoredSlice]) -> None:
    first = made[0]
    for axis, offset, title in zip(axes[0], (-1, 0, 1), ("slice below", "real slice", "slice above"), strict=False):
        _show(axis, first.neighbour(offset), title)
    case = first.case
    name = f"{case.patient} {case.phase}\nslice {first.k}, {first.third}\n{case.every * case.distance:.3g} mm gap"
    axes[1, 0].text(0, 0.5, name, fontsize=8, transform=axes[1, 0].transAxes, va="center")
    for axis, below, s in zip(axes[0, 3:], axes[1, 3:], made, strict=True):
        _show(axis, s.image, s.method)
        _show(below, s.error, f"{s.scores['psnr']:.1f} dB, {s.scores['ssim']:.2f}", "inferno", LARGEST_ERROR)


def _show(axis: Axes, image: np.ndarray, title: str, colours: str = "gray", white: float = 1.0) -> None:
    axis.imshow(image, cmap=colours, vmin=0, vmax=white, interpolation="nearest")
    axis.set_title(title, fontsize=7, pad=2)


def _along_the_heart(scored: Sequence[ScoredSlice]) -> Figure:
    subsets = [subset for subset in SUBSETS if any(s.case.subset == subset for s in scored)]
    figure = Figure(figsize=(5.5 * len(subsets), 4))
    for axis, subset in zip(figure.subplots(1, len(subsets), squeeze=False)[0], subsets, strict=True):
        for method in _methods(scored):
            _draw_along(axis, [s for s in scored if s.method == method and s.case.subset == subset])
        for boundary in (1 / 3, 2 / 3):
            axis.axvline(boundary, color="0.8", linewidth=1)
        axis.set(title=f"{subset}: {SUBSETS[subset]}", xlabel="from base to apex", ylabel="mean absolute error (0..1)")
        axis.set(xlim=(0, 1), ylim=(0, None))
        axis.legend(fontsize=8)
    return figure


def _draw_along(axis: Axes, scored: Sequence[ScoredSlice], bins: int = 6) -> None:
    """Mean and spread (standard error) over the slices in equal parts of the heart axis."""
    part = np.array([min(int(s.case.depth(s.k) * bins), bins - 1) for s in scored])
    errors = np.array([s.error.mean() for s in scored])
    occupied = np.unique(part)
    mean = [errors[part == p].mean() for p in occupied]
    spread = [errors[part == p].std() / np.sqrt(np.count_nonzero(part == p)) for p in occupied]
    axis.errorbar((occupied + 0.5) / bins, mean, spread, marker="o", markersize=4, capsize=2, label=scored[0].method)


def _uncertainty(scored: Sequence[ScoredSlice]) -> Figure:
    """Mean true error of voxels of equal rank in uncertainty; a perfect prediction lies on the dotted line."""
    figure = Figure(figsize=(5, 4.5))
    axis = figure.subplots()
    for method in _methods(scored):
        part = [s for s in scored if s.method == method]
        doubt, error = (np.concatenate([image.ravel() for image in images]) for images in _pairs(part))
        bins = np.array_split(np.argsort(doubt), BINS)
        correlation = np.mean([s.scores["error_correlation"] for s in part])
        axis.plot(
            [doubt[b].mean() for b in bins],
            [error[b].mean() for b in bins],
            marker="o",
            label=f"{method}: rank correlation {correlation:.2f}",
        )
    axis.axline((0, 0), slope=np.sqrt(1 / 2), color="0.6", linestyle=":", label="Laplacian, exactly as uncertain")
    axis.set(xlabel="uncertainty (standard deviation, 0..1)", ylabel="mean absolute error (0..1)")
    axis.set(xlim=(0, None), ylim=(0, None))
    axis.legend(fontsize=8)
    return figure


def _pairs(scored: Sequence[ScoredSlice]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [s.uncertainty for s in scored if s.uncertainty is not None], [s.error for s in scored]
