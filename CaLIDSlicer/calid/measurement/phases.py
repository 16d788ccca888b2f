"""Every phase of a stack, labelled and counted as it comes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from calid.measurement.intervals import BASAL_MM
from calid.measurement.papillary import given_to_wall
from calid.measurement.volumes import PARTS, basal_volumes, counted_volumes, partial_volumes, slab_lengths
from calid.segmentation.chambers import Chambers
from calid.segmentation.labels import LEFT_VENTRICLE


@dataclass(eq=False)
class LabelledPhases:
    """The labels of a stack at ``positions`` (mm), phase by phase, and what they hold.

    :param acquired_gap: mm between acquired slices, as :func:`calid.measurement.volumes.slab_lengths` takes it.
    :param papillary: ``"cavity"`` or ``"wall"``.
    :param smooth: average probabilities over neighbouring slices, as close ones of one heart are alike.
    """

    chambers: Chambers
    positions: np.ndarray
    acquired_gap: float | None
    papillary: str
    smooth: bool
    probabilities: list[np.ndarray] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    partial: list[dict[str, float]] = field(default_factory=list)
    doubtful: list[dict[str, float]] = field(default_factory=list)
    counted: list[dict[str, float]] = field(default_factory=list)

    def add(self, slices: np.ndarray, drawn: np.ndarray | None = None) -> None:
        """The next phase (k, rows, columns), in scanner units.

        :param drawn: labels of the same shape that a person has drawn: they are counted as they are.
        """
        found = self._found(slices) if drawn is None else self.chambers.of_labels(drawn)
        volumes = partial_volumes(found, self.lengths, self.pixel_area)
        self.partial.append(dict(volumes.ml))
        self.doubtful.append(dict(volumes.doubtful_ml))
        self.counted.append(counted_volumes(found.argmax(axis=1), self.lengths, self.pixel_area))
        self.probabilities.append(found.astype(np.float16))  # thirty phases have to fit
        self.images.append(self.chambers.image(slices).astype(np.float16))

    def _found(self, slices: np.ndarray) -> np.ndarray:
        found = self.chambers.probabilities(slices, self.positions)
        if self.smooth:
            found = _smoothed(found)
        return given_to_wall(found, self.chambers.image(slices)) if self.papillary == "wall" else found

    @property
    def lengths(self) -> np.ndarray:
        """(k,) mm that each slice stands for."""
        return slab_lengths(self.positions, self.acquired_gap)

    @property
    def pixel_area(self) -> float:
        """mm²."""
        return self.chambers.segmenter.pixel**2

    def phase(self, t: int) -> np.ndarray:
        """Probabilities (k, classes, h, w) of a phase."""
        return self.probabilities[t].astype(np.float32)

    def image(self, t: int) -> np.ndarray:
        """What the network saw of a phase (k, h, w), in network units."""
        return self.images[t].astype(np.float32)

    def basal(self, t: int, base_first: bool) -> dict[str, float]:
        """What each part holds next to the base in a phase, ml."""
        return basal_volumes(self.phase(t), self.lengths, self.pixel_area, base_first, BASAL_MM)

    def cavity_areas(self, t: int) -> np.ndarray:
        """(k,) mm² of the left cavity in a phase."""
        return self.phase(t)[:, LEFT_VENTRICLE].sum(axis=(1, 2)) * self.pixel_area


def curves(phases: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """Volumes of all phases by parts of the heart, ml."""
    return {name: np.array([each[name] for each in phases]) for name in PARTS}


def _smoothed(probabilities: np.ndarray) -> np.ndarray:
    """The mean of each slice (a half) and its neighbours (a quarter each); the ends are their own neighbours."""
    padded = np.concatenate([probabilities[:1], probabilities, probabilities[-1:]])
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
