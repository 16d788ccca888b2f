"""Hearts that are known at every position, each acquired in a setting, as cases to score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from calid.errors import UnusableInput
from calid.evaluation.dense.acquisition import Setting, acquire
from calid.evaluation.dense.disturbance import disturb
from calid.files.reading import read_stack
from calid.selfcheck.similarity import Region
from calid.stacks.plan import DensePlan, plan_slices
from calid.stacks.stack import SliceStack

PATTERN = "heart*_sax.nii.gz"
BOX_MM = 130.0
"""Side of the scored square around the middle of the field of view."""

_GAIN = 100
"""Room for rounding the means of 8-bit voxels to whole numbers, as files hold them."""


@dataclass(frozen=True, eq=False)
class DenseCase:
    """One heart in one setting.

    :param heart: its number.
    :param volume: (layers, rows, columns) float32, base first; the truth.
    :param frame: of :class:`~calid.stacks.stack.SliceStack`.
    :param layer: mm from one layer to the next.
    """

    heart: str
    setting: Setting
    volume: np.ndarray
    frame: np.ndarray
    layer: float

    @property
    def step(self) -> int:
        """Layers from one acquired slice to the next."""
        return round(self.setting.distance / self.layer)

    @property
    def kept(self) -> list[int]:
        """Layers of the acquired slices."""
        return list(range(0, len(self.volume), self.step))

    @property
    def missing(self) -> list[int]:
        """Layers that are scored."""
        return [k for k in range(len(self.volume)) if k % self.step]

    @property
    def thickness(self) -> float:
        """Of an acquired slice, in layers."""
        return self.setting.thickness / self.layer

    @property
    def pixel(self) -> float:
        """mm from one column to the next."""
        return float(np.linalg.norm(self.frame[:3, 0]))

    @cached_property
    def one(self) -> float:
        """What counts as 1: the 99.5th percentile of the volume. For scoring only."""
        return float(np.percentile(self.volume, 99.5))

    def scaled(self, voxels: np.ndarray) -> np.ndarray:
        """Intensities to 0..1, clipped."""
        return np.clip(voxels / self.one, 0, 1)

    @property
    def box(self) -> Region:
        """Rows and columns of the scored square."""
        half = round(BOX_MM / self.pixel / 2)
        rows, columns = (slice(max(0, size // 2 - half), size // 2 + half) for size in self.volume.shape[1:])
        return rows, columns

    @cached_property
    def stack(self) -> SliceStack:
        """What the scanner would have given: int16, and as DICOM would say it, how thick the slices are."""
        slices = acquire(self.volume, self.kept, self.thickness)
        if self.setting.disturbed:
            slices = disturb(slices, self.one, self.pixel, seed=int(self.heart))
        positions = np.array(self.kept) * self.layer
        voxels = np.round(slices).astype(np.int16)[np.newaxis]
        return SliceStack(voxels, self.frame, positions, thickness=self.setting.thickness)

    @cached_property
    def plan(self) -> DensePlan:
        """The plan that puts a slice at every layer."""
        return plan_slices(self.stack.positions, self.layer)


def load_cases(data: Path, settings: Sequence[Setting], hearts: Sequence[str] = ()) -> Iterator[DenseCase]:
    """Every heart in every setting.

    :param hearts: numbers, such as ``"003"``; all if empty.
    :raises UnusableInput: before the first case, if there are no such files.
    """
    files = {file.name.removeprefix("heart").partition("_")[0]: file for file in sorted(data.glob(PATTERN))}
    missing = [heart for heart in hearts if heart not in files]
    if missing or not files:
        raise UnusableInput(
            f"{data} has no {', '.join(f'heart{heart}_sax.nii.gz' for heart in missing) or PATTERN}",
            "name a folder of dense hearts, and those of its hearts that are to be scored",
        )
    return (_load(heart, files[heart], setting) for setting in settings for heart in hearts or files)


def _load(heart: str, file: Path, setting: Setting) -> DenseCase:
    whole = read_stack(file)
    layer = float(whole.gaps.mean())
    step = round(setting.distance / layer)
    count = (len(whole.positions) - 1) // max(step, 1) * step + 1
    if step < 2 or count == 1:
        raise UnusableInput(
            f"{file} has {len(whole.positions)} layers, {layer:g} mm apart: no slices {setting.distance:g} mm apart",
            "choose a distance from 2 layers to the length of the heart",
        )
    return DenseCase(heart, setting, whole.voxels[0, :count].astype(np.float32) * _GAIN, whole.frame, layer)
