"""2D+T: phases inform each other, in any number of them, and a single phase is left as the spatial model made it."""

import numpy as np
import pytest
import torch

import calid
from calid.model.temporal import OFFSETS, REACH, TemporalConfig, TemporalCorrection, phases_around
from calid.phantom.beating_heart import make_phantom
from calid.reconstruction.fill import fill_rounds
from calid.reconstruction.gaps import fill_gaps
from calid.reconstruction.reconstruct import choose_sampling
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack


def beating(phases, **options) -> SliceStack:
    return make_phantom(phases=phases, slices=3, gap=8.0, matrix=(48, 48), pixel=1.5, seed=3, **options).sparse


def dense(stack, models, spacing=4.0, **options) -> np.ndarray:
    return calid.reconstruct(stack, spacing, device="cpu", models=models, **options).stack.voxels


def rolled(stack, by) -> SliceStack:
    return SliceStack(np.roll(stack.voxels, by, axis=0), stack.frame, stack.positions)


def correction() -> TemporalCorrection:
    torch.manual_seed(0)
    net = TemporalCorrection(TemporalConfig(2, 8, 8))
    torch.nn.init.normal_(net.to_mean.weight)
    return net.eval().requires_grad_(False)


@pytest.mark.parametrize("phases", [1, 7])
def test_phases_that_do_not_differ_correct_nothing_at_all(phases):
    here = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    assert (correction()(here, here[:, None].expand(-1, len(OFFSETS), -1, -1, -1), phases) == 0).all()


def test_phases_that_differ_do_correct():
    here, other = torch.zeros(2, 8, 4, 4), torch.ones(2, len(OFFSETS), 8, 4, 4)
    assert correction()(here, other, 20).abs().mean() > 1e-3


def test_time_is_a_circle():
    assert sorted(phases_around(0, 20)) == sorted(o % 20 for o in OFFSETS)
    assert set(phases_around(3, 1)) == {0}
    assert all(0 <= p < 5 for phase in range(5) for p in phases_around(phase, 5))


def test_one_phase_is_exactly_what_the_spatial_model_gives(tiny_models):
    stack = beating(1)
    np.testing.assert_array_equal(dense(stack, tiny_models), dense(stack, tiny_models, temporal=False))


def test_phases_inform_each_other_unless_told_not_to(tiny_models):
    stack = beating(5)
    alone = np.concatenate([dense(stack.phase(p), tiny_models) for p in range(5)])
    apart = dense(stack, tiny_models, temporal=False)
    together = dense(stack, tiny_models)
    assert (together[:, 1::2] != apart[:, 1::2]).mean() > 0.1
    np.testing.assert_array_equal(together[:, ::2], stack.voxels)
    # One intensity scale serves all phases, so phases that are alone are scaled a little differently.
    assert np.abs(alone.astype(float) - apart).mean() < 0.05 * np.ptp(stack.voxels)


@pytest.mark.parametrize("phases", [2, 5, 20])
def test_where_the_cycle_starts_makes_no_difference(tiny_models, phases):
    stack = beating(phases)
    np.testing.assert_array_equal(dense(rolled(stack, 1), tiny_models), np.roll(dense(stack, tiny_models), 1, axis=0))


def test_a_phase_out_of_reach_has_no_influence(tiny_models):
    phases = 2 * REACH + 6
    stack = beating(phases)
    voxels = stack.voxels.copy()
    far = phases // 2
    voxels[far] = voxels[far, :, ::-1]  # the same intensities, so the same scale
    changed = dense(SliceStack(voxels, stack.frame, stack.positions), tiny_models)
    before = dense(stack, tiny_models)
    differs = (changed != before).any(axis=(1, 2, 3))
    influenced = {(far - offset) % phases for offset in OFFSETS} | {far}
    assert set(np.flatnonzero(differs)) <= influenced
    assert differs[far]
    assert not differs[0]


@pytest.mark.parametrize("options", [{"samples": 2}, {"conditioned": True}, {"detail": 0.0}, {"follow": 1.0}])
def test_it_goes_with_every_way_of_sampling(tiny_models, options):
    stack = beating(3)
    again = [dense(stack, tiny_models, **options) for _ in range(2)]
    np.testing.assert_array_equal(*again)
    np.testing.assert_array_equal(again[0][:, ::2], stack.voxels)


def test_an_autoregressive_fill_goes_phase_by_phase(tiny_models):
    stack = beating(3)
    for_sure = dense(stack, tiny_models, 2.0, fill="autoregressive", temporal=False)
    np.testing.assert_array_equal(dense(stack, tiny_models, 2.0, fill="autoregressive"), for_sure)


@pytest.mark.parametrize("phases", [3, 40])
def test_every_acquired_slice_of_every_phase_is_encoded_once(tiny_model, phases, monkeypatch):
    stack = beating(phases)
    encoded = []
    encode = type(tiny_model.vae).encode

    def counting(vae, pixels):
        encoded.append(pixels)
        return encode(vae, pixels)

    monkeypatch.setattr(type(tiny_model.vae), "encode", counting)
    plan = plan_slices(stack.positions, 4.0)
    sampling, finished = choose_sampling(tiny_model), []
    fill_gaps(stack, plan, tiny_model, sampling, fill_rounds(plan, "direct"), lambda phase, *_: finished.append(phase))
    assert finished == list(range(phases))
    # Three acquired slices, and two missing ones that each see both neighbours along the motion.
    assert sum(len(pixels) for pixels in encoded) == phases * (3 + 2 * 2)


def test_without_gathering_phases_are_had_one_by_one_only(tiny_models):
    stack, seen = beating(3), []
    result = calid.reconstruct(
        stack,
        4.0,
        device="cpu",
        models=tiny_models,
        gather=False,
        on_phase=lambda phase, voxels, _: seen.append(voxels),
    )
    assert result.stack.voxels.shape == (0, 5, 48, 48)
    np.testing.assert_array_equal(np.stack(seen), dense(stack, tiny_models))
