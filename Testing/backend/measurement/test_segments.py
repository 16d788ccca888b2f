"""The seventeen segments lie where a reader of the image would put them, whichever way the file turns it."""

from __future__ import annotations

import numpy as np
import pytest

from calid.measurement.segments import NAMES, LongAxis
from calid.segmentation.labels import MYOCARDIUM, RIGHT_VENTRICLE

# As radiologists look at it, from the apex: columns to the right, rows down, so that rows x columns looks at the eye.
SEEN_FROM_THE_APEX = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])
POSITIONS = np.arange(0, 110, 2.0)


def segments(heart, found, frame=SEEN_FROM_THE_APEX, base_first=True, positions=POSITIONS):
    axis = LongAxis.of(found, positions, heart.pixel, frame, base_first)
    assert axis is not None
    apex = heart.base_mm + heart.length
    return axis.segment_thickness(found, apex if base_first else -apex)


def thinned(found, rows, columns, positions, heart, deep):
    """The outer third of the wall taken off in some rows and columns, relative to the middle, in some slices."""
    side = np.arange(heart.size) - (heart.size - 1) / 2
    y, x = np.meshgrid(side, side, indexing="ij")
    far = np.hypot(x, y) * heart.pixel > heart.radius + 0.6 * heart.wall
    there = far & rows(y, x) & columns(y, x)
    changed = found.copy()
    for k in np.flatnonzero(deep(positions)):
        changed[k, 0][there] += changed[k, MYOCARDIUM][there]
        changed[k, MYOCARDIUM][there] = 0
    return changed


def test_a_wall_of_even_thickness_has_seventeen_segments_of_that_thickness(capsule):
    found = segments(capsule, capsule.probabilities(POSITIONS))
    assert sorted(found) == list(range(1, 18))
    for number, thickness in found.items():
        assert thickness == pytest.approx(capsule.wall, rel=0.05), NAMES[number - 1]


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        (lambda y, x: y < -abs(x), lambda y, x: True, "basal anterior"),
        (lambda y, x: y > abs(x), lambda y, x: True, "basal inferior"),
        (lambda y, x: (y < 0) & (y > 1.7 * x), lambda y, x: x < 0, "basal anteroseptal"),
        (lambda y, x: (y > 0) & (y < -1.7 * x), lambda y, x: x < 0, "basal inferoseptal"),
        (lambda y, x: (y > 0) & (y < 1.7 * x), lambda y, x: x > 0, "basal inferolateral"),
        (lambda y, x: (y < 0) & (y > -1.7 * x), lambda y, x: x > 0, "basal anterolateral"),
    ],
)
def test_the_segment_that_was_thinned_is_the_one_a_reader_would_name(ventricle, rows, columns, expected):
    whole = ventricle.probabilities(POSITIONS)
    changed = thinned(whole, rows, columns, POSITIONS, ventricle, lambda z: z < ventricle.base_mm + 27)
    before, after = segments(ventricle, whole), segments(ventricle, changed)
    thinner = {n: before[n] - after[n] for n in before if n in after}
    assert NAMES[max(thinner, key=thinner.__getitem__) - 1] == expected


def test_the_same_heart_has_the_same_segments_however_its_file_is_turned(ventricle):
    rows = {"rows": lambda y, x: y < -abs(x), "columns": lambda y, x: True}
    whole = ventricle.probabilities(POSITIONS)
    found = thinned(whole, positions=POSITIONS, heart=ventricle, deep=lambda z: z < ventricle.base_mm + 27, **rows)
    expected = segments(ventricle, found)
    mirrored = SEEN_FROM_THE_APEX @ np.diag([-1.0, 1, 1, 1])
    flipped = segments(ventricle, found[..., ::-1], mirrored)
    other_way = SEEN_FROM_THE_APEX @ np.diag([1.0, 1, -1, 1])
    upside_down = segments(ventricle, found[::-1], other_way, False, -POSITIONS[::-1])
    turned = segments(ventricle, np.swapaxes(found, -1, -2), SEEN_FROM_THE_APEX[:, [1, 0, 2, 3]])
    for other in (flipped, upside_down, turned):
        assert other == pytest.approx(expected, rel=0.02)


def test_without_a_right_ventricle_nobody_knows_where_the_septum_is(ventricle):
    found = ventricle.probabilities(POSITIONS)
    found[:, 0] += found[:, RIGHT_VENTRICLE]
    found[:, RIGHT_VENTRICLE] = 0
    assert LongAxis.of(found, POSITIONS, ventricle.pixel, SEEN_FROM_THE_APEX, True) is None


def test_a_stack_without_a_full_ring_of_wall_has_no_segments(ventricle):
    found = ventricle.probabilities(POSITIONS)
    axis = LongAxis.of(found, POSITIONS, ventricle.pixel, SEEN_FROM_THE_APEX, True)
    open_wall = found.copy()
    open_wall[..., : ventricle.size // 2] = 0
    assert axis.segment_thickness(open_wall, 90.0) == {}


def turned(degrees: float) -> np.ndarray:
    """The frame of a stack whose base to apex is ``degrees`` below the horizontal."""
    angle = np.radians(degrees)
    frame = np.eye(4)
    frame[:3, 2] = [0.7 * np.cos(angle), -np.sqrt(0.51) * np.cos(angle), -np.sin(angle)]
    frame[:3, 0] = np.cross([0.0, 0, 1], frame[:3, 2])
    frame[:3, 0] /= np.linalg.norm(frame[:3, 0])
    frame[:3, 1] = np.cross(frame[:3, 2], frame[:3, 0])
    return frame


@pytest.mark.parametrize(
    ("frame", "is_oriented"),
    [(turned(30), True), (turned(5), True), (turned(-30), False), (np.eye(4), False), (SEEN_FROM_THE_APEX, False)],
)
def test_directions_that_are_not_those_of_a_patient_are_noticed(ventricle, frame, is_oriented):
    axis = LongAxis.of(ventricle.probabilities(POSITIONS), POSITIONS, ventricle.pixel, frame, True)
    assert axis is not None
    assert axis.is_oriented is is_oriented
