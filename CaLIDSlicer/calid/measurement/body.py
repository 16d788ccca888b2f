"""What is known of the patient beside the images: size, weight and heart rate. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from calid.errors import UnusableInput

HEIGHT_CM = (40.0, 230.0)
WEIGHT_KG = (1.0, 350.0)
RR_MS = (250.0, 2500.0)
"""A heart beats 24 to 240 times a minute."""


@dataclass(frozen=True)
class Body:
    """What was typed in or stood in the study; ``None`` where nobody knows.

    :param rr_ms: from one R wave to the next. Never the time step of a file times its phases: converters write the
        repetition time there.
    :raises UnusableInput: for what no patient can be, with a guess at the unit that was meant.
    """

    height_cm: float | None = None
    weight_kg: float | None = None
    rr_ms: float | None = None

    def __post_init__(self) -> None:
        _check("height", self.height_cm, HEIGHT_CM, "cm", {"metres": 100.0, "millimetres": 0.1, "inches": 2.54})
        _check("weight", self.weight_kg, WEIGHT_KG, "kg", {"grams": 1e-3})
        _check("R-R interval", self.rr_ms, RR_MS, "ms", {"seconds": 1000.0})

    @classmethod
    def of(cls, typed: Mapping[str, float | None], stated: Mapping[str, float | None]) -> tuple[Body, list[str]]:
        """What was typed in, else what a study states; and sentences on what it states and cannot be.

        :raises UnusableInput: for what was typed in and cannot be.
        """
        body, notes = cls(**typed), []
        for name, value in stated.items():
            if getattr(body, name) is None and value is not None:
                try:
                    body = replace(body, **{name: value})
                except UnusableInput as error:
                    notes.append(f"In the study {error}, so it is left out.")
        return body, notes

    @property
    def surface_m2(self) -> float | None:
        """Body surface area (Mosteller, New England Journal of Medicine 317:1098, 1987)."""
        if self.height_cm is None or self.weight_kg is None:
            return None
        return math.sqrt(self.height_cm * self.weight_kg / 3600)

    @property
    def heart_rate(self) -> float | None:
        """Beats per minute."""
        return None if self.rr_ms is None else 60_000 / self.rr_ms


def _check(what: str, value: float | None, limits: tuple[float, float], unit: str, others: dict[str, float]) -> None:
    low, high = limits
    if value is None or low <= value <= high:
        return
    meant = [name for name, factor in others.items() if low <= value * factor <= high]
    guess = f"; it seems to be in {meant[0]}" if meant else ""
    raise UnusableInput(
        f"the {what} is {value:g} {unit}", f"give it in {unit}, from {low:g} to {high:g}, or leave it out{guess}"
    )
