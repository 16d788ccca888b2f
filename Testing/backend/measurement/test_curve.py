"""What a volume curve says, of beats that are known."""

from __future__ import annotations

import numpy as np
import pytest

from calid.measurement.curve import Function, end_phases, output_l_min, peak_rates

PHASES = np.arange(30) / 30


def test_end_phases_are_where_the_cavity_is_largest_and_smallest_not_the_first_one():
    assert end_phases(100 + 40 * np.cos(2 * np.pi * (PHASES - 0.2))) == (6, 21)


def test_a_beat_gives_stroke_volume_fraction_and_output():
    found = Function.of(np.array([120.0, 90.0, 48.0, 70.0]), 0, 2)
    assert (found.edv_ml, found.esv_ml, found.sv_ml, found.ef_percent) == (120, 48, 72, pytest.approx(60))
    assert output_l_min(found.sv_ml, 75.0) == pytest.approx(5.4)
    assert output_l_min(found.sv_ml, None) is None


def test_one_phase_has_a_volume_and_nothing_else():
    assert Function.of(np.array([120.0]), 0, 0) == Function(120.0, None, None, None)
    assert Function.of(np.array([0.0, 0.0]), 0, 1).ef_percent is None


def test_peak_rates_are_those_of_the_derivative():
    beat = 100 + 30 * np.cos(2 * np.pi * PHASES) + 6 * np.sin(4 * np.pi * PHASES)
    fine = np.linspace(0, 1, 3000)
    slope = 2 * np.pi * (-30 * np.sin(2 * np.pi * fine) + 12 * np.cos(4 * np.pi * fine)) / 0.8
    assert peak_rates(beat, 800.0) == pytest.approx((-slope.min(), slope.max()), rel=1e-3)


def test_noise_of_phases_moves_the_peaks_far_less_than_it_moves_differences():
    beat = 100 + 30 * np.cos(2 * np.pi * PHASES)
    _, filling = peak_rates(beat, 1000.0)
    noisy = [beat + np.random.default_rng(seed).normal(0, 2, 30) for seed in range(20)]
    ours = np.mean([abs(peak_rates(each, 1000.0)[1] - filling) for each in noisy])
    differences = np.mean([abs(np.diff(each).max() * 30 - filling) for each in noisy])
    assert ours < 0.6 * differences
