"""How dense hearts are acquired, and how what a network learned of them is measured."""

import numpy as np
import pytest
import torch
from torch import Generator

from calid.errors import UnusableInput
from calid.model.knots import KNOTS
from calid.training import slabs
from calid.training.acquire import MARGIN, acquire, shifted
from calid.training.gap import gain
from calid.training.hearts import LAYER_MM, bent, load_hearts
from calid.training.loop import Recipe
from calid.training.slabs import EXACT, at, boxcar, disturbance, draw_slabs, protocol, shifts
from calid.training.surroundings import batched, neighbours

CROP = 32


@pytest.fixture
def quiet(monkeypatch):
    """Slices that are neither shifted nor noisy."""
    monkeypatch.setattr(slabs, "disturbance", lambda rng: slabs.Disturbance(0.0, 0.0))


def ramp(layers=90):
    """A body whose grey level grows by 0.01 for each layer: every slab is its middle layer."""
    voxels = torch.arange(layers) * 0.01 + 0.05
    return voxels[None, :, None, None].expand(1, -1, CROP + 2 * MARGIN, CROP + 2 * MARGIN).contiguous()


def test_a_slab_holds_whole_layers_and_parts_of_the_outer_ones():
    np.testing.assert_allclose(boxcar(9, 4, 4.0), np.array([0, 0, 0.5, 1, 1, 1, 0.5, 0, 0]) / 4)
    assert boxcar(9, 3.3, 6.4).sum() == pytest.approx(1)
    np.testing.assert_allclose(boxcar(9, 0, 4.0)[:4], np.array([1, 1, 0.5, 0]) / 2.5)  # cut by the end of the body


def test_between_layers_a_parabola_is_met():
    assert at(9, 3.4) @ np.arange(9.0) ** 2 == pytest.approx(3.4**2)
    assert at(9, 5.0) @ np.arange(9.0) == pytest.approx(5)


def test_knots_of_a_ramp_lie_between_its_bounding_slices_as_said(quiet):
    body, rng = ramp(), np.random.default_rng(0)
    drawn = batched([draw_slabs(0, 90, 90, rng) for _ in range(40)])
    slices, thin = acquire(body, drawn, Generator())
    near = neighbours(drawn.around, slices)
    assert thin.shape == (40, KNOTS, CROP, CROP)
    assert near.slices.shape == (40, 6, CROP, CROP)
    assert (near.present[:, 2:4] == 1).all()
    assert not near.slices[near.present == 0].any()
    whole = near.present.bool().all(dim=1) & (thin.amax(dim=(1, 2, 3)) < 1)  # within the body, below the knee
    assert 5 < whole.sum() < 40
    level, knots, offset = slices[whole][:, :, 0, 0], thin[whole][:, :, 0, 0], near.offset[whole]
    steps = level.diff() / offset.diff()
    rise = steps[:, 2:3]  # across the gap
    torch.testing.assert_close(knots.diff(), (rise / (KNOTS - 1)).expand(-1, KNOTS - 1), atol=2e-3, rtol=0)
    torch.testing.assert_close(steps[:, 1:4], rise.expand(-1, 3), atol=2e-2, rtol=0)
    # A layer is 0.85 to 1.2 times as thick as in the file, so a mm is so much less or more of the ramp.
    per_mm = rise[:, 0] / near.gap[whole]
    assert (per_mm * LAYER_MM / 0.02).sub(1).abs().max() < 0.21


def test_a_batch_is_what_each_example_is_on_its_own():
    rng, counts, crop = np.random.default_rng(1), (40, 57), 20
    pool = torch.zeros(2, 57, crop + 2 * MARGIN, crop + 2 * MARGIN)
    for slot, count in enumerate(counts):
        pool[slot, :count] = torch.from_numpy(rng.uniform(0, 1.3, (count, *pool.shape[2:])))
    examples = [draw_slabs(n % 2, counts[n % 2], 57, rng) for n in range(24)]
    assert any(e.shift.any() for e in examples)
    assert any(e.blur[0] for e in examples)
    silent = [e._replace(noise=0.0) for e in examples]
    slices, thin = acquire(pool, batched(silent), Generator())
    for n, one in enumerate(examples):
        heart = pool[one.slot].numpy()
        layers = np.tensordot(one.layers.astype(float), heart, 1)
        plain = np.stack([plainly_moved(a, by, crop) for a, by in zip(layers, one.shift, strict=False)])
        rows = np.pad(plain, ((0, 0), (2, 2), (0, 0)), "edge")
        plain = sum(tap * rows[:, j : j + crop] for j, tap in enumerate(one.blur))
        np.testing.assert_allclose(slices[n], compressed(plain), atol=2e-4)
        np.testing.assert_allclose(thin[n], compressed(layers[6:, MARGIN:-MARGIN, MARGIN:-MARGIN]), atol=1e-4)
    noisy, _ = acquire(pool, batched(examples), Generator().manual_seed(0))
    free = (slices > -0.9) & (slices < 0.9)  # where noise is neither cut at 0 nor compressed
    for n, one in enumerate(examples):
        spread = float((noisy - slices)[n][free[n]].std()) / 2  # network units are twice as fine
        assert spread == pytest.approx(one.noise, rel=0.05, abs=1e-4)


def plainly_moved(picture, by, crop):
    """By cubic convolution, tap by tap (R. Keys 1981; the constant -0.75 is PyTorch's)."""
    low = np.floor(-by).astype(int)
    moved = np.zeros((crop, crop))
    for i in range(-1, 3):
        for j in range(-1, 3):
            weight = keys(-by[0] - low[0] - i) * keys(-by[1] - low[1] - j)
            top, left = MARGIN + low[0] + i, MARGIN + low[1] + j
            moved += weight * picture[top : top + crop, left : left + crop]
    return moved


def keys(x, a=-0.75):
    x = abs(x)
    return (a + 2) * x**3 - (a + 3) * x**2 + 1 if x <= 1 else a * (x**3 - 5 * x**2 + 8 * x - 4)


def compressed(unit):
    unit = unit.clip(0)
    return 2 * np.where(unit > 1, 1 + np.log(unit.clip(1)), unit) - 1


def test_protocols_are_the_usual_ones_in_half_of_the_draws_and_stay_within_the_heart():
    rng = np.random.default_rng(0)
    drawn = np.array([protocol(LAYER_MM, 101, rng) for _ in range(1500)])
    distance, thickness, start = drawn.T
    usual = np.any([(distance == d) & (thickness == t) for d, t in EXACT], axis=0)
    assert 0.4 < usual.mean() < 0.5
    assert 0.07 < np.mean(distance > 13) < 0.13
    assert distance.min() >= 4.5
    assert distance.max() <= 20
    assert (thickness <= distance).all()
    assert (start >= 0).all()
    assert (start + distance / LAYER_MM <= 100).all()


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
    picture = torch.zeros(1, 2, CROP + 2 * MARGIN, CROP + 2 * MARGIN)
    picture[0, :, MARGIN + 10, MARGIN + 20] = 1
    moved = shifted(picture, torch.tensor([[[3.0, -4.0], [0.0, 0.0]]]))
    assert [divmod(int(one.argmax()), CROP) for one in moved[0]] == [(13, 16), (10, 20)]


def test_a_heart_is_bent_and_stays_a_heart():
    rng = np.random.default_rng(0)
    z, y, x = np.ogrid[:20, :120, :120]
    ball = torch.tensor(((y - 60) ** 2 + (x - 60) ** 2 < 30**2) * (z >= 0), dtype=torch.float32)
    made = [bent(ball, 56, rng) for _ in range(6)]
    assert all(m.shape == (20, 56, 56) and torch.isfinite(m).all() for m in made)
    assert all(0.2 < (m > 0.4).float().mean() < 0.99 for m in made)
    assert not torch.allclose(made[0], made[1])


def test_gain_over_the_base_is_in_decibels():
    truth = torch.rand(2, 3, 20, 20)
    better, worse = truth + 0.01, truth + 0.1
    assert gain(better, worse, truth)["psnr"] == pytest.approx(20, abs=0.01)
    assert gain(better, worse, truth)["ssim"] > 0


def test_the_rate_holds_until_it_decays():
    recipe = Recipe(2000, 1e-3, 0.99, decay_from=1000)
    assert recipe.rate_factor(49) == 0.5
    assert recipe.rate_factor(900) == 1
    assert recipe.rate_factor(1500) == pytest.approx(0.02 + 0.49)
    assert recipe.rate_factor(2000) == pytest.approx(0.02)
    other = Recipe(2100, 1e-3, 0.99, warmup=300, floor=0.01)
    assert other.rate_factor(29) == 0.1
    assert other.rate_factor(1200) == pytest.approx(0.01 + 0.99 / 2)


def test_an_average_that_settles_remembers_a_share_of_the_steps():
    settling, constant = Recipe(9, 1e-3, 0.999, settling=20), Recipe(9, 1e-3, 0.9)
    assert settling.kept(0) == constant.kept(0) == 0
    assert settling.kept(20) == 0.5
    assert settling.kept(10**6) == 0.999
    assert constant.kept(1) == 0.9


def test_a_missing_heart_and_one_on_another_grid_are_named(tmp_path, write_heart):
    with pytest.raises(UnusableInput, match=r"heart009_sax\.nii\.gz does not exist"):
        load_hearts(tmp_path, ["009"])
    write_heart(tmp_path, "009", spacing=1.0)
    with pytest.raises(UnusableInput, match=r"heart009_sax\.nii\.gz has voxels"):
        load_hearts(tmp_path, ["009"])
