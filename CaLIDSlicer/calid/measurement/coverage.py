"""Whether a stack holds the whole left ventricle, and what to say if not.

Many stacks begin in the slice that readers take for the base: nearly all of 74 patients of ACDC have the cavity in the
first slice. That is no fault. What none of those stacks shows is marked: a ventricle that is too short, or cut through
where it is wide.
"""

from __future__ import annotations

import numpy as np

from calid.measurement.extent import Extent

_SHORTEST_MM = 50.0
"""At end-diastole; the shortest of those patients has 60."""

_WIDEST_END = 0.45
"""Area of the cavity in the last slice towards the apex, as a share of the largest; the most of those is 0.42."""


def coverage_notes(areas: np.ndarray, base_first: bool, extent: Extent, slices: int) -> list[str]:
    """Sentences on where a stack ends too early, at end-diastole; each that begins with *Partial* spoils volumes.

    :param areas: (k,) mm² of the left cavity.
    :param slices: number of acquired slices.
    """
    first, last = (1, slices) if base_first else (slices, 1)
    end = float(areas[-1 if base_first else 0] / areas.max())
    notes = []
    if end > _WIDEST_END:
        notes.append(
            f"Partial: the apex is missing. In slice {last}, the last, the left cavity still has {end:.0%} of its "
            "largest area; volumes and mass are of what the stack shows."
        )
    if extent.length_mm < _SHORTEST_MM:
        missing = "" if end > _WIDEST_END or not extent.base.open else f"; slice {first} does not reach the base"
        notes.append(
            f"Partial: the stack shows {extent.length_mm:.0f} mm of the left ventricle only, and even small ones have "
            f"{_SHORTEST_MM:.0f} mm{missing}; volumes and mass are of what the stack shows."
        )
    elif extent.base.open:
        notes.append(
            f"The base is not below slice {first}, the first: what may lie beyond half a slice distance is not counted."
        )
    return notes
