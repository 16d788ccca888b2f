"""What was measured, as numbers, as JSON and as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from calid.measurement.body import Body
from calid.measurement.curve import FEWEST_PHASES_FOR_RATES, Function, output_l_min, peak_rates
from calid.measurement.extent import Extent
from calid.measurement.intervals import DIASTOLE, LEVEL, SYSTOLE, TOGETHER, Spread, around, stroke_half_widths
from calid.measurement.papillary import CONVENTIONS
from calid.measurement.segments import NAMES
from calid.measurement.volumes import GRAMS_PER_ML

if TYPE_CHECKING:
    from calid.measurement.phases import LabelledPhases

Curves = dict[str, np.ndarray]

INDEXED = ("edv_ml", "esv_ml", "sv_ml", "mass_g", "output_l_min")


@dataclass(frozen=True, eq=False)
class Measurement:
    """The measures of one heart beat.

    :param ml: volumes of the phases of the dense stack by parts of the heart: ``lv``, ``wall``, ``rv``; and
        ``doubtful_ml``, how much of each is of doubtful label, and ``basal_ml``, how much is next to the base.
    :param simpson_ml: the same by Simpson's rule on the acquired slices; ``None`` if the input was dense.
    :param ed: number of end-diastole, from 0, and ``es`` of end-systole.
    :param extents: base and apex of each phase.
    :param thickness: mm of the wall in each phase, by the number of the segment.
    :param labels: (phases, k, rows, columns) uint8 on the dense grid, if they were asked for.
    :param dense_positions: mm along the slice axis of the slices that were measured.
    :param notes: sentences that belong to the numbers.
    :param heart: what was counted, phase by phase: pictures and surfaces are made of it.
    """

    ml: Curves
    doubtful_ml: Curves
    basal_ml: Curves
    simpson_ml: Curves | None
    ed: int
    es: int
    extents: tuple[Extent, ...]
    thickness: tuple[dict[int, float], ...]
    body: Body
    papillary: str
    labels: np.ndarray | None
    dense_positions: np.ndarray
    notes: tuple[str, ...]
    provenance: dict[str, Any]
    heart: LabelledPhases

    @property
    def lv(self) -> dict[str, float | None]:
        """Of the left ventricle, by name."""
        mass = {"mass_g": GRAMS_PER_ML * float(self.ml["wall"][self.ed])}
        return self._ventricle(self.ml, "lv") | mass | self._rates("lv")

    @property
    def rv(self) -> dict[str, float | None]:
        """Of the right ventricle, at the phases where it is largest and smallest."""
        return self._ventricle(self.ml, "rv") | self._rates("rv")

    @property
    def intervals(self) -> dict[str, dict[str, list[float]]]:
        """Of every volume, of stroke volume, ejection fraction and mass: where an expert's value is, nine in ten."""
        return {name: self._intervals(name) for name in ("lv", "rv")}

    @property
    def wall_range_percent(self) -> float | None:
        """How much the volume of the wall, which muscle keeps, varies over the beat: range in % of its mean."""
        wall = self.ml["wall"]
        return float(100 * np.ptp(wall) / wall.mean()) if len(wall) > 1 else None

    @property
    def times_ms(self) -> list[float] | None:
        """Of the phases, evenly over the R-R interval; ``None`` where that is not known."""
        rr, count = self.body.rr_ms, len(self.ml["lv"])
        return None if rr is None else [round(rr * t / count, 3) for t in range(count)]

    def thickening(self) -> dict[int, float]:
        """Percent by which each segment is thicker at end-systole than at end-diastole."""
        ed, es = self.thickness[self.ed], self.thickness[self.es]
        return {n: 100 * (es[n] / ed[n] - 1) for n in ed if n in es} if self.ed != self.es else {}

    def to_dict(self) -> dict[str, Any]:
        """Everything but the labels, for JSON."""
        surface = self.body.surface_m2
        return {
            "lv": rounded(self.lv),
            "rv": rounded(self.rv),
            "indexed": None if surface is None else {v: _indexed(getattr(self, v), surface) for v in ("lv", "rv")},
            "intervals": {"level": LEVEL, **rounded(self.intervals)},
            "simpson": None if self.simpson_ml is None else self._simpson(),
            "phases": {
                "times_ms": self.times_ms,
                **{f"{name}_ml": rounded(values.tolist()) for name, values in self.ml.items()},
                "end_diastole": self.ed + 1,
                "end_systole": self.es + 1,
            },
            "planes": {"end_diastole": _planes(self.extents[self.ed]), "end_systole": _planes(self.extents[self.es])},
            "segments": self._segments(),
            "wall_volume_range_percent": rounded(self.wall_range_percent),
            "body": {**asdict(self.body), "surface_m2": rounded(surface), "heart_rate": rounded(self.body.heart_rate)},
            "conventions": {
                "papillary": CONVENTIONS[self.papillary],
                "volumes": "voxels counted by their probability; a slice stands for the distance between slices",
                "base": "a plane, where the cavity's area falls to half of that of the slices below",
                "muscle_g_per_ml": GRAMS_PER_ML,
                "thickness": "length of Laplace field lines in three dimensions (Yezzi and Prince, 2003)",
            },
            "notes": list(self.notes),
            "provenance": self.provenance,
        }

    def _ventricle(self, ml: Curves, name: str) -> dict[str, float | None]:
        ed, es = (self.ed, self.es) if name == "lv" else (int(ml[name].argmax()), int(ml[name].argmin()))
        found = Function.of(ml[name], ed, es)
        return asdict(found) | {"output_l_min": output_l_min(found.sv_ml, self.body.heart_rate)}

    def _rates(self, name: str) -> dict[str, float | None]:
        rates: tuple[float | None, float | None] = (None, None)
        if self.body.rr_ms is not None and len(self.ml[name]) >= FEWEST_PHASES_FOR_RATES:
            rates = peak_rates(self.ml[name], self.body.rr_ms)
        return dict(zip(("peak_ejection_ml_s", "peak_filling_ml_s"), rates, strict=True))

    def _simpson(self) -> dict[str, Any]:
        ml = self.simpson_ml or {}
        mass = {"mass_g": GRAMS_PER_ML * float(ml["wall"][self.ed])}
        phases = {f"{name}_ml": rounded(values.tolist()) for name, values in ml.items()}
        return {
            "lv": rounded(self._ventricle(ml, "lv") | mass),
            "rv": rounded(self._ventricle(ml, "rv")),
            "phases": phases,
        }

    def _intervals(self, name: str) -> dict[str, list[float]]:
        ml = self.ml[name]
        ed, es = (self.ed, self.es) if name == "lv" else (int(ml.argmax()), int(ml.argmin()))
        edv, esv = float(ml[ed]), float(ml[es])
        halves = self._half(name, ed, DIASTOLE), self._half(name, es, SYSTOLE)
        found = {"edv_ml": around(edv, halves[0])}
        if len(ml) > 1 and edv > 0:
            stroke, fraction = stroke_half_widths(edv, esv, *halves, TOGETHER[name])
            found["esv_ml"] = around(esv, halves[1])
            found["sv_ml"] = around(edv - esv, stroke)
            found["ef_percent"] = around(100 * (1 - esv / edv), fraction, high=100.0)
        if name == "lv":
            half = self._half("wall", self.ed, DIASTOLE)
            found["mass_g"] = around(GRAMS_PER_ML * float(self.ml["wall"][self.ed]), GRAMS_PER_ML * half)
        return {key: list(value) for key, value in found.items()}

    def _half(self, name: str, t: int, spreads: dict[str, Spread]) -> float:
        """Half the interval of a volume in phase ``t``, ml."""
        curves = (self.ml, self.doubtful_ml, self.basal_ml)
        return spreads[name].half_width(*(float(curve[name][t]) for curve in curves))

    def _segments(self) -> list[dict[str, Any]]:
        ed, es, more = self.thickness[self.ed], self.thickness[self.es], self.thickening()
        return [
            {
                "number": n,
                "name": name,
                "end_diastole_mm": rounded(ed.get(n)),
                "end_systole_mm": rounded(es.get(n)) if self.ed != self.es else None,
                "thickening_percent": rounded(more.get(n)),
            }
            for n, name in enumerate(NAMES, 1)
        ]


def _indexed(values: dict[str, float | None], surface_m2: float) -> dict[str, float | None]:
    """Those that are given per m² of body surface."""
    return {f"{name}_m2": rounded(value / surface_m2) for name in INDEXED if (value := values.get(name)) is not None}


def _planes(extent: Extent) -> dict[str, Any]:
    return {
        side: {
            "position_mm": rounded(plane.position_mm),
            "plus_minus_mm": rounded(plane.plus_minus_mm),
            "slice": plane.slice_number,
            "beyond_the_stack": plane.open,
        }
        for side, plane in (("base", extent.base), ("apex", extent.apex))
    }


def rounded(value: Any) -> Any:
    """Numbers in it, to what can be told apart: two decimals."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(each) for each in value]
    return round(value, 2) if isinstance(value, float) else value
