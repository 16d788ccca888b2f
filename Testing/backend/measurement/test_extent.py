"""Base and apex as planes, wherever the slices happen to lie, and whichever comes first."""

from __future__ import annotations

import numpy as np
import pytest

from calid.measurement.coverage import coverage_notes
from calid.measurement.extent import base_comes_first, find_extent
from calid.segmentation.labels import LEFT_VENTRICLE


def areas_of(heart, positions):
    return heart.probabilities(positions)[:, LEFT_VENTRICLE].sum(axis=(1, 2)) * heart.pixel**2


@pytest.mark.parametrize("base_first", [True, False])
@pytest.mark.parametrize("start", [0.0, 0.8, 1.7])
def test_both_planes_are_found_to_a_dense_slice_distance(ventricle, base_first, start):
    positions, acquired = start + np.arange(0, 115, 2.0), start + np.arange(0, 115, 10.0)
    areas = areas_of(ventricle, positions)
    expected = ventricle.base_mm, ventricle.base_mm + ventricle.length * np.sqrt(0.95)
    if not base_first:
        areas, positions, acquired = areas[::-1], -positions[::-1], -acquired[::-1]
        expected = -expected[0], -expected[1]
    extent = find_extent(areas, positions, base_first, acquired, 2.0)
    assert extent.base.position_mm == pytest.approx(expected[0], abs=1.0)
    assert extent.apex.position_mm == pytest.approx(expected[1], abs=1.0)
    assert not extent.base.open
    assert not extent.apex.open
    assert 1.0 <= extent.base.plus_minus_mm <= 2.0
    assert acquired[extent.base.slice_number - 1] == pytest.approx(expected[0], abs=5.0)


def test_a_sparse_stack_knows_its_base_to_half_a_slice_distance(ventricle):
    positions = np.arange(0, 115, 10.0)
    base = find_extent(areas_of(ventricle, positions), positions, True, positions, 10.0).base
    assert base.plus_minus_mm >= 5
    assert abs(base.position_mm - ventricle.base_mm) <= base.plus_minus_mm


def test_the_base_comes_first_or_last(ventricle):
    positions = np.arange(0, 115, 4.0)
    found = ventricle.probabilities(positions)
    assert base_comes_first(found, positions)
    assert not base_comes_first(found[::-1], positions)


@pytest.mark.parametrize(("first", "last", "expected"), [(0, 110, ()), (20, 110, ("base",)), (0, 50, ("apex", "only"))])
@pytest.mark.parametrize("base_first", [True, False])
def test_a_stack_that_ends_too_early_is_said_to_with_the_slice(ventricle, first, last, expected, base_first):
    positions = np.arange(first, last + 1, 10.0)
    areas = areas_of(ventricle, positions)
    if not base_first:
        areas, positions = areas[::-1], -positions[::-1]
    extent = find_extent(areas, positions, base_first, positions, 10.0)
    notes = coverage_notes(areas, base_first, extent, len(positions))
    assert len(notes) == len(expected)
    assert all(word in note for word, note in zip(expected, notes, strict=True))
    if expected == ("base",):
        assert f"slice {1 if base_first else len(positions)}" in notes[0]
    if "apex" in expected:
        assert f"slice {len(positions) if base_first else 1}" in notes[0]
        assert notes[0].startswith("Partial")
