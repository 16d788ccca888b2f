"""The mean of a gap: where its slices go, and what a dense slice is the mean of."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from calid.model.gap import TYPICAL_ERROR, GapConfig, GapNeighbours, GapNet
from calid.model.knots import between_weights, slab_weights
from calid.reconstruction.mean import GapMeans, linear_weights
from calid.stacks.plan import plan_slices

POSITIONS = np.array([0.0, 10.0, 14.0, 24.0])


@pytest.fixture
def net(tiny_model):
    return tiny_model.gap


@pytest.fixture
def slices():
    return np.random.default_rng(0).normal(size=(4, 8, 12)).astype(np.float32)


@pytest.fixture(autouse=True)
def single_precision(monkeypatch):
    """Whatever this processor computes in."""
    monkeypatch.setattr("calid.reconstruction.parallel.autocast", lambda device: torch.autocast("cpu", enabled=False))


def means(net, positions=POSITIONS, spacing=2.0, thickness=6.0):
    return GapMeans(net, positions, plan_slices(positions, spacing), thickness)


def test_an_untrained_network_adds_nothing_and_expects_the_usual_error(slices):
    untrained = GapNet(GapConfig(channels=(8, 8), down=(1, 1), up=(1,), embedding=8)).eval()
    mean = means(untrained).find(slices, deviation=True)
    assert mean.added.shape == mean.deviation.shape == (13, 8, 12)
    assert not mean.added.any()
    np.testing.assert_allclose(mean.deviation, math.sqrt(2) * TYPICAL_ERROR, rtol=1e-5)


def test_every_slice_is_a_blend_of_the_knots_and_an_inner_acquired_one_of_two_gaps(net, slices):
    spacing, thickness = 4.0, 6.0
    plan = plan_slices(POSITIONS, spacing)
    mean = GapMeans(net, POSITIONS, plan, thickness).find(slices, deviation=True)
    added, doubt = ([[] for _ in plan.positions] for _ in range(2))
    for below, (low, high) in enumerate(pairwise(plan.known)):
        near = GapNeighbours.around(torch.from_numpy(slices), POSITIONS, range(below - 2, below + 4), thickness)
        there, back = net.with_deviation(near), net.with_deviation(near.reversed())
        knots, log_error = ((a[0] + b[0].flip(0)) / 2 for a, b in zip(there, back, strict=True))
        here = plan.positions[low : high + 1]
        at = (here - here[0]) / (here[-1] - here[0])
        step = np.diff(here).max() / (here[-1] - here[0])
        for index, mean_of, between in zip(
            range(low, high + 1), slab_weights(at, step), between_weights(at), strict=True
        ):
            added[index].append(np.tensordot(mean_of, knots, 1))
            doubt[index].append(np.tensordot(between, log_error, 1))
    assert [len(parts) for parts in added] == [
        1 if k in (0, len(added) - 1) or s else 2 for k, s in enumerate(plan.synthesised)
    ]
    np.testing.assert_allclose(mean.added, [np.mean(parts, axis=0) for parts in added], atol=1e-4)
    deviation = [math.sqrt(2) * np.exp(np.mean(parts, axis=0)) for parts in doubt]
    np.testing.assert_allclose(mean.deviation, deviation, rtol=1e-3)


def test_a_reversed_stack_gives_the_reversed_result(net, slices):
    mean = means(net).find(slices, deviation=True)
    turned = means(net, 24 - POSITIONS[::-1]).find(np.ascontiguousarray(slices[::-1]), deviation=True)
    np.testing.assert_allclose(turned.added[::-1], mean.added, atol=1e-4)
    np.testing.assert_allclose(turned.deviation[::-1], mean.deviation, rtol=1e-4)
    assert np.abs(mean.added[::-1] - mean.added).max() > 0.01


def test_a_dense_slice_is_the_mean_of_the_thinner_ones_in_it(net, slices):
    positions = 12.0 * np.arange(4)
    coarse, fine = (means(net, positions, mm, thickness=12.0).find(slices).added for mm in (6.0, 2.0))
    np.testing.assert_allclose(coarse[1], fine[2:5].mean(axis=0), atol=1e-4)
    assert np.abs(coarse[1] - fine[3]).max() > 0.01


def test_no_dense_slice_is_thicker_than_an_acquired_one(net, slices):
    positions, thin = 12.0 * np.arange(4), 2.0
    coarse, fine = (means(net, positions, mm, thickness=thin).find(slices).added for mm in (6.0, 2.0))
    np.testing.assert_allclose(coarse[1], fine[3], atol=1e-4)


def test_the_deviation_is_not_computed_unless_asked_for_and_changes_no_mean(net, slices):
    plain, told = (means(net).find(slices, deviation=asked) for asked in (False, True))
    assert plain.deviation is None
    np.testing.assert_allclose(told.added, plain.added, atol=1e-6)
    assert (told.deviation > 0).all()


def test_each_gap_is_told_once(net, slices):
    told = []
    means(net).find(slices, on_gap=lambda: told.append(None))
    assert len(told) == 3


def test_linear_weights_by_hand():
    weights = linear_weights(POSITIONS, np.array([0.0, 2.5, 10.0, 13.0]))
    np.testing.assert_allclose(weights, [[1, 0, 0, 0], [0.75, 0.25, 0, 0], [0, 1, 0, 0], [0, 0.25, 0.75, 0]], atol=1e-6)
