"""Wall thickness of walls whose thickness is known."""

from __future__ import annotations

import numpy as np
import pytest

from calid.measurement.thickness import wall_thickness
from calid.measurement.wall import Wall


def measured(heart, spacing=1.5, start=12.0):
    positions = np.arange(0, 110, spacing)
    found = heart.probabilities(positions)
    wall = Wall.of(found, (spacing, heart.pixel, heart.pixel), slice(int(np.ceil(start / spacing)) + 1, len(positions)))
    thickness, depth = wall_thickness(wall)
    return wall, thickness, depth, positions


@pytest.mark.parametrize("thick", [5.0, 8.0, 14.0])
def test_a_hemisphere_is_as_thick_everywhere_as_it_was_made(ventricle, thick):
    ball = type(ventricle)(radius=26.0, length=26.0, wall=thick)
    _, thickness, depth, _ = measured(ball)
    middle = (depth > 0.2) & (depth < 0.8)
    assert thickness[middle].mean() == pytest.approx(thick, rel=0.03)
    assert thickness[middle].std() < 0.06 * thick


def test_oblique_wall_near_the_apex_is_not_thicker_than_it_is(ventricle):
    """In a single slice the wall of a ball, cut half-way to its end, is longer by the secant of its slope."""
    ball = type(ventricle)(radius=26.0, length=26.0, wall=8.0)
    wall, thickness, depth, positions = measured(ball)
    at = positions[wall.index[:, 0] + 9]
    low = (at > 12 + 0.6 * 26) & (at < 12 + 0.8 * 26) & (depth > 0.2) & (depth < 0.8)
    z = 0.7 * 26
    in_plane = np.sqrt(34**2 - z**2) - np.sqrt(26**2 - z**2)
    assert in_plane > 1.2 * 8
    assert thickness[low].mean() == pytest.approx(8.0, rel=0.04)


def test_depth_runs_from_the_inside_to_the_outside_and_slices_may_be_further_apart_than_pixels(ventricle):
    wall, thickness, depth, _ = measured(ventricle, spacing=2.5)
    assert depth.min() >= -1e-3
    assert depth.max() <= 1.001
    radius = np.hypot(*(wall.index[:, 1:] - (ventricle.size - 1) / 2).T) * ventricle.pixel
    upper = wall.index[:, 0] < 8
    assert np.corrcoef(depth[upper], radius[upper])[0, 1] > 0.95
    assert thickness[upper & (abs(depth - 0.5) < 0.3)].mean() == pytest.approx(ventricle.wall, rel=0.04)
