"""Pictures of dense truth: long-axis cuts of hearts and of real stacks, error along gap and heart, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calid.baselines.methods import Method, interpolate, nearest_weights
from calid.evaluation.dense.metrics import long_axes
from calid.evaluation.dense.reliability import DEVIATIONS, expected_coverage
from calid.evaluation.dense.report import along, mean_coverage
from calid.evaluation.dense.scoring import ScoredHeart, true_cut
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack

LARGEST_ERROR = 0.3  # white in an error map
DEPTHS = 8
REAL_SPACING = 1.25  # mm between the slices of a real stack as it is drawn


def draw_figures(scored: Sequence[ScoredHeart], folder: Path) -> None:
    """For each setting ``long_axis_SETTING.png``; ``along_the_gap.png`` and ``along_the_heart.png`` for all.

    ``reliability.png`` where a method predicts deviations.
    """
    settings = _by_setting(scored)
    for setting, part in settings.items():
        _save(_long_axis(part), folder / f"long_axis_{setting.replace('/', '-')}.png")
    _save(_curves(settings, "fractions", None, "fraction of the gap"), folder / "along_the_gap.png")
    _save(_curves(settings, "depths", DEPTHS, "from base to apex"), folder / "along_the_heart.png")
    if any(s.coverage is not None for s in scored):
        _save(_reliability(settings), folder / "reliability.png")


def draw_real(stack: SliceStack, methods: Mapping[str, Method], path: Path) -> None:
    """Both long-axis cuts of the first phase of a stack without truth, as it is and as each method fills it."""
    first = stack.phase(0)
    plan = plan_slices(first.positions, REAL_SPACING)
    shown = {"stack": interpolate(nearest_weights, first, plan)[0]}
    shown |= {name: method(first, plan)[0] for name, method in methods.items()}
    rows, columns = (slice(size // 4, size - size // 4) for size in first.voxels.shape[2:])
    white = float(np.percentile(first.voxels[..., rows, columns], 99.5))
    figure = Figure(figsize=(3 * len(shown), 7))
    for axes, (name, dense) in zip(figure.subplots(2, len(shown), squeeze=False).T, shown.items(), strict=True):
        cuts = long_axes(dense[0].astype(np.float32) / white, (rows, columns))
        for axis, cut, pixel in zip(axes, cuts, first.pixel_spacing[::-1], strict=True):
            _show(axis, cut, name, float(np.diff(plan.positions).mean()) / pixel)
    _save(figure, path)


def _by_setting(scored: Sequence[ScoredHeart]) -> dict[str, list[ScoredHeart]]:
    settings = dict.fromkeys(str(s.case.setting) for s in scored)
    return {setting: [s for s in scored if str(s.case.setting) == setting] for setting in settings}


def _long_axis(part: Sequence[ScoredHeart]) -> Figure:
    """The best, the median and the worst heart of the last method: truth, stack, every method, and its error below."""
    methods = list(dict.fromkeys(s.method for s in part))
    judged = sorted((s for s in part if s.method == methods[-1]), key=lambda s: -s.scores["psnr"])
    chosen = dict.fromkeys([0, len(judged) // 2, len(judged) - 1])
    figure = Figure(figsize=(2.6 * (2 + len(methods)), 5 * len(chosen)))
    axes = figure.subplots(2 * len(chosen), 2 + len(methods), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for row, n in enumerate(chosen):
        case = judged[n].case
        made = [s for s in part if s.case is case]
        _draw_heart(axes[2 * row : 2 * row + 2], made)
    return figure


def _draw_heart(axes: np.ndarray, made: Sequence[ScoredHeart]) -> None:
    case = made[0].case
    aspect = case.layer / case.pixel
    nearest = interpolate(nearest_weights, case.stack, case.plan)[0][0]
    stack = long_axes(case.scaled(nearest), case.box)[0]
    for axis, cut, title in zip(
        axes[0], (true_cut(case), stack), (f"heart {case.heart}: truth", "stack"), strict=False
    ):
        _show(axis, cut, title, aspect)
    for above, below, s in zip(axes[0, 2:], axes[1, 2:], made, strict=True):
        _show(above, s.cut, s.method, aspect)
        title = f"{s.scores['psnr']:.2f} dB, long axis {s.scores['lax']:.3f}, seam {s.scores['seam']:.2f}"
        _show(below, s.error, title, aspect, "inferno", LARGEST_ERROR)


def _show(axis: Axes, image: np.ndarray, title: str, aspect: float, colours: str = "gray", white: float = 1.0) -> None:
    axis.imshow(image, cmap=colours, vmin=0, vmax=white, interpolation="nearest", aspect=aspect)
    axis.set_title(title, fontsize=7, pad=2)
    axis.set_axis_off()


def _curves(settings: Mapping[str, Sequence[ScoredHeart]], where: str, bins: int | None, label: str) -> Figure:
    """PSNR of every method over one axis, a panel for each setting."""
    figure = Figure(figsize=(4.5 * len(settings), 4))
    for axis, (setting, part) in zip(
        figure.subplots(1, len(settings), squeeze=False)[0], settings.items(), strict=True
    ):
        for method in dict.fromkeys(s.method for s in part):
            means = along([s for s in part if s.method == method], where, bins)
            axis.plot([float(at) for at in means], [m["psnr"] for m in means.values()], marker="o", label=method)
        axis.set(title=setting, xlabel=label, ylabel="PSNR, dB", xlim=(0, 1))
    names = list(dict.fromkeys(s.method for part in settings.values() for s in part))
    figure.legend(names, loc="upper center", ncols=min(len(names), 7), fontsize=8, bbox_to_anchor=(0.5, 0))
    return figure


def _reliability(settings: Mapping[str, Sequence[ScoredHeart]]) -> Figure:
    """Share of the truth within so many predicted deviations, and what it should be."""
    figure = Figure(figsize=(5, 4))
    axis = figure.subplots()
    axis.plot(DEVIATIONS, expected_coverage(), color="black", linestyle=":", label="Laplace distribution")
    for setting, part in settings.items():
        for method in dict.fromkeys(s.method for s in part):
            shares = mean_coverage([s for s in part if s.method == method])
            if shares is not None:
                axis.plot(DEVIATIONS, shares, marker="o", label=f"{setting} {method}")
    axis.set(xlabel="predicted standard deviations", ylabel="share of the truth within", ylim=(0, 1))
    axis.legend(fontsize=8)
    return figure


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110, bbox_inches="tight")
