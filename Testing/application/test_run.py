"""From the sample to a result that is shown, as the tutorial goes."""

from driving import loadSample, picture, reconstruct
from looking import cutOffInPanel, pressed, shown


def test_the_panel_is_readable_once_the_sample_is_loaded():
    loadSample()
    picture("ready")
    assert cutOffInPanel() == []


def test_the_buttons_say_what_is_seen_of_a_result():
    loadSample(slices=5, pixel=3.0, matrix=(64, 64))
    dense = reconstruct()
    picture("result")
    assert pressed() == shown(dense)
