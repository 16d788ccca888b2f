"""The network of a gap as a method: where its slices go, and what it is told."""

import numpy as np
import pytest
import torch
from calid.reconstruction.thin import GapFill, surroundings

from calid.baselines.methods import make_method
from calid.errors import UnusableInput, WeightsError
from calid.model.gap import GapConfig, GapNet, load_gap, save_gap
from calid.reconstruction.slab import slab_operator
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack

CONFIG = GapConfig(channels=(8, 8), down=(1, 1), up=(1,), embedding=8)


@pytest.fixture
def net():
    torch.manual_seed(0)
    made = GapNet(CONFIG).eval()
    torch.nn.init.normal_(made.leave.weight, std=0.05)
    return made


@pytest.fixture
def file(net, tmp_path):
    save_gap(net, tmp_path / "gap.safetensors")
    return tmp_path / "gap.safetensors"


def test_acquired_slices_stay_and_an_untrained_network_fills_linearly(cine):
    plan = plan_slices(cine.positions, 2.0)
    dense, uncertainty = GapFill(GapNet(CONFIG).eval())(cine, plan)
    wanted, _ = make_method("linear")(cine, plan)
    assert uncertainty is None
    np.testing.assert_array_equal(dense[:, ~plan.synthesised], cine.voxels)
    np.testing.assert_allclose(dense, wanted, atol=3)  # above the knee of the intensities linear is not quite linear


def test_a_reversed_stack_gives_the_reversed_result(net, cine):
    plan = plan_slices(cine.positions, 2.0)
    turned = SliceStack(cine.voxels[:, ::-1], cine.frame, cine.positions, cine.times)
    dense, _ = GapFill(net)(cine, plan)
    mirrored, _ = GapFill(net)(turned, plan)
    np.testing.assert_allclose(mirrored[:, ::-1], dense, atol=0.05)
    assert np.abs(GapFill(net, symmetric=False)(cine, plan)[0] - dense).max() > 0.05


def test_the_network_is_told_of_unequal_gaps_missing_slices_and_thickness():
    slices = np.arange(4, dtype=np.float32)[:, None, None] * np.ones((4, 4, 4), np.float32) + 1
    near = surroundings(slices, np.array([0.0, 10.0, 14.0, 24.0]), 1, 4.0)
    assert near.present[0].tolist() == [0, 1, 1, 1, 1, 0]
    assert near.slices[0, :, 0, 0].tolist() == [0, 1, 2, 3, 4, 0]
    assert near.offset[0, 1:5].tolist() == [-2.5, 0, 1, 3.5]
    assert (float(near.gap), float(near.thickness)) == (4, 4)


def test_acquired_slices_are_thin_on_request_and_consistent_ones_explain_the_stack(net, cine):
    plan = plan_slices(cine.positions, 1.0)
    plain, _ = GapFill(net, thickness=6.0, keep=False)(cine, plan)
    made, _ = GapFill(net, thickness=6.0, keep=False, consistent=True)(cine, plan)
    operator = slab_operator(plan.positions, cine.positions, 6.0)[1:-1]
    lacking = [np.abs(np.tensordot(operator, d[0], 1) - cine.voxels[0, 1:-1]).mean() for d in (plain, made)]
    assert np.abs(plain[:, plan.known] - cine.voxels).max() > 1
    assert lacking[1] < lacking[0]


def test_weights_come_back_with_their_architecture(net, file, cine):
    assert load_gap(file).config == CONFIG
    plan = plan_slices(cine.positions, 3.0)
    dense, _ = make_method(f"gap:weights={file},thickness=6")(cine, plan)
    np.testing.assert_allclose(dense, GapFill(net, 6.0)(cine, plan)[0], atol=0.3)  # weights are halved in precision


def test_a_missing_file_and_other_weights_are_named(tmp_path):
    with pytest.raises(UnusableInput, match="gap:weights=FILE"):
        make_method("gap")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_gap(tmp_path / "none.safetensors")
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors", {"kind": "unet"})
    with pytest.raises(WeightsError, match="holds no network of a gap"):
        load_gap(tmp_path / "other.safetensors")
