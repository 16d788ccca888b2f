"""Interpolation along a deformable registration, against a motion that is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from calid.baselines.methods import make_method
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack

SHAPE = (64, 56)
AFFINE = np.diag([1.5, 1.5, 8, 1])  # columns, rows, slices in mm


def ring(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """A bright pool in a dark wall on a grey ground, with soft edges, at any (row, column)."""
    radius = np.hypot(rows - 30, columns - 27)
    return 300 + 500 / (1 + np.exp(radius - 9)) - 250 / (1 + np.exp(np.abs(radius - 14) - 3))


def moved(fraction: float) -> np.ndarray:
    """The ring after ``fraction`` of a smooth motion: up to 5 pixels, and different from place to place."""
    rows, columns = np.meshgrid(*(np.arange(n, dtype=float) for n in SHAPE), indexing="ij")
    shift = np.exp(-((rows - 32) ** 2 + (columns - 28) ** 2) / (2 * 18**2))
    return map_coordinates(
        ring(rows, columns), [rows - 5 * fraction * shift, columns + 3 * fraction * shift], mode="nearest"
    )


@pytest.fixture(scope="module")
def moving() -> SliceStack:
    """Two slices 8 mm apart, between which the ring moves."""
    return SliceStack.from_affine(np.stack([moved(0), moved(1)]).astype(np.float32), AFFINE)


def test_a_known_motion_is_followed_through_a_gap_of_several_slices(moving: SliceStack) -> None:
    plan = plan_slices(moving.positions, 2)
    truth = np.stack([moved(t.fraction) for t in plan.targets])
    error = {}
    for name in ("linear", "registration"):
        dense, uncertainty = make_method(name)(moving, plan)
        assert uncertainty is None
        error[name] = np.square(dense[0, plan.synthesised] - truth).mean(axis=(1, 2))
    assert len(plan.targets) == 3
    assert np.all(error["registration"] < 0.2 * error["linear"])


def test_a_reversed_stack_gives_the_reversed_result(moving: SliceStack) -> None:
    plan = plan_slices(moving.positions, 3)
    dense, _ = make_method("registration")(moving, plan)
    mirrored, _ = make_method("registration")(SliceStack.from_affine(moving.voxels[0, ::-1], AFFINE), plan)
    np.testing.assert_allclose(mirrored[:, ::-1], dense, rtol=1e-4, atol=0.05)


def test_equal_slices_stay_what_they_are(moving: SliceStack) -> None:
    still = SliceStack.from_affine(np.stack([moved(0)] * 2).astype(np.float32), AFFINE)
    dense, _ = make_method("registration")(still, plan_slices(still.positions, 4))
    np.testing.assert_allclose(dense[0, 1], moved(0), rtol=1e-3)


def test_acquired_slices_come_back_in_every_phase_of_tiny_slices(cine: SliceStack) -> None:
    two = SliceStack(cine.voxels[:, :2], cine.frame, cine.positions[:2], cine.times)
    plan = plan_slices(two.positions, 2.5)
    dense, _ = make_method("registration")(two, plan)
    assert dense.shape == (3, len(plan.positions), 9, 8)
    assert np.isfinite(dense).all()
    np.testing.assert_array_equal(dense[:, ~plan.synthesised], two.voxels)
