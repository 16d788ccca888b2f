"""Noise: reproducible, unit variance, smooth along the stack, symmetric under reversal."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from calid.model.sampler import AnchoredNoise

SHAPE = (8, 24, 24)


@given(st.integers(0, 2**31), st.integers(2, 14), st.floats(0, 1), st.data())
def test_reversed_stack_gets_reversed_noise(seed, slices, fraction, data):
    below = data.draw(st.integers(0, slices - 2))
    noise = AnchoredNoise(seed, slices, (2, 4, 4))
    torch.testing.assert_close(noise.at(0, below, fraction), noise.at(0, slices - 2 - below, 1 - fraction))


@pytest.mark.parametrize("slices", [2, 5, 10])
@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 1.0])
def test_noise_has_unit_variance_everywhere_in_a_gap(slices, fraction):
    noise = AnchoredNoise(3, slices, (8, 64, 64))
    for below in range(slices - 1):
        drawn = noise.at(0, below, fraction)
        assert abs(float(drawn.std()) - 1) < 0.03
        assert abs(float(drawn.mean())) < 0.03


def test_neighbouring_positions_share_noise_and_distant_ones_do_not():
    noise = AnchoredNoise(0, 9, SHAPE)

    def correlation(a, b):
        return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])

    here = noise.at(0, 1, 0.4)
    assert correlation(here, noise.at(0, 1, 0.5)) > 0.95
    assert abs(correlation(here, noise.at(0, 3, 0.4))) < 0.1


def test_noise_is_continuous_across_an_acquired_slice():
    noise = AnchoredNoise(0, 6, SHAPE)
    torch.testing.assert_close(noise.at(0, 1, 1.0), noise.at(0, 2, 0.0))


def test_odd_samples_mirror_even_ones_and_pairs_differ():
    noise = AnchoredNoise(0, 6, SHAPE)
    torch.testing.assert_close(noise.at(1, 2, 0.3), -noise.at(0, 2, 0.3))
    assert not torch.allclose(noise.at(2, 2, 0.3), noise.at(0, 2, 0.3))
    assert not torch.allclose(AnchoredNoise(1, 6, SHAPE).at(0, 2, 0.3), noise.at(0, 2, 0.3))
