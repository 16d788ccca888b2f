"""How a scanner would have acquired dense hearts: where thick slices lie, how far shifted, how noisy they are.

All numbers of an example are drawn here, without looking at a picture; :mod:`calid.training.acquire` makes pictures.
What is to be found are the thin slices at the knots of the gap, in the heart's own frame, without noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from calid.model.gap import NEIGHBOURS
from calid.model.knots import KNOTS
from calid.training.hearts import LAYER_MM
from calid.training.surroundings import Surroundings

STEP = (0.85, 1.2)
"""A heart is longer or shorter than it was, by as much: its layers are that many times 1.25 mm apart."""

EXACT = ((10.0, 8.0), (10.0, 8.0), (7.5, 6.0), (5.0, 5.0))
"""Distance and thickness in mm of usual protocols; the others are drawn."""


def boxcar(count: int, centre: float, width: float) -> np.ndarray:
    """(count,) weight of each layer in a slab of ``width`` layers around ``centre``, fractional ends, sum 1."""
    layers, half = np.arange(count), max(width, 1.0) / 2
    weights = np.minimum(layers + 0.5, centre + half) - np.maximum(layers - 0.5, centre - half)
    weights = np.clip(weights, 0, None)
    return weights / weights.sum()


def at(count: int, position: float) -> np.ndarray:
    """(count,) weights that interpolate between layers (cubic convolution; R. Keys, IEEE TASSP 29(6), 1981)."""
    weights = np.zeros(count)
    low = math.floor(position)
    for tap in range(low - 1, low + 3):
        x = abs(position - tap)
        value = 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
        weights[min(max(tap, 0), count - 1)] += value
    return weights


def protocol(step: float, count: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """Distance, thickness (mm) and the layer at which the gap begins."""
    draw = rng.random()
    if draw < 0.45:
        distance, thickness = EXACT[rng.integers(len(EXACT))]
        distance, thickness = distance * step / LAYER_MM, thickness * step / LAYER_MM
        return distance, thickness, float(rng.integers(0, max(1, int(count - 1 - distance / step))))
    if draw < 0.55:
        distance, thickness = rng.uniform(13, 20), rng.uniform(6, 10)
    elif draw < 0.7:
        distance = rng.uniform(4.5, 7)
        thickness = distance * rng.uniform(0.8, 1.0)
    else:
        distance = rng.uniform(6.5, 12)
        thickness = min(10.0, distance * rng.uniform(0.6, 1.0))
    return distance, thickness, float(rng.uniform(0, count - 1 - distance / step))


@dataclass(frozen=True)
class Disturbance:
    """What breath-holds and coils do to a stack.

    :param shift: mm, scale of Student's t with three degrees of freedom, along each axis, a slice on its own.
    :param noise: standard deviation, in units of the stack's intensity range.
    """

    shift: float
    noise: float


def disturbance(rng: np.random.Generator) -> Disturbance:
    """None for a third of the stacks; as published for real stacks for the larger part; anything for the rest."""
    draw = rng.random()
    if draw < 0.35:
        return Disturbance(0.0, 0.0)
    if draw < 0.75:
        return Disturbance(0.8, 0.02)
    return Disturbance(0.8 * float(rng.choice([0.0, 0.35, 0.7, 1.4])), float(rng.choice([0.0, rng.uniform(0, 0.04)])))


def shifts(count: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """(count, 2) mm."""
    return np.clip(rng.standard_t(3, (count, 2)) * scale, -12, 12)


TAPS = 5  # of the blur of a partly acquired k-space


class SlabDraw(NamedTuple):
    """An example of a dense heart, or ``n`` of them as tensors with a first axis.

    :param slot: of the heart in the pool.
    :param layers: (15, layers) weights of its layers in six slices and nine knots; 0 where a slice does not exist.
    :param shift: (6, 2) pixels along rows and columns.
    :param noise: standard deviation; :param blur: (5,) weights along the rows, of which the middle one may be alone.
    """

    slot: int
    layers: np.ndarray
    shift: np.ndarray
    noise: float
    blur: np.ndarray
    around: Surroundings


def draw_slabs(slot: int, count: int, padded: int, rng: np.random.Generator) -> SlabDraw:
    """One acquisition of a heart of ``count`` layers, with weights of ``padded`` layers."""
    step = LAYER_MM * rng.uniform(*STEP)
    distance, thickness, start = protocol(step, count, rng)
    offset = _offsets(rng)
    positions = start + offset * distance / step
    present = (positions > -0.5) & (positions < count - 0.5)
    if rng.random() < 0.15:
        present[: rng.integers(0, 3)] = False
    layers = np.zeros((NEIGHBOURS + KNOTS, padded), np.float32)
    for row in np.flatnonzero(present):
        layers[row, :count] = boxcar(count, positions[row], thickness / step)
    for knot, fraction in enumerate(np.linspace(0, 1, KNOTS)):
        layers[NEIGHBOURS + knot, :count] = at(count, start + fraction * distance / step)
    how = disturbance(rng)
    shift = shifts(NEIGHBOURS, how.shift, rng).astype(np.float32) / np.float32(LAYER_MM)
    around = Surroundings.of(present, offset, distance, thickness)
    return SlabDraw(slot, layers, shift, how.noise, _blur(how.noise, rng), around)


def _offsets(rng: np.random.Generator) -> np.ndarray:
    """(6,) positions of the slices in units of the gap; now and then those farther away are not equally spaced."""
    gaps = np.ones(NEIGHBOURS - 1)
    if rng.random() < 0.1:
        gaps[[0, 1, 3, 4]] = rng.uniform(0.7, 1.4, 4)
    offset = np.concatenate([[0], np.cumsum(gaps)])
    return offset - offset[2]


def _blur(noise: float, rng: np.random.Generator) -> np.ndarray:
    """(5,) float32: none, or now and then that of a partly acquired k-space in a noisy slice."""
    taps = np.zeros(TAPS, np.float32)
    taps[TAPS // 2] = 1
    if noise and rng.random() < 0.15:
        taps = np.exp(-0.5 * (np.arange(-2, 3) / rng.uniform(0.4, 0.8)) ** 2).astype(np.float32)
    return taps / taps.sum()
