"""A scanner's stack from a heart that is known at every position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calid.errors import UnusableInput
from calid.reconstruction.slab import slab_operator

SETTINGS = ("10/8", "10/8+", "7.5/6", "5/5")
"""The first two are primary."""


@dataclass(frozen=True)
class Setting:
    """Slices every ``distance`` mm, each the mean over ``thickness`` mm.

    :param disturbed: moved in their planes and noisy, as breath-holds and coils make them.
    """

    distance: float
    thickness: float
    disturbed: bool

    @classmethod
    def parse(cls, text: str) -> Setting:
        """``"10/8"``, or with a plus for disturbed.

        :raises UnusableInput: for anything else.
        """
        try:
            distance, thickness = map(float, text.removesuffix("+").split("/"))
        except ValueError:
            distance = thickness = 0.0
        if not (distance > 0 and thickness > 0):
            raise UnusableInput(
                f"{text!r} is no setting", "write millimetres as DISTANCE/THICKNESS, such as 10/8 or 10/8+"
            )
        return cls(distance, thickness, text.endswith("+"))

    def __str__(self) -> str:
        return f"{self.distance:g}/{self.thickness:g}{'+' * self.disturbed}"


def acquire(dense: np.ndarray, kept: list[int], thickness: float) -> np.ndarray:
    """The slices (kept, rows, columns) at layers ``kept`` of a dense volume (layers, rows, columns).

    :param thickness: in layers, at least one; what a slice has beyond the volume is left out of its mean.
    """
    operator = slab_operator(np.arange(len(dense), dtype=float), np.array(kept, float), max(thickness, 1.0))
    return np.tensordot(operator, dense, 1)
