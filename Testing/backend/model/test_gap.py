"""The network of a gap: what it starts from, what it may not look at, how it is turned round."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from calid.model.gap import GapConfig, GapNeighbours, GapNet

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
