"""What a self-check found, and what it means, in words for the reader of the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calid.stacks.stack import SliceStack

from ..Display.Geometry import towardsApex
from ..Translation import _


@dataclass(frozen=True)
class CheckedSlice:
    """Scores of one hidden slice: of the model's prediction and of linear interpolation between its neighbours.

    ``index`` counts all slices from 0, as arrays do, ``number`` from 1, as people do; ``position`` is in mm from the
    first slice, PSNR is in dB.
    """

    index: int
    position: float
    psnr: float
    ssim: float
    linearPsnr: float
    linearSsim: float

    @property
    def number(self) -> int:
        """The slice as people count."""
        return self.index + 1

    @classmethod
    def of(cls, fields: Mapping[str, float], positions: np.ndarray) -> CheckedSlice:
        """From the fields of a :class:`calid.protocol.Checked` event and the positions of all slices in mm."""
        index = int(fields["index"])
        scores = (float(fields[name]) for name in ("psnr", "ssim", "linear_psnr", "linear_ssim"))
        return cls(index, float(positions[index]), *scores)


@dataclass(frozen=True, eq=False)
class SelfCheckReport:
    """What a self-check found.

    :param slices: the hidden slices, in order.
    :param verdict: what it means, in plain sentences.
    :param worst: index of the slice that was predicted worst.
    :param table: vtkMRMLTableNode with a row for each hidden slice.
    :param plot: vtkMRMLPlotChartNode of the PSNR of model and linear interpolation along the heart.
    :param picture: volume nodes of the worst slice: acquired, predicted by the model, linearly interpolated.
    """

    slices: list[CheckedSlice]
    verdict: str
    worst: int
    table: Any
    plot: Any
    picture: tuple[Any, ...]


def worstOf(slices: Sequence[CheckedSlice]) -> int:
    """Index of the slice that the model predicts with the lowest PSNR."""
    return min(slices, key=lambda checked: checked.psnr).index


def verdictOf(slices: Sequence[CheckedSlice], stack: SliceStack, volumeNode) -> str:
    """The verdict: how the model compares on this patient, where it is worst, and how hard the test was.

    :param volumeNode: tells where the apex is.
    """
    worst = worstOf(slices)
    where = _place(worst, len(stack.positions), towardsApex(volumeNode))
    caution = _("Slice {number}{place} is predicted worst: treat synthesised slices next to it with caution.")
    return f"{_comparison(slices)} {caution.format(number=worst + 1, place=where)} {_howHard(stack)}"


def _comparison(slices: Sequence[CheckedSlice]) -> str:
    better = sum(checked.psnr > checked.linearPsnr for checked in slices)
    gain = float(np.mean([checked.psnr - checked.linearPsnr for checked in slices]))
    share = _("{better} of 1 slice") if len(slices) == 1 else _("{better} of {count} slices")
    facts = {"share": share.format(better=better, count=len(slices)), "gain": gain}
    if gain > 0 and 2 * better > len(slices):
        verdict = _(
            "On this patient the model predicts hidden slices better than linear interpolation on {share} "
            "({gain:+.1f} dB on average)."
        )
    elif gain > 0 or 2 * better > len(slices):
        verdict = _(
            "On this patient the model is no clear gain over linear interpolation: it is better on {share} "
            "({gain:+.1f} dB on average)."
        )
    else:
        verdict = _(
            "On this patient the model predicts hidden slices no better than linear interpolation does: it is better "
            "on {share} ({gain:+.1f} dB on average). Trust its slices no more than interpolated ones."
        )
    return verdict.format(**facts)


def _place(index: int, count: int, apexIsLast: bool) -> str:
    if count < 4 or index not in (1, count - 2):
        return ""
    return _(" (near the apex)") if (index > 1) == apexIsLast else _(" (near the base)")


def _howHard(stack: SliceStack) -> str:
    bridged, gap = float(np.mean(stack.positions[2:] - stack.positions[:-2])), float(stack.gaps.mean())
    text = _(
        "The test is harder than the task: a hidden slice leaves a gap of {bridged:.3g} mm, and the real gaps are "
        "half as wide ({gap:.3g} mm)."
    )
    return text.format(bridged=bridged, gap=gap)
