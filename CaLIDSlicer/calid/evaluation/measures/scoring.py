"""One patient, measured: beside the experts, and with every second slice hidden."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from calid.errors import StackWarning
from calid.evaluation.anatomy import STRUCTURES
from calid.evaluation.measures.patients import Patient, lengths_within, named
from calid.evaluation.overlap import dice
from calid.measurement.measure import measure
from calid.measurement.result import Measurement
from calid.options import Options
from calid.reconstruction.device import choose_device
from calid.reconstruction.intensity import IntensityScale
from calid.segmentation.chambers import Chambers, load_measurer
from calid.segmentation.segmenter import Segmenter, has_segmenter, load_segmenter, segment

THINNED_UP_TO_MM = 6.0
"""Stacks of slices that are no further apart can lose every second one and still look like what is acquired."""

INTERVALS = {
    "lv_edv_ml": ("lv", "edv_ml"),
    "lv_esv_ml": ("lv", "esv_ml"),
    "lv_sv_ml": ("lv", "sv_ml"),
    "lv_ef_percent": ("lv", "ef_percent"),
    "lv_mass_g": ("lv", "mass_g"),
    "rv_edv_ml": ("rv", "edv_ml"),
    "rv_esv_ml": ("rv", "esv_ml"),
    "rv_sv_ml": ("rv", "sv_ml"),
    "rv_ef_percent": ("rv", "ef_percent"),
}


@dataclass(frozen=True, eq=False)
class Thinned:
    """A patient of whom every second slice was kept, from ``start`` on: measured dense, and by Simpson's rule.

    :param expert: Simpson's rule on the experts' labels of the slices that were kept.
    :param same_reach: the same on the network's labels of all slices, as far as those that were kept stand for the
        heart: how far it goes on beyond the first slice is known to no stack that begins in it.
    """

    start: int
    found: Measurement
    expert: dict[str, float]
    same_reach: dict[str, float]


@dataclass(frozen=True, eq=False)
class ScoredPatient:
    """One patient.

    :param expert: what the labels say, by the names of :func:`calid.evaluation.measures.patients.named`.
    :param overlap: Dice at the acquired slices, by network and structure, both phases taken together.
    :param thinned: of a patient with close slices, the same with every second one.
    """

    patient: Patient
    expert: dict[str, float]
    found: Measurement
    overlap: dict[str, dict[str, float]]
    thinned: tuple[Thinned, ...]


def score_patient(patient: Patient, options: Options) -> ScoredPatient:
    """Measure a patient; one with close slices also with every second of them."""
    measurer = load_measurer(options.models, choose_device(options.device))
    labels = _labels(measurer, patient)
    thinned = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StackWarning)  # of the first phase beside another one far away in time
        found = measure(patient.stack, options=options)
        for start in (0, 1) if patient.gap <= THINNED_UP_TO_MM else ():
            less = patient.thinned(start)
            reach = patient.measures_of(labels, lengths_within(patient.stack.positions, *less.reach))
            thinned.append(Thinned(start, measure(less.stack, options=options), less.expert(), reach))
    overlap = {measurer.id: _overlap(labels, patient)}
    if has_segmenter(options.models):
        judge = load_segmenter(options.models, measurer.device)
        overlap[judge.id] = _overlap(segment(judge, patient.stack.voxels, patient.stack.pixel_spacing), patient)
    return ScoredPatient(patient, patient.expert(), found, overlap, tuple(thinned))


def dense_measures(found: Measurement) -> dict[str, float]:
    """Of the dense stack, by the names of the experts' measures."""
    return named(found.ml)


def simpson_measures(found: Measurement) -> dict[str, float]:
    """Of the acquired slices; the dense ones if the input was dense."""
    return named(found.ml if found.simpson_ml is None else found.simpson_ml)


def interval_of(found: Measurement, measure_name: str) -> tuple[float, float] | None:
    """Of a measure that has one."""
    ventricle, key = INTERVALS.get(measure_name, ("", ""))
    interval = found.intervals.get(ventricle, {}).get(key)
    return None if interval is None else (interval[0], interval[1])


def _overlap(labels: np.ndarray, patient: Patient) -> dict[str, float]:
    return {name: dice(labels == value, patient.labels == value) for name, value in STRUCTURES.items()}


def _labels(measurer: Segmenter, patient: Patient) -> np.ndarray:
    stack = patient.stack
    scale = IntensityScale.of(stack.voxels)
    chambers = Chambers.around(measurer, stack.voxels[0], stack.positions, stack.pixel_spacing, scale)
    if chambers is None:
        return np.zeros(stack.voxels.shape, np.uint8)
    return np.stack([chambers.labels(chambers.probabilities(each, stack.positions)) for each in stack.voxels])
