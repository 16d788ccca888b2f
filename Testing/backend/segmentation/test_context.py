"""The slices beside a slice: which are shown, and that a network which ignores them sees the slice as it did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from calid.errors import WeightsError
from calid.segmentation.context import NOTHING, beside, with_context
from calid.segmentation.network import SegmentationConfig, SegmentationNet
from calid.training.segmentation import start_from

SMALL = {"channels": (8, 16), "blocks": 1}


def test_a_sparse_and_a_dense_stack_show_the_same_slices_beside() -> None:
    assert beside([0, 10, 20, 30], 10.0) == [(None, 1), (0, 2), (1, 3), (2, None)]
    dense = np.arange(0, 31, 2.5)
    assert beside(dense, 10.0)[4:9] == [(0, 8), (1, 9), (2, 10), (3, 11), (4, 12)]


@pytest.mark.parametrize(("gap", "shown"), [(4.9, 2), (5.0, 2), (8.0, 1), (14.9, 1), (15.1, None)])
def test_the_slice_beside_is_the_nearest_to_the_distance_or_none(gap: float, shown: int | None) -> None:
    assert beside(gap * np.arange(5), 10.0)[0] == (None, shown)


def test_where_the_stack_ends_nothing_is_shown() -> None:
    slices = np.random.default_rng(0).normal(size=(2, 4, 6, 5)).astype(np.float32)
    seen = with_context(slices, [0, 8, 16, 24], 10.0)
    assert seen.shape == (2, 4, 3, 6, 5)
    np.testing.assert_array_equal(seen[:, :, 0], slices)
    np.testing.assert_array_equal(seen[:, 1:, 1], slices[:, :-1])
    np.testing.assert_array_equal(seen[:, :-1, 2], slices[:, 1:])
    assert (seen[:, 0, 1] == NOTHING).all()
    assert (seen[:, -1, 2] == NOTHING).all()
    np.testing.assert_array_equal(with_context(slices, [0, 8, 16, 24], 0), slices[:, :, None])


def test_training_begins_where_the_network_of_single_slices_ended(tmp_path: Path) -> None:
    torch.manual_seed(0)
    narrow = SegmentationNet(SegmentationConfig(**SMALL)).eval()
    wide = SegmentationNet(SegmentationConfig(**SMALL, reach=10.0)).eval()
    save_file(narrow.state_dict(), tmp_path / "narrow.safetensors")
    start_from(wide, tmp_path / "narrow.safetensors")
    seen = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(wide(seen), narrow(seen[:, :1]))


def test_weights_of_another_shape_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file(SegmentationNet(SegmentationConfig(channels=(8, 24))).state_dict(), path)
    with pytest.raises(WeightsError, match=r"other\.safetensors"):
        start_from(SegmentationNet(SegmentationConfig(**SMALL, reach=10.0)), path)
