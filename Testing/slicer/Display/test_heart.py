"""The heart is found by its motion, and views, grey scale and rendering follow it."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from CaLIDSlicerLib.Display.Geometry import extentsOf, planesOf, worldMatrix
from CaLIDSlicerLib.Display.Heart import HEART_SHARE, HEART_SIZE, heartOf
from CaLIDSlicerLib.Display.Window import fitWindow

PIXEL = 1.4  # mm, as conftest's cine has
BESIDE = (170, 90)  # (i, j), far from the middle of the 256 x 200 voxels


def beating(at=BESIDE, matrix=(200, 256), phases=4) -> np.ndarray:
    """A cine (t, k, j, i): a ring that contracts, dark around it; bright fat at one edge, which breathes a little."""
    rows, columns = np.indices(matrix)
    distance = np.hypot(columns - at[0], rows - at[1]) * PIXEL
    rng = np.random.default_rng(5)
    cine = rng.normal(30, 4, (phases, 5, *matrix))
    for phase, radius in enumerate(np.linspace(38, 25, phases)):
        cine[phase][:, distance < radius + 10] = 90
        cine[phase][:, distance < radius] = 260
        cine[phase][:, :, : 12 + phase % 2] = 1500
    return cine.astype(np.int16)


@pytest.fixture
def cine(makeCine, sequencesLogic):
    return makeCine(beating(), values=("0", "30", "60", "90"))


def test_a_beating_heart_is_found_where_it_is(cine):
    heart = heartOf(cine.proxy)
    assert np.hypot(*(np.array(heart.centre) - BESIDE)) * PIXEL < 10
    assert heart.size == (HEART_SIZE, HEART_SIZE)


def test_of_a_still_the_middle_is_taken(makeVolume):
    heart = heartOf(makeVolume(beating(phases=1)[0]))
    assert heart.centre == (127.5, 99.5)
    np.testing.assert_allclose(heart.size, (HEART_SHARE * 256 * PIXEL, HEART_SHARE * 200 * PIXEL))


def test_a_cine_without_motion_is_a_still(makeCine, sequencesLogic):
    still = makeCine(np.repeat(beating(phases=2)[:1], 3, axis=0))
    assert heartOf(still.proxy).centre == (127.5, 99.5)


def test_the_shown_field_is_no_larger_than_the_image(makeCine, sequencesLogic):
    small = makeCine(beating(at=(40, 30), matrix=(60, 80)), values=("0", "30", "60", "90"))
    np.testing.assert_allclose(heartOf(small.proxy).size, (80 * PIXEL, 60 * PIXEL))


def test_the_cuts_go_through_the_heart(cine):
    heart = heartOf(cine.proxy)
    middle = (worldMatrix(cine.proxy) @ [*heart.centre, 2.5, 1])[:3]
    for plane in planesOf(cine.proxy, heart):
        np.testing.assert_allclose(plane[:3, 3], middle)
    assert extentsOf(cine.proxy, heart)[0] == heart.size


def test_the_part_of_the_voxels_lies_around_the_centre(cine):
    part = heartOf(cine.proxy).within(slicer.util.arrayFromVolume(cine.proxy), cine.proxy.GetSpacing())
    assert part.shape[0] == 5
    assert part.max() < 1500  # the fat at the edge is outside
    assert abs(part.shape[1] * PIXEL - HEART_SIZE) < 2 * PIXEL


@pytest.fixture
def display(cine):
    cine.proxy.CreateDefaultDisplayNodes()
    return cine.proxy.GetDisplayNode()


def test_an_automatic_window_is_fitted_to_the_heart_and_then_left_to_the_user(cine, display):
    display.AutoWindowLevelOn()
    fitWindow(cine.proxy, heartOf(cine.proxy))
    assert not display.GetAutoWindowLevel()
    assert 230 < display.GetWindowLevelMax() < 300
    display.SetWindowLevel(1500, 750)
    fitWindow(cine.proxy, heartOf(cine.proxy))
    assert (display.GetWindow(), display.GetLevel()) == (1500, 750)


@pytest.mark.parametrize(("chosen", "isKept"), [((200, 150), True), ((320, 160), True), ((1500, 750), False)])
def test_a_window_of_the_file_or_the_user_is_kept_unless_it_hides_the_heart(cine, display, chosen, isKept):
    display.AutoWindowLevelOff()
    display.SetWindowLevel(*chosen)
    fitWindow(cine.proxy, heartOf(cine.proxy))
    assert ((display.GetWindow(), display.GetLevel()) == chosen) == isKept
