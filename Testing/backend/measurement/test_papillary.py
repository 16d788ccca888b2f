"""Papillary muscles on the side that was asked for."""

from __future__ import annotations

import numpy as np

from calid.measurement.papillary import given_to_wall
from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM


def heart(blood: float, muscle: float) -> tuple[np.ndarray, np.ndarray]:
    """A square cavity with a dark square in it, in a wall; probabilities and image."""
    found = np.zeros((3, 4, 40, 40), np.float32)
    found[:, MYOCARDIUM, 8:32, 8:32] = 1
    found[:, :, 12:28, 12:28] = 0
    found[:, LEFT_VENTRICLE, 12:28, 12:28] = 1
    found[:, 0] = 1 - found[:, 1:].sum(axis=1)
    image = np.full((3, 40, 40), muscle)
    image[:, 12:28, 12:28] = blood
    image[:, 15:19, 15:19] = muscle
    return found, image


def test_what_is_dark_in_the_cavity_goes_to_the_wall_and_nothing_is_lost():
    found, image = heart(900.0, 300.0)
    changed = given_to_wall(found, image)
    assert changed[:, LEFT_VENTRICLE, 15:19, 15:19].max() == 0
    assert changed[:, LEFT_VENTRICLE].sum() == found[:, LEFT_VENTRICLE].sum() - 3 * 16
    assert changed[:, MYOCARDIUM].sum() == found[:, MYOCARDIUM].sum() + 3 * 16
    np.testing.assert_allclose(changed.sum(axis=1), 1)


def test_where_blood_is_dark_nothing_changes():
    found, image = heart(200.0, 500.0)
    np.testing.assert_array_equal(given_to_wall(found, image), found)
