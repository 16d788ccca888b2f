"""Baselines against values computed by hand, and the method names of the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from calid.baselines import methods as baselines
from calid.baselines.latent import RULES, interpolate_latents, slerp
from calid.baselines.methods import make_method
from calid.errors import UnusableInput
from calid.model.weights import CalidModel
from calid.reconstruction.inplane import InplaneGrid
from calid.reconstruction.intensity import IntensityScale
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack

KNOTS = np.array([0.0, 10.0, 14.0, 20.0])


def test_nearest_takes_the_lower_slice_on_a_tie() -> None:
    weights = baselines.nearest_weights(KNOTS, np.array([0, 4.9, 5, 5.1, 12, 17.5]))
    assert weights.argmax(axis=1).tolist() == [0, 0, 0, 1, 1, 3]
    assert weights.sum(axis=1).tolist() == [1] * 6


def test_linear_weighs_by_distance_in_mm() -> None:
    weights = baselines.linear_weights(KNOTS, np.array([2.5, 13, 14]))
    np.testing.assert_allclose(weights, [[0.75, 0.25, 0, 0], [0, 0.25, 0.75, 0], [0, 0, 1, 0]], atol=1e-12)


def test_cubic_between_three_slices_by_hand() -> None:
    # Values 0, 1, 0 at 0, 1, 2 mm: second derivative -3 in the middle, so 0.5 - (0.125 - 0.5) * 3 / 6 half way.
    weights = baselines.cubic_weights(np.array([0.0, 1.0, 2.0]), np.array([0.5, 1.5]))
    np.testing.assert_allclose(weights[:, 1], [0.6875, 0.6875])


@given(gaps=st.lists(st.floats(2, 12), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_cubic_is_the_natural_spline_for_any_gaps(gaps: list[float], seed: int) -> None:
    knots = np.concatenate([[0], np.cumsum(gaps)])
    values = np.random.default_rng(seed).normal(size=len(knots))
    at = np.linspace(0, knots[-1], 31)
    expected = CubicSpline(knots, values, bc_type="natural")(at) if len(knots) > 2 else np.interp(at, knots, values)
    np.testing.assert_allclose(baselines.cubic_weights(knots, at) @ values, expected, atol=1e-9)


@pytest.mark.parametrize("name", ["nearest", "linear", "cubic"])
def test_acquired_slices_come_back(name: str, cine: SliceStack) -> None:
    plan = plan_slices(cine.positions, 2.5)
    dense, uncertainty = make_method(name)(cine, plan)
    assert uncertainty is None
    assert dense.shape == (3, len(plan.positions), 9, 8)
    for index, source in enumerate(plan.acquired):
        if source is not None:
            np.testing.assert_allclose(dense[:, index], cine.voxels[:, source], atol=1e-3)


@pytest.mark.parametrize("name", ["linear", "cubic"])
def test_a_ramp_in_mm_stays_a_ramp_over_unequal_gaps(name: str) -> None:
    voxels = np.broadcast_to(KNOTS[None, :, None, None], (1, 4, 5, 6)).astype(np.float32)
    stack = SliceStack(voxels, np.eye(4), KNOTS)
    plan = plan_slices(KNOTS, 2)
    dense, _ = make_method(name)(stack, plan)
    np.testing.assert_allclose(dense[0, :, 2, 3], plan.positions, atol=1e-4)


@given(gaps=st.lists(st.floats(2, 12), min_size=1, max_size=8), spacing=st.floats(0.8, 1.9))
def test_the_largest_step_of_a_plan_gives_the_same_plan(gaps: list[float], spacing: float) -> None:
    knots = np.concatenate([[0], np.cumsum(gaps)])
    plan = plan_slices(knots, spacing)
    again = plan_slices(knots, float(np.diff(plan.positions).max()))
    np.testing.assert_array_equal(again.positions, plan.positions)


@pytest.mark.parametrize(
    "spec", ["lanczos", "linear:samples=2", "calid:sample=8", "calid:samples", "calid:samples=two"]
)
def test_a_method_that_does_not_exist_is_named(spec: str) -> None:
    with pytest.raises(UnusableInput, match=spec.partition(":")[0]):
        make_method(spec)


def test_slerp_keeps_the_length_and_the_angle() -> None:
    east, north = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    third = slerp(east, north, 1 / 3)
    np.testing.assert_allclose(third, [2 * np.cos(np.pi / 6), 2 * np.sin(np.pi / 6)], atol=1e-6)
    np.testing.assert_allclose(slerp(east, 2 * east, 0.25), [2.5, 0], atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_latent_interpolation_between_two_equal_slices_decodes_their_latent(rule: str, tiny_model: CalidModel) -> None:
    image = np.random.default_rng(0).uniform(0, 500, (24, 20)).astype(np.float32)
    stack = SliceStack(np.stack([image, image])[None], np.diag([1.2, 1.3, 1, 1]), np.array([0.0, 8.0]))
    dense, uncertainty = interpolate_latents(tiny_model, RULES[rule], stack, plan_slices(stack.positions, 4))
    assert uncertainty is None
    np.testing.assert_array_equal(dense[0, [0, 2]], stack.voxels[0])
    scale, grid = IntensityScale.of(stack.voxels), InplaneGrid((24, 20), stack.pixel_spacing, 1.5, tiny_model.multiple)
    with torch.inference_mode():
        latent = tiny_model.vae.encode(torch.from_numpy(grid.to_model(scale.normalise(image)))[None, None])
        decoded = tiny_model.vae.decode(latent)[0, 0].numpy()
    np.testing.assert_allclose(dense[0, 1], scale.restore(grid.from_model(decoded)), atol=0.01)


LEARNED = ["latent-linear", "latent-slerp", "calid", "calid:samples=2,steps=2,seed=3,detail=0.5"]


@pytest.mark.parametrize("spec", LEARNED)
def test_learned_methods_fill_every_phase_and_leave_acquired_slices(
    spec: str, tiny_models: Path, cine: SliceStack
) -> None:
    plan = plan_slices(cine.positions, 2)
    dense, uncertainty = make_method(f"{spec}{',' if ':' in spec else ':'}models={tiny_models},device=cpu")(cine, plan)
    assert dense.shape == (3, len(plan.positions), 9, 8)
    np.testing.assert_array_equal(dense[:, ~plan.synthesised], cine.voxels)
    if spec.startswith("calid"):
        assert uncertainty is not None
        assert np.all(uncertainty[:, ~plan.synthesised] == 0)
        assert np.any(uncertainty[:, plan.synthesised] > 0)
    else:
        assert uncertainty is None


@pytest.mark.parametrize("option", ["samples=2", "steps=4", "seed=3", "detail=0.2", "thickness=3", "consistent=0"])
def test_every_option_of_calid_reaches_the_sampler(option: str, tiny_models: Path, cine: SliceStack) -> None:
    plan = plan_slices(cine.positions, 3)
    plain, other = (
        make_method(f"calid:models={tiny_models},device=cpu,{sampling}")(cine, plan)[0]
        for sampling in ("samples=1", option)
    )
    assert (plain != other).any()
