"""Size, weight and heart rate: what no patient can be is refused in words, or left out if a study says it."""

from __future__ import annotations

import re

import pytest

from calid.errors import UnusableInput
from calid.measurement.body import Body


def test_surface_is_mosteller_s_and_the_rate_that_of_the_interval():
    body = Body(height_cm=180, weight_kg=80, rr_ms=800)
    assert body.surface_m2 == pytest.approx(2.0)
    assert body.heart_rate == pytest.approx(75)
    assert Body(height_cm=180).surface_m2 is None
    assert Body().heart_rate is None


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"height_cm": 1.8}, r"height is 1\.8 cm.*it seems to be in metres"),
        ({"height_cm": 1800}, "it seems to be in millimetres"),
        ({"weight_kg": 0}, "weight is 0 kg"),
        ({"weight_kg": 70000}, "it seems to be in grams"),
        ({"weight_kg": -3}, "weight is -3 kg"),
        ({"rr_ms": 0.85}, "it seems to be in seconds"),
        ({"rr_ms": float("nan")}, "R-R interval is nan"),
    ],
)
def test_what_no_patient_can_be_is_refused_with_a_guess_at_the_unit(typed, words):
    with pytest.raises(UnusableInput) as raised:
        Body(**typed)
    assert re.search(words, f"{raised.value}: {raised.value.remedy}")


def test_what_was_typed_goes_before_what_the_study_states():
    body, notes = Body.of({"height_cm": 170.0, "weight_kg": None}, {"height_cm": 190.0, "weight_kg": 60.0})
    assert (body.height_cm, body.weight_kg, notes) == (170, 60, [])


def test_what_a_study_states_and_cannot_be_is_left_out_and_said():
    body, (note,) = Body.of({}, {"height_cm": 1.8, "weight_kg": 60.0, "rr_ms": None})
    assert body == Body(weight_kg=60.0)
    assert "height is 1.8 cm" in note
    with pytest.raises(UnusableInput):
        Body.of({"weight_kg": 0.0}, {})
