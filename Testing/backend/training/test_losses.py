"""What it costs to be wrong, against references and known signals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity
from torch import Generator, Tensor

from calid.model.weights import CalidModel
from calid.training.losses import channel_weight, dissimilarity, edge_loss, power_loss, ring_power


def texture(seed: int, *shape: int, sigma: float = 1.0) -> Tensor:
    """Smooth noise (n, 1, rows, columns), about as large as network units are."""
    white = np.random.default_rng(seed).normal(size=shape)
    return torch.from_numpy((sigma * gaussian_filter(white, (0, 0, sigma, sigma))).astype(np.float32))


@given(st.integers(0, 10_000), st.sampled_from([(31, 37), (16, 40)]), st.floats(0, 1))
def test_dissimilarity_is_one_minus_the_ssim_of_scikit_image(seed: int, size: tuple[int, int], error: float) -> None:
    truth = texture(seed, 2, 1, *size)
    estimate = truth + error * texture(seed + 1, 2, 1, *size)
    options = {"data_range": 2.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    pairs = zip(truth[:, 0].numpy(), estimate[:, 0].numpy(), strict=True)
    maps = [structural_similarity(a, b, **options)[1] for a, b in pairs]
    inside = np.mean([one[5:-5, 5:-5] for one in maps])
    assert float(dissimilarity(estimate, truth)) == pytest.approx(1 - inside, abs=1e-4)


def test_dissimilarity_is_computed_in_single_precision_under_autocast() -> None:
    bright, error = 1 + 0.02 * texture(0, 1, 1, 40, 40), 0.01 * texture(1, 1, 1, 40, 40)
    plain = dissimilarity(bright + error, bright)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(dissimilarity(bright + error, bright), plain)


def test_the_power_of_white_noise_is_its_variance_in_every_ring() -> None:
    noise = 0.5 * torch.randn(16, 1, 128, 96, generator=Generator().manual_seed(0))
    power = ring_power(noise)
    assert power.shape == (16, 7 * 5, 17)
    # Each patch gives away its mean, and with it most of its two slowest rings.
    torch.testing.assert_close(power.mean(dim=(0, 1))[2:], torch.full((15,), 0.25), rtol=0.05, atol=0)


@pytest.mark.parametrize("period", [4, 8])
def test_the_power_of_a_wave_lies_in_the_ring_of_its_frequency(period: int) -> None:
    wave = torch.sin(2 * torch.pi * torch.arange(64.0) / period)
    for image in (wave.expand(1, 1, 64, 64), wave[:, None].expand(1, 1, 64, 64)):
        assert int(ring_power(image).mean(dim=(0, 1)).argmax()) == 32 // period


@given(st.integers(0, 10_000))
def test_too_blurred_and_too_rough_both_cost(seed: int) -> None:
    truth = texture(seed, 1, 1, 64, 64)
    blurred = torch.from_numpy(gaussian_filter(truth.numpy(), (0, 0, 1.5, 1.5)))
    rough = truth + 0.2 * torch.randn(truth.shape, generator=Generator().manual_seed(seed))
    assert float(power_loss(truth, truth)) == 0
    assert float(power_loss(blurred, truth)) > 0.1
    assert float(power_loss(rough, truth)) > 0.1
    torch.testing.assert_close(power_loss(blurred, truth), power_loss(truth, blurred))


def test_power_does_not_ask_where_the_texture_lies() -> None:
    truth, other = (0.3 * torch.randn(8, 1, 128, 128, generator=Generator().manual_seed(n)) for n in (1, 2))
    weak = 0.1 * other
    assert float(power_loss(other, truth)) < 0.3 * float(power_loss(weak, truth))


def test_edges_cost_and_a_shift_in_grey_level_does_not() -> None:
    truth = texture(0, 2, 1, 32, 32)
    torch.testing.assert_close(edge_loss(truth + 0.3, truth), torch.zeros(()), atol=1e-6, rtol=0)
    step = torch.zeros(1, 1, 4, 4)
    step[..., 2:] = 1
    assert float(edge_loss(step, torch.zeros_like(step))) == pytest.approx(1 / 3)


def test_a_channel_that_does_not_show_weighs_nothing(tiny_model: CalidModel) -> None:
    class OneChannel(torch.nn.Module):
        """Decodes the first of two channels, three times as large."""

        def decode(self, latents: Tensor) -> Tensor:
            return 3 * latents[:, :1]

    latents = torch.randn(4, 2, 8, 8, generator=Generator().manual_seed(0))
    torch.testing.assert_close(channel_weight(OneChannel(), latents).flatten(), torch.tensor([2.0, 0.0]))
    weight = channel_weight(tiny_model.vae, latents)
    assert weight.shape == (1, 2, 1, 1)
    assert (weight > 0).all()
    assert float(weight.mean()) == pytest.approx(1)
