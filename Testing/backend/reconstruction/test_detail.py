"""Detail around the mean: where it is, how much of it, and what noise it is drawn from."""

import numpy as np
import pytest
import torch

from calid.model.denoiser import reach_of
from calid.model.sampler import AnchoredNoise, Sampling, sample_latents
from calid.reconstruction import detail as module
from calid.reconstruction.detail import Detail
from calid.stacks.plan import plan_slices

SHAPE = (16, 24)
POSITIONS = np.array([0.0, 8.0, 16.0])


@pytest.fixture(autouse=True)
def single_precision(monkeypatch):
    """Whatever this processor computes in."""
    monkeypatch.setattr("calid.reconstruction.parallel.autocast", lambda device: torch.autocast("cpu", enabled=False))


@pytest.fixture
def means():
    return np.random.default_rng(0).normal(size=(5, *SHAPE)).astype(np.float32)


def draw(model, means, sample=0, axes=(), spacing=4.0, on_slice=lambda: None, **chosen):
    sampling = Sampling(**{"samples": 1, "steps": 2, "seed": 0, "detail": 1.0, **chosen})
    return Detail(model, plan_slices(POSITIONS, spacing), sampling, SHAPE).draw(means, sample, axes, on_slice)


def test_only_missing_slices_have_detail_and_each_is_told_once(tiny_model, means):
    told = []
    detail = draw(tiny_model, means, on_slice=lambda: told.append(None))
    assert detail.shape == means.shape
    assert not detail[::2].any()
    assert (np.abs(detail[1::2]).mean(axis=(1, 2)) > 0.01).all()
    assert len(told) == 2


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_it_is_what_the_flow_adds_to_the_latents_of_the_mean_decoded(tiny_model, means, share):
    mean = tiny_model.vae.encode(torch.from_numpy(means[3])[None, None])
    noise = AnchoredNoise(5, 3, (2, 4, 6)).at(0, 1, 0.5)[None]
    reach = reach_of(torch.tensor([8.0]), torch.tensor([0.5]))
    sharp = sample_latents(tiny_model.denoiser, mean, reach, noise, 2)
    wanted = tiny_model.vae.decode(mean + share * (sharp - mean)) - tiny_model.vae.decode(mean)
    np.testing.assert_allclose(draw(tiny_model, means, seed=5, detail=share)[3], wanted[0, 0], atol=1e-4)


def test_samples_seeds_and_steps_draw_other_detail_and_the_same_seed_the_same(tiny_model, means):
    first = draw(tiny_model, means)
    np.testing.assert_array_equal(draw(tiny_model, means), first)
    for other in (draw(tiny_model, means, sample=1), draw(tiny_model, means, seed=1), draw(tiny_model, means, steps=1)):
        assert np.abs(other - first).max() > 0.01


def test_a_slice_does_not_depend_on_the_others_it_is_drawn_with(tiny_model, means):
    more = np.random.default_rng(1).normal(size=(9, *SHAPE)).astype(np.float32)
    more[::2] = means
    np.testing.assert_array_equal(draw(tiny_model, more, spacing=2.0)[2::4], draw(tiny_model, means)[1::2])


@pytest.mark.parametrize("axes", [(1,), (2,), (1, 2)])
def test_noise_is_mirrored_like_the_slices(tiny_model, means, monkeypatch, axes):
    heard = []

    def listen(net, mean, reach, noise, steps):
        heard.append(noise)
        return mean

    monkeypatch.setattr(module, "sample_latents", listen)
    draw(tiny_model, means)
    plain, heard[:] = heard[:], []
    draw(tiny_model, means, axes=axes)
    for mirrored, noise in zip(heard, plain, strict=True):
        assert torch.equal(mirrored[0], noise[0].flip(axes))
        assert not torch.equal(mirrored, noise)
