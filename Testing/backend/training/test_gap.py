"""Examples for the network of a gap, and how what it learned is measured."""

import math

import numpy as np
import pytest
import torch

from calid.errors import UnusableInput
from calid.model.knots import KNOTS, slab_weights
from calid.training import slabs
from calid.training.data import TrainingStack
from calid.training.gap import gain
from calid.training.hearts import Layers, bent, load_hearts
from calid.training.hidden import hidden
from calid.training.loop import cosine_rate
from calid.training.slabs import MARGIN, acquire, at, boxcar, disturbance, shifts

CROP = 32


@pytest.fixture
def quiet(monkeypatch):
    """Slices that are neither shifted nor noisy."""
    monkeypatch.setattr(slabs, "disturbance", lambda rng: slabs.Disturbance(0.0, 0.0))


def ramp(layers=90, step=1.25):
    """A body whose grey level grows by 0.01 for each layer: every slab is its middle layer."""
    voxels = torch.arange(layers) * 0.01 + 0.05
    return Layers(voxels[:, None, None].expand(-1, CROP + 2 * MARGIN, CROP + 2 * MARGIN).contiguous(), step)


def test_a_slab_holds_whole_layers_and_parts_of_the_outer_ones():
    np.testing.assert_allclose(boxcar(9, 4, 4.0), np.array([0, 0, 0.5, 1, 1, 1, 0.5, 0, 0]) / 4)
    assert boxcar(9, 3.3, 6.4).sum() == pytest.approx(1)
    np.testing.assert_allclose(boxcar(9, 0, 4.0)[:4], np.array([1, 1, 0.5, 0]) / 2.5)  # cut by the end of the body


def test_between_layers_a_parabola_is_met():
    assert at(9, 3.4) @ np.arange(9.0) ** 2 == pytest.approx(3.4**2)
    assert at(9, 5.0) @ np.arange(9.0) == pytest.approx(5)


@pytest.mark.parametrize("seed", range(12))
def test_knots_of_a_ramp_lie_between_its_bounding_slices_as_said(quiet, seed):
    near, truth = acquire(ramp(), CROP, np.random.default_rng(seed))
    assert truth.shape == (KNOTS, CROP, CROP)
    assert near.slices.shape == (1, 6, CROP, CROP)
    assert near.present[0, 2:4].tolist() == [1, 1]
    assert not near.slices[0][near.present[0] == 0].any()
    steps = truth[:, 0, 0].diff()
    rise = 2 * 0.01 * float(near.gap[0]) / 1.25  # in network units
    inside = near.present[0].bool().all()
    if inside and truth.max() < 1:  # no slab is cut by the end of the body, nothing above the knee
        torch.testing.assert_close(steps, torch.full((KNOTS - 1,), rise / (KNOTS - 1)), atol=2e-3, rtol=0)
        level = near.slices[0, :, 0, 0]
        torch.testing.assert_close(level - level[2], near.offset[0] * rise, atol=2e-2, rtol=0)


def test_a_third_of_the_stacks_is_not_disturbed_and_the_others_as_published():
    rng = np.random.default_rng(0)
    drawn = [disturbance(rng) for _ in range(600)]
    assert 0.3 < np.mean([not d.shift and not d.noise for d in drawn]) < 0.5
    assert 0.3 < np.mean([(d.shift, d.noise) == (0.8, 0.02) for d in drawn]) < 0.5
    assert max(d.noise for d in drawn) <= 0.04
    lengths = np.hypot(*shifts(2000, 0.8, rng).T)
    assert 0.9 < np.median(lengths) < 1.4
    assert 0.005 < np.mean(lengths > 5) < 0.06


def test_a_shifted_slice_is_where_it_was_moved_to():
    picture = torch.zeros(1, CROP + 2 * MARGIN, CROP + 2 * MARGIN)
    picture[0, MARGIN + 10, MARGIN + 20] = 1
    moved = slabs._moved(picture, np.array([[3.0, -4.0]]), CROP)
    assert divmod(int(moved.argmax()), CROP) == (13, 16)


def test_a_heart_is_bent_and_stays_a_heart():
    rng = np.random.default_rng(0)
    z, y, x = np.ogrid[:20, :120, :120]
    ball = torch.tensor(((y - 60) ** 2 + (x - 60) ** 2 < 30**2) * (z >= 0), dtype=torch.float32)
    made = [bent(ball, 56, rng) for _ in range(6)]
    assert all(m.voxels.shape == (20, 56, 56) and torch.isfinite(m.voxels).all() for m in made)
    assert all(0.8 * 1.25 < m.step < 1.25 * 1.25 for m in made)
    assert not torch.allclose(made[0].voxels, made[1].voxels)


def test_a_hidden_slice_is_the_mean_over_its_slab():
    slices = np.stack([np.full((40, 40), -0.9 + 0.2 * k, np.float16) for k in range(7)])
    stack = TrainingStack("patient001", slices, 5.0, (20.0, 20.0), is_crop=False)
    for seed in range(8):
        near, weights, picture = hidden(stack, 24, np.random.default_rng(seed))
        np.testing.assert_allclose(weights, slab_weights([0.5], 0.5))
        assert float(near.gap[0]) == 10
        assert float(near.thickness[0]) == 5
        slab = torch.einsum("tk,nkhw->thw", weights, near.linear)
        torch.testing.assert_close(slab, picture, atol=0.05, rtol=0)  # the curve of grey levels bends a little


def test_gain_over_the_base_is_in_decibels():
    truth = torch.rand(2, 3, 20, 20)
    better, worse = truth + 0.01, truth + 0.1
    assert gain(better, worse, truth)["psnr"] == pytest.approx(20, abs=0.01)
    assert gain(better, worse, truth)["ssim"] > 0


def test_the_rate_holds_until_it_decays():
    assert cosine_rate(900, 2000, decay_from=1000) == 1
    assert cosine_rate(1500, 2000, decay_from=1000) == pytest.approx(0.02 + 0.49)
    assert cosine_rate(2000, 2000, decay_from=1000) == pytest.approx(0.02)
    assert cosine_rate(1050, 2000) == pytest.approx(0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi / 2)))


def test_a_missing_heart_and_one_on_another_grid_are_named(tmp_path, write_heart):
    with pytest.raises(UnusableInput, match=r"heart009_sax\.nii\.gz does not exist"):
        load_hearts(tmp_path, ["009"])
    write_heart(tmp_path, "009", spacing=1.0)
    with pytest.raises(UnusableInput, match=r"heart009_sax\.nii\.gz has voxels"):
        load_hearts(tmp_path, ["009"])
