"""In-plane resampling covers the whole field of view, keeps positions, and is invertible for smooth images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calid.reconstruction.inplane import InplaneGrid

spacings = st.floats(0.7, 2.5)
sizes = st.integers(40, 300)


def smooth_image(shape, spacing, centre_mm=(0.0, 0.0), width_mm=25.0):
    """A Gaussian blob at a position in mm from the centre of the field of view."""
    y, x = ((np.arange(n) - (n - 1) / 2) * d for n, d in zip(shape, spacing, strict=True))
    return np.exp(-((y[:, None] - centre_mm[0]) ** 2 + (x[None] - centre_mm[1]) ** 2) / (2 * width_mm**2))


@given(sizes, sizes, spacings, spacings)
def test_model_grid_covers_the_field_of_view(rows, columns, row_mm, column_mm):
    grid = InplaneGrid((rows, columns), (row_mm, column_mm), 1.5, 16)
    for model, size, mm in zip(grid.model_shape, (rows, columns), (row_mm, column_mm), strict=True):
        assert model % 16 == 0
        assert model * 1.5 >= size * mm - 1e-3
        assert (model - 16) * 1.5 < size * mm


@given(sizes, sizes, spacings, spacings, st.floats(-10, 10), st.floats(-10, 10))
def test_structures_stay_where_they_are_and_the_way_back_is_an_inverse(rows, columns, row_mm, column_mm, y, x):
    grid = InplaneGrid((rows, columns), (row_mm, column_mm), 1.5, 16)
    image = smooth_image((rows, columns), (row_mm, column_mm), (y, x))
    expected = smooth_image(grid.model_shape, (1.5, 1.5), (y, x))
    there = grid.to_model(image)
    inside = tuple(
        np.abs((np.arange(m) - (m - 1) / 2) * 1.5) < n * d / 2 - 4 * max(1.5, d)
        for m, n, d in zip(grid.model_shape, (rows, columns), (row_mm, column_mm), strict=True)
    )
    difference = (there - expected)[np.ix_(*inside)]
    assert difference.size == 0 or np.abs(difference).max() < 0.01
    core = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(grid.from_model(there)[core], image[core], atol=0.01)


def test_a_constant_image_stays_constant():
    grid = InplaneGrid((97, 113), (1.17, 1.9), 1.5, 16)
    there = grid.to_model(np.full((2, 97, 113), 3.0))
    np.testing.assert_allclose(there, 3.0, rtol=1e-5)
    np.testing.assert_allclose(grid.from_model(there), 3.0, rtol=1e-5)


@pytest.mark.parametrize("period_px", [2.2, 2.5])
def test_detail_too_fine_for_the_model_grid_is_suppressed_not_aliased(period_px):
    grid = InplaneGrid((256, 256), (0.7, 0.7), 1.5, 16)
    stripes = np.cos(2 * np.pi * np.arange(256) / period_px)[None].repeat(256, axis=0)
    assert np.abs(grid.to_model(stripes)[20:-20, 20:-20]).max() < 0.15


@pytest.mark.parametrize(("rows", "columns"), [(slice(8, 24), slice(16, 40)), (slice(0, 48), slice(0, 64))])
def test_a_part_comes_back_as_it_does_with_zeros_all_around(rows, columns):
    grid = InplaneGrid((30, 47), (2.0, 1.7), 1.5, 16)
    whole = np.zeros((3, *grid.model_shape), np.float32)
    part = whole[:, rows, columns]
    part += np.random.default_rng(0).uniform(0, 1, part.shape)
    np.testing.assert_allclose(grid.from_part(part, rows, columns), grid.from_model(whole), atol=1e-5)
