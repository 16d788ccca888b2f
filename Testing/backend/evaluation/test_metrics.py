"""Metrics against values computed by hand, by loops over the definition, or known from theory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from calid.evaluation import metrics
from calid.evaluation.statistics import bootstrap_mean
from calid.selfcheck.similarity import psnr

WHOLE = (slice(0, 48), slice(0, 40))
BOX = (slice(20, 30), slice(12, 30))


@pytest.fixture
def image() -> np.ndarray:
    """Structure of several sizes, 0..1."""
    noise = np.random.default_rng(3).normal(size=(48, 40))
    smooth = gaussian_filter(noise, 1) + 3 * gaussian_filter(noise, 3)
    return (smooth - smooth.min()) / np.ptp(smooth)


def test_psnr_of_an_error_of_a_tenth_is_20_db_and_only_the_region_counts(image: np.ndarray) -> None:
    wrong = image + 5
    wrong[BOX] = image[BOX] + 0.1
    assert psnr(image, wrong, BOX) == pytest.approx(20)
    assert psnr(image, image, BOX) == pytest.approx(100)


def test_ssim_of_two_constants_is_the_luminance_term() -> None:
    a, b = np.full(WHOLE[0].stop, 0.5), np.full(WHOLE[0].stop, 0.2)
    expected = (2 * 0.5 * 0.2 + 1e-4) / (0.5**2 + 0.2**2 + 1e-4)
    assert metrics.ssim(np.tile(a, (40, 1)), np.tile(b, (40, 1)), BOX) == pytest.approx(expected, rel=1e-6)
    assert metrics.ssim(np.tile(a, (40, 1)), np.tile(a, (40, 1)), BOX) == pytest.approx(1)


def test_ssim_windows_reach_five_pixels_beyond_the_region_and_no_further(image: np.ndarray) -> None:
    near, far = image.copy(), image.copy()
    near[15, 20] += 0.5  # 5 rows above the region
    far[14, 20] += 0.5
    assert metrics.ssim(image, near, BOX) < 1 - 1e-9
    assert metrics.ssim(image, far, BOX) == pytest.approx(1, abs=1e-12)


def haarpsi_by_loops(first: np.ndarray, second: np.ndarray) -> float:
    """Equations 8 to 12 of the paper, pixel by pixel, for images of even size with a wide zero border."""

    def response(image: np.ndarray, scale: int, row: int, column: int, axis: int) -> float:
        half = 2 ** (scale - 1)
        patch = image[row - half + 1 : row + half + 1, column - half + 1 : column + half + 1]
        patch = patch if axis == 0 else patch.T
        return abs(patch[half:].sum() - patch[:half].sum()) / 2**scale

    a, b = ((255 * x).reshape(len(x) // 2, 2, -1, 2).mean(axis=(1, 3)) for x in (first, second))
    weighted = total = 0.0
    for axis in (0, 1):
        for row in range(4, len(a) - 4):
            for column in range(4, a.shape[1] - 4):
                pairs = [[response(x, scale, row, column, axis) for x in (a, b)] for scale in (1, 2, 3)]
                similarity = np.mean([(2 * p * q + 30) / (p**2 + q**2 + 30) for p, q in pairs[:2]])
                weight = max(pairs[2])
                weighted += weight / (1 + np.exp(-4.2 * similarity))
                total += weight
    mean = weighted / total
    return float((np.log(mean / (1 - mean)) / 4.2) ** 2)


def test_haarpsi_is_what_the_paper_defines(image: np.ndarray) -> None:
    other = np.clip(image + np.random.default_rng(4).normal(0, 0.1, image.shape), 0, 1)
    framed = [np.pad(x[8:40, 8:32], 16) for x in (image, other)]
    assert metrics.haarpsi(*framed) == pytest.approx(haarpsi_by_loops(*framed), rel=1e-9)


def test_haarpsi_is_one_for_equal_images_and_symmetric(image: np.ndarray) -> None:
    other = gaussian_filter(image, 1)
    assert metrics.haarpsi(image, image) == pytest.approx(1)
    assert metrics.haarpsi(image, other) == pytest.approx(metrics.haarpsi(other, image))
    assert metrics.haarpsi(np.zeros((20, 20)), np.zeros((20, 20))) == 1


def test_haarpsi_falls_with_noise_and_with_blur(image: np.ndarray) -> None:
    noise = np.random.default_rng(5).normal(size=image.shape)
    noisy = [metrics.haarpsi(image, image + s * noise, BOX) for s in (0, 0.02, 0.05, 0.1, 0.3)]
    blurred = [metrics.haarpsi(image, gaussian_filter(image, s), BOX) for s in (0, 0.5, 1, 2, 4)]
    assert np.all(np.diff(noisy) < 0)
    assert np.all(np.diff(blurred) < 0)


def test_haarpsi_of_a_region_ignores_what_is_far_from_it(image: np.ndarray) -> None:
    far = image.copy()
    far[:8] = 0
    assert metrics.haarpsi(image, far) < 0.99
    assert metrics.haarpsi(image, far, BOX) == pytest.approx(1)


def test_sharpness_is_a_ratio_of_power(image: np.ndarray) -> None:
    spacing = (1.4, 1.4)
    assert metrics.sharpness(image, image, WHOLE, spacing) == pytest.approx(1)
    assert metrics.sharpness(image, image / 2 + 0.3, WHOLE, spacing) == pytest.approx(1 / 4)
    assert metrics.sharpness(image, gaussian_filter(image, 2), WHOLE, spacing) < 0.5
    noisy = image + np.random.default_rng(6).normal(0, 0.3, image.shape)
    assert metrics.sharpness(image, noisy, WHOLE, spacing) > 2


@pytest.mark.parametrize("pixel", [0.7, 1.4, 1.9])
def test_the_power_of_a_wave_is_at_its_wavelength_in_mm(pixel: float) -> None:
    wave = np.sin(2 * np.pi * np.arange(120) * pixel / 8)
    frequency, power = metrics.radial_power(np.tile(wave, (90, 1)), (pixel * 4 / 3, pixel))
    assert frequency[np.argmax(power)] == pytest.approx(1 / 8, abs=frequency[1])


def test_rank_correlation_knows_order_only() -> None:
    error = np.array([[0.0, 0.1], [0.2, 0.4]])
    assert metrics.rank_correlation(np.exp(error), error) == pytest.approx(1)
    assert metrics.rank_correlation(-error, error) == pytest.approx(-1)
    assert metrics.rank_correlation(np.ones((2, 2)), error) == 0


def test_top_error_share_counts_the_error_of_the_most_uncertain_voxels() -> None:
    uncertainty = np.arange(100.0).reshape(10, 10)
    error = np.ones((10, 10))
    assert metrics.top_error_share(uncertainty, error) == pytest.approx(0.05)
    error[9, 5:] = 19  # the 5 most uncertain voxels: 95 of 190
    assert metrics.top_error_share(uncertainty, error) == pytest.approx(0.5)


def test_the_bootstrap_takes_whole_patients() -> None:
    two = bootstrap_mean(np.array([0.0, 0.0, 1.0, 1.0]), ["a", "a", "b", "b"])
    assert two == (0.5, 0, 1)  # a quarter of the draws holds one patient twice
    one = bootstrap_mean(np.array([1.0, 2.0, 6.0]), ["a", "a", "a"])
    assert one == (3, 3, 3)


def test_the_bootstrap_agrees_with_drawing_patients_one_by_one() -> None:
    rng = np.random.default_rng(7)
    patients = np.repeat(list("abcdef"), [3, 8, 5, 5, 2, 7])
    values = rng.normal(size=len(patients)) + np.repeat(rng.normal(size=6), [3, 8, 5, 5, 2, 7])
    draws = []
    for _ in range(4000):
        chosen = rng.choice(list("abcdef"), 6)
        draws.append(np.concatenate([values[patients == name] for name in chosen]).mean())
    mean, low, high = bootstrap_mean(values, list(patients))
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx(np.percentile(draws, (2.5, 97.5)), abs=0.06)
    assert bootstrap_mean(values, list(patients)) == (mean, low, high)
