"""The network of a gap: what it starts from, what it may not look at, how it is turned round."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import nn

from calid.model.gap import TYPICAL_ERROR, GapConfig, GapNeighbours, GapNet
from calid.model.weights import load_weights
from calid.training.loop import export

CONFIG = GapConfig(channels=(8, 8, 8), down=(1, 1, 1), up=(1, 1), embedding=8)


@pytest.fixture
def near():
    torch.manual_seed(0)
    present = torch.tensor([[0.0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]])
    slices = torch.randn(2, 6, 16, 24) * present[:, :, None, None]
    offset = torch.arange(-2.0, 4.0).expand(2, -1)
    return GapNeighbours(slices, present, offset, torch.tensor([10.0, 5.0]), torch.tensor([8.0, 5.0]))


@pytest.fixture
def net():
    torch.manual_seed(1)
    made = GapNet(CONFIG)
    for layer in made.modules():  # as if trained: nothing stays at zero
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=0.1)
    return made


@pytest.mark.parametrize(("below", "present"), [(1, [0, 1, 1, 1, 1, 0]), (0, [0, 0, 1, 1, 1, 1])])
def test_the_network_is_told_of_unequal_gaps_missing_slices_and_thickness(below, present):
    slices, positions = torch.arange(1.0, 5)[:, None, None] * torch.ones(4, 4, 4), np.array([0.0, 10.0, 14.0, 24.0])
    near = GapNeighbours.around(slices, positions, range(below - 2, below + 4), 4.0)
    chosen = np.arange(below - 2, below + 4)
    gap = positions[below + 1] - positions[below]
    assert near.present[0].tolist() == present
    for told, offset, picture, k in zip(present, near.offset[0], near.slices[0], chosen, strict=True):
        assert float(offset) == pytest.approx((positions[k] - positions[below]) / gap if told else k - below)
        assert picture.unique().tolist() == [k + 1 if told else 0]
    assert (float(near.gap[0]), float(near.thickness[0])) == (gap, 4)


def test_an_untrained_network_is_linear_interpolation(near):
    thin = GapNet(CONFIG)(near)
    torch.testing.assert_close(thin, near.linear)
    torch.testing.assert_close(thin[:, 0], near.slices[:, 2])
    torch.testing.assert_close(thin[:, 4], (near.slices[:, 2] + near.slices[:, 3]) / 2)


def test_a_trained_one_says_something_else_and_is_told_gap_and_thickness(net, near):
    thin = net(near)
    assert thin.shape == (2, 9, 16, 24)
    assert not torch.allclose(thin, near.linear)
    assert not torch.allclose(thin, net(replace(near, thickness=near.thickness / 2)))


def test_the_offset_of_an_absent_slice_does_not_matter(net, near):
    elsewhere = near.offset.clone()
    elsewhere[0, 0] = -7.0
    torch.testing.assert_close(net(replace(near, offset=elsewhere)), net(near))


def test_reversed_twice_is_the_same_and_once_swaps_the_sides(near):
    once = near.reversed()
    torch.testing.assert_close(once.linear, near.linear.flip(1))
    torch.testing.assert_close(once.offset, near.offset)
    torch.testing.assert_close(once.reversed().slices, near.slices)
    assert once.present[0].tolist() == [1, 1, 1, 1, 1, 0]


def test_a_crop_far_from_its_border_gives_what_the_whole_gives(net):
    torch.manual_seed(2)
    pictures, ones = torch.randn(1, 6, 96, 96), torch.ones(1, 6)
    whole = GapNeighbours(pictures, ones, torch.arange(-2.0, 4.0)[None], torch.tensor([10.0]), torch.tensor([8.0]))
    part = replace(whole, slices=pictures[:, :, :72, :72])
    torch.testing.assert_close(net(part)[:, :, :16, :16], net(whole)[:, :, :16, :16], atol=1e-4, rtol=1e-4)


def test_the_expected_error_comes_with_the_same_mean_and_is_the_usual_one_before_training(net, near):
    added, log_error = net.with_deviation(near)
    torch.testing.assert_close(added, net.beyond_linear(near))
    assert log_error.shape == added.shape
    assert log_error.std() > 0.01
    assert -7 <= log_error.min() <= log_error.max() <= 1
    _, untrained = GapNet(CONFIG).with_deviation(near)
    torch.testing.assert_close(untrained, torch.full_like(added, math.log(TYPICAL_ERROR)))


def test_another_last_layer_can_say_the_expected_error(net, near):
    features, other = net.features(near), nn.Conv2d(8, net.doubt.out_channels, 3, padding=1)
    asked = net.expected_error(features, other)
    torch.testing.assert_close(asked, torch.pixel_shuffle(other(features), 2).clamp(-7, 1))
    assert not torch.allclose(asked, net.expected_error(features))


def test_weights_travel_at_half_precision_and_the_architecture_as_json(net, near, tmp_path):
    export(net, tmp_path / "gap.safetensors")
    config = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(CONFIG).items()}
    assert GapConfig.of(config) == CONFIG
    loaded = load_weights(GapNet(GapConfig.of(config)), tmp_path / "gap.safetensors")
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    torch.testing.assert_close(loaded(near), net(near), atol=0.02, rtol=0.02)
