"""What the self-check found, and how it is put into words. Needs no PyTorch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from calid.selfcheck.similarity import Region


@dataclass(frozen=True)
class HiddenSlice:
    """Scores of one hidden slice, means over the phases: PSNR in dB and SSIM.

    :param index: of the slice in the stack, from 0.
    :param gap: mm between its two neighbours, bridged to predict it.
    """

    index: int
    gap: float
    psnr: float
    ssim: float
    linear_psnr: float
    linear_ssim: float


@dataclass(frozen=True, eq=False)
class SelfCheck:
    """What the self-check found.

    :param slices: the inner slices, in order.
    :param predicted: (phases, inner slices, rows, columns) in the input's data type and intensity units.
    :param region: the rows and columns that were scored.
    :param acquired_gap: mean distance in mm between acquired slices.
    :param provenance: model id, weights SHA256, seed, steps, samples, device, versions.
    """

    slices: tuple[HiddenSlice, ...]
    predicted: np.ndarray
    region: Region
    acquired_gap: float
    provenance: dict[str, Any]

    @property
    def mean(self) -> dict[str, float]:
        """Every score, averaged over the hidden slices."""
        names = ("psnr", "ssim", "linear_psnr", "linear_ssim")
        return {name: float(np.mean([getattr(s, name) for s in self.slices])) for name in names}

    @property
    def worst(self) -> HiddenSlice:
        """The slice predicted with the lowest PSNR."""
        return min(self.slices, key=lambda s: s.psnr)

    @property
    def verdict(self) -> str:
        """One plain sentence; the difference in dB is the mean over all hidden slices."""
        count, better = len(self.slices), sum(s.psnr > s.linear_psnr for s in self.slices)
        gain = self.mean["psnr"] - self.mean["linear_psnr"]
        amount = f"by {gain:.1f} dB on average" if gain >= 0 else f"and is {-gain:.1f} dB worse on average"
        return (
            "predicts this patient's hidden slices better than linear interpolation "
            f"on {better} of {count} slice{'s' * (count > 1)}, {amount}; worst at slice {self.worst.index + 1}"
        )

    @property
    def note(self) -> str:
        """How to read the verdict."""
        bridged = np.mean([s.gap for s in self.slices])
        return (
            f"Pessimistic: a hidden slice leaves a gap of {bridged:.3g} mm, a reconstruction fills gaps of "
            f"{self.acquired_gap:.3g} mm. Scored in the central half of the field of view, which holds more than the "
            "heart."
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the images, for JSON."""
        rows, columns = ([side.start, side.stop] for side in self.region)
        return {
            "verdict": self.verdict,
            "note": self.note,
            "slices": [asdict(s) for s in self.slices],
            "mean": self.mean,
            "worst": self.worst.index,
            "region": {"rows": rows, "columns": columns},
            "provenance": self.provenance,
        }

    def to_text(self) -> str:
        """A table with a line per slice, then the verdict and how to read it."""
        lines = ["slice  gap mm  PSNR dB  linear   SSIM  linear"]
        lines += [
            f"{s.index + 1:5}  {s.gap:6.1f}  {s.psnr:7.2f}  {s.linear_psnr:6.2f}  {s.ssim:5.3f}  {s.linear_ssim:6.3f}"
            for s in self.slices
        ]
        return "\n".join([*lines, "", f"{self.provenance['model']} {self.verdict}", self.note])
