"""A plane through a stack shows what the stack has there, whatever its direction."""

from __future__ import annotations

import numpy as np
import pytest

from calid.stacks.agreement import correlation, gradient_correlation
from calid.stacks.section import Section
from calid.stacks.stack import SliceStack

FRAME = np.array([[0.0, 0.0, 1.0, 10.0], [2.0, 0.0, 0.0, -5.0], [0.0, 1.5, 0.0, 3.0], [0.0, 0.0, 0.0, 1.0]])
POSITIONS = np.array([0.0, 8.0, 20.0, 28.0])


@pytest.fixture(scope="module")
def stack() -> SliceStack:
    """Brightness is 3 x - 2 y + z in the world, which trilinear interpolation gives back exactly."""
    j, i = np.mgrid[:20, :24]
    volumes = []
    for position in POSITIONS:
        world = FRAME @ np.stack([i, j, np.full(i.shape, position), np.ones(i.shape)]).reshape(4, -1)
        volumes.append((np.array([3.0, -2.0, 1.0]) @ world[:3]).reshape(i.shape))
    return SliceStack(np.array(volumes)[np.newaxis], FRAME, POSITIONS)


def test_the_plane_of_a_slice_shows_the_slice(stack):
    affine = FRAME.copy()
    affine[:3, 3] += 8.0 * FRAME[:3, 2]
    image = Section.of(stack, affine, (20, 24)).sample(stack.voxels[0], stack.positions)
    np.testing.assert_allclose(image, stack.voxels[0, 1], rtol=1e-5)


@pytest.mark.parametrize("thickness", [None, 6.0])
def test_an_oblique_plane_shows_what_is_there_and_nothing_outside(stack, thickness):
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(np.array([[1.0, 0.3, 0.2], [0.2, 1.0, 0.1], [-0.3, 0.2, 1.0]]))[0]
    affine[:3, 3] = FRAME[:3] @ [12, 10, 14, 1] - affine[:3, :2] @ [30, 30]
    section = Section.of(stack, affine, (60, 60), thickness)
    image = section.sample(stack.voxels[0], stack.positions)
    assert 100 < section.inside.sum() < image.size
    np.testing.assert_array_equal(np.isfinite(image), section.inside)
    row, column = np.nonzero(section.inside)
    world = affine @ np.stack([column, row, np.zeros(len(row)), np.ones(len(row))])
    np.testing.assert_allclose(image[section.inside], np.array([3.0, -2.0, 1.0]) @ world[:3], rtol=1e-4, atol=1e-3)


def test_which_of_it_is_in_some_rows_and_columns(stack):
    affine = FRAME.copy()
    section = Section.of(stack, affine, (20, 24))
    inner = section.within(slice(5, 9), slice(3, None))
    np.testing.assert_array_equal(np.argwhere(inner).min(axis=0), [5, 3])
    np.testing.assert_array_equal(np.argwhere(inner).max(axis=0), [8, 23])


def test_agreement_heeds_neither_brightness_nor_contrast_nor_what_is_unknown():
    image = np.random.default_rng(0).normal(size=(30, 40))
    other = 100 - 7 * image
    assert correlation(image, 3 * image + 5) == pytest.approx(1)
    assert correlation(image, other) == pytest.approx(-1)
    assert gradient_correlation(image, other) == pytest.approx(1)
    hidden = np.where(np.arange(40) < 10, np.nan, 2 * image)
    assert correlation(image, hidden) == pytest.approx(1)
    assert gradient_correlation(image, hidden) == pytest.approx(1)
    assert np.isnan(correlation(image, np.ones_like(image)))
    where = np.arange(40) < 20
    spoilt = np.where(where, image, 0)
    assert correlation(image, spoilt, np.broadcast_to(where, image.shape)) == pytest.approx(1)
