"""Pictures of an evaluation of cines: profiles over the beat, volume curves, and energy by harmonic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calid.evaluation.cine.scoring import ScoredCine
from calid.evaluation.cine.temporal_metrics import SMOOTH_HARMONICS, harmonic_energy
from calid.evaluation.scoring import REAL
from calid.segmentation.labels import LEFT_VENTRICLE

EXAMPLES = 5
BEATS = 2  # side by side, so that a seam between the last and the first phase would show
COLUMNS = 4


def draw_cine_figures(scored: Sequence[ScoredCine], folder: Path) -> None:
    """Write ``profiles.png``, ``harmonics.png`` and, where there are labels, ``volumes.png``."""
    cines = [[s for s in scored if s.case.patient == patient] for patient in _unique(s.case.patient for s in scored)]
    examples = np.unique(np.linspace(0, len(cines) - 1, EXAMPLES).round().astype(int))
    _profiles([cines[n] for n in examples]).savefig(folder / "profiles.png", dpi=110, bbox_inches="tight")
    _harmonics(cines).savefig(folder / "harmonics.png", dpi=110, bbox_inches="tight")
    if scored[0].volumes is not None:
        _volumes(cines).savefig(folder / "volumes.png", dpi=110, bbox_inches="tight")


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _profiles(cines: Sequence[Sequence[ScoredCine]]) -> Figure:
    """The intensity along a line through the left ventricle, from top to bottom, over time: an M-mode picture."""
    figure = Figure(figsize=(3.2 * len(cines[0]), 2.6 * len(cines)))
    for axes, cine in zip(figure.subplots(len(cines), len(cines[0]), squeeze=False), cines, strict=True):
        middle = len(cine[0].case.scored) // 2
        column = _cavity_column(cine[0], middle)
        for axis, s in zip(axes, cine, strict=True):
            axis.imshow(
                np.tile(s.region(middle)[:, :, column].T, BEATS),
                cmap="gray",
                vmin=0,
                vmax=1,
                aspect="auto",
                interpolation="nearest",
            )
            axis.set_axis_off()
            axis.set_title(_caption(s, middle), fontsize=8, pad=2)
    return figure


def _cavity_column(s: ScoredCine, n: int) -> int:
    """The column of the scored region on which the centre of the cavity lies at end-diastole."""
    k = s.case.scored[n]
    cavity = s.case.ends["ED"].labels[k][s.case.region(k)] == LEFT_VENTRICLE
    return round(float(np.argwhere(cavity)[:, 1].mean())) if cavity.any() else cavity.shape[1] // 2


def _caption(s: ScoredCine, n: int) -> str:
    if s.method == REAL:
        return f"{s.case.patient}, slice {s.case.scored[n]}, {s.case.every * s.case.distance:.3g} mm gap: real"
    return f"{s.method}\nmotion {s.slices[n]['difference_psnr']:.1f} dB, flicker {s.slices[n]['flicker']:.2f}"


def _volumes(cines: Sequence[Sequence[ScoredCine]]) -> Figure:
    """Of every patient: mL of the left ventricle in the held-out slices; the real one is thick and grey."""
    rows = -(-len(cines) // COLUMNS)
    figure = Figure(figsize=(3.6 * COLUMNS, 2.9 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis, cine in zip(axes, cines, strict=False):
        _draw_volumes(axis, cine)
    for axis in axes[len(cines) :]:
        axis.set_axis_off()
    return figure


def _draw_volumes(axis: Axes, cine: Sequence[ScoredCine]) -> None:
    for s in cine:
        style: dict[str, Any] = {"color": "0.7", "linewidth": 4} if s.method == REAL else {"linewidth": 1.2}
        if s.volumes is not None:
            axis.plot(s.volumes, label=f"{s.method}: r {s.scores['volume_correlation']:.3f}", **style)
    axis.set_title(f"{cine[0].case.patient}, {cine[0].case.subset}", fontsize=8)
    axis.set_xlabel("phase", fontsize=7)
    axis.set_ylabel("mL", fontsize=7)
    axis.tick_params(labelsize=7)
    axis.set_ylim(0, 1.1 * axis.get_ylim()[1])
    axis.legend(fontsize=6)


def _harmonics(cines: Sequence[Sequence[ScoredCine]]) -> Figure:
    """Energy of every harmonic of the heart cycle relative to the real slice's: geometric mean over the slices."""
    figure = Figure(figsize=(6.5, 4))
    axis = figure.subplots()
    for method in _unique(s.method for s in cines[0]):
        pairs = [(s, cine[0]) for cine in cines for s in cine if s.method == method != REAL]
        if pairs:
            axis.plot(*_energy_ratios(pairs), marker="o", markersize=3, label=method)
    axis.axhline(1, color="0.6", linewidth=1)
    axis.axvline(SMOOTH_HARMONICS + 0.5, color="0.6", linestyle=":", label="flicker counts from here")
    axis.set(xlabel="harmonic of the heart cycle", ylabel="energy relative to the real slice", yscale="log")
    axis.legend(fontsize=8)
    return figure


def _energy_ratios(pairs: Sequence[tuple[ScoredCine, ScoredCine]]) -> tuple[np.ndarray, np.ndarray]:
    """Harmonics from 1 that the longest cine has, and their ratio over the slices that have them."""
    tables = [
        (harmonic_energy(made.region(n))[1:], harmonic_energy(real.region(n))[1:])
        for made, real in pairs
        for n in range(len(made.case.scored))
    ]
    longest = max(len(real) for _, real in tables)
    logs = np.full((len(tables), longest), np.nan)
    for row, (made, real) in zip(logs, tables, strict=True):
        row[: len(real)] = np.log(np.maximum(made, 1e-12) / np.maximum(real, 1e-12))
    return np.arange(1, longest + 1), np.exp(np.nanmean(logs, axis=0))
