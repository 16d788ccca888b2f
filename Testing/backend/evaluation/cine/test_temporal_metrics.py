"""What the metrics of motion and volume say of made-up slices whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from calid.evaluation.cine.temporal_metrics import circular_differences, difference_psnr, flicker, harmonic_energy
from calid.evaluation.cine.volume_curve import compare_curves, correlation, ejection_fraction, volume_curve
from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM

PHASES = 20
TIME = np.arange(PHASES) / PHASES


def wave(harmonic: int, amplitude: float = 1.0, phases: int = PHASES) -> np.ndarray:
    """One harmonic of the heart cycle in 4 x 5 pixels, each at its own delay."""
    delay = np.random.default_rng(0).uniform(0, 1, (1, 4, 5))
    return amplitude * np.cos(2 * np.pi * (harmonic * np.arange(phases)[:, None, None] / phases - delay))


def test_the_last_phase_is_followed_by_the_first() -> None:
    ramp = np.arange(4.0)[:, None, None] * np.ones((4, 2, 3))
    np.testing.assert_array_equal(circular_differences(ramp)[:, 0, 0], [1, 1, 1, -3])


def test_a_constant_error_of_the_image_is_no_error_of_the_motion() -> None:
    beat = 0.5 + wave(1, 0.2)
    assert difference_psnr(beat, beat) == pytest.approx(100)
    assert difference_psnr(beat, beat + 0.1) == pytest.approx(100)


def test_half_the_amplitude_is_half_the_motion() -> None:
    beat, still = wave(1, 0.2), np.zeros((PHASES, 4, 5))
    assert difference_psnr(beat, beat / 2) - difference_psnr(beat, still) == pytest.approx(20 * np.log10(2))


@pytest.mark.parametrize("phases", [20, 21])
@pytest.mark.parametrize("harmonic", [1, 7])
def test_a_harmonic_has_its_energy_at_its_own_place(harmonic: int, phases: int) -> None:
    images = 3 + wave(harmonic, 0.5, phases)
    energy = harmonic_energy(images)
    assert energy.shape == (phases // 2 + 1,)
    np.testing.assert_allclose(energy[[0, harmonic]], [20 * 9, 20 * 0.5**2 / 2])
    assert energy.sum() == pytest.approx(np.square(images).sum() / phases)


def test_alternating_phases_are_the_highest_harmonic_and_counted_once() -> None:
    images = np.where(np.arange(PHASES) % 2, 1.0, -1.0)[:, None, None] * np.ones((1, 4, 5))
    assert harmonic_energy(images)[-1] == pytest.approx(20)


def test_only_what_is_above_the_fifth_harmonic_flickers() -> None:
    real = wave(1) + wave(5) + wave(6, 0.1)
    assert flicker(real, real) == pytest.approx(1)
    assert flicker(real, real + wave(4) + wave(5)) == pytest.approx(1)
    assert flicker(real, real + wave(8, 0.2)) == pytest.approx(5)
    assert flicker(real, wave(1) + wave(6, 0.05)) == pytest.approx(0.25)


def test_a_pure_shift_in_time_flickers_no_more_but_moves_wrongly() -> None:
    real = wave(1) + wave(6, 0.1)
    shifted = np.roll(real, 5, axis=0)
    assert flicker(real, shifted) == pytest.approx(1)
    assert difference_psnr(real, shifted) < 15


def test_flicker_is_undefined_where_the_real_slice_has_none() -> None:
    assert np.isnan(flicker(wave(1, phases=11), wave(1, phases=11)))
    assert np.isnan(flicker(np.ones((PHASES, 4, 5)), wave(8)))
    assert flicker(wave(8), np.ones((PHASES, 4, 5))) == pytest.approx(1e-6)


def test_the_volume_is_area_times_slice_distance_in_ml() -> None:
    labels = np.zeros((2, 3, 10, 10), np.uint8)
    labels[0, :, 2:7, 3:7] = LEFT_VENTRICLE
    labels[1, 1] = MYOCARDIUM
    labels[1, 1, 0, :5] = LEFT_VENTRICLE
    np.testing.assert_allclose(volume_curve(labels, (2.0, 1.5), 10.0), [3 * 20 * 0.03, 5 * 0.03])


def test_curves_are_compared_by_course_size_and_ejection() -> None:
    real = 100 + 40 * np.cos(2 * np.pi * TIME)
    assert compare_curves(real, real, 0, 10) == pytest.approx(
        {"volume_correlation": 1, "volume_error": 0, "ejection_error": 0, "ejection_bias": 0}
    )
    flat = 100 + 20 * np.cos(2 * np.pi * TIME)
    found = compare_curves(real, flat, 0, 10)
    assert found["volume_correlation"] == pytest.approx(1)
    assert found["volume_error"] == pytest.approx(20 * np.abs(np.cos(2 * np.pi * TIME)).mean())
    assert found["ejection_bias"] == pytest.approx(100 * (40 / 120 - 80 / 140))
    assert found["ejection_error"] == -found["ejection_bias"]


def test_a_constant_curve_has_no_course_and_an_empty_one_no_ejection() -> None:
    curve = np.array([3.0, 2.0, 1.0])
    assert np.isnan(correlation(curve, np.full(3, 2.0)))
    assert np.isnan(correlation(np.full(3, 2.0), curve))
    assert ejection_fraction(np.full(3, 2.0), 0, 2) == 0
    assert np.isnan(ejection_fraction(np.zeros(3), 0, 2))
