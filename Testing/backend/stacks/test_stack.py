"""SliceStack: geometry of every kind of stack, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calid.errors import UnusableInput
from calid.stacks.stack import SliceStack, common_step, uniform_step

VOXELS = np.random.default_rng(0).integers(0, 99, (4, 6, 5)).astype(np.int16)


def rotation(rng: np.random.Generator, *, left_handed: bool = False) -> np.ndarray:
    """A random orthonormal matrix with determinant 1, or -1 if left-handed."""
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    if (np.linalg.det(matrix) < 0) != left_handed:
        matrix[:, 2] *= -1
    return matrix


def world(stack: SliceStack, i: float, j: float, k: int) -> np.ndarray:
    return (stack.frame @ [i, j, stack.positions[k], 1])[:3]


def slices_of(stack: SliceStack, thickness: float = 5.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """The slices of a stack as scanners store them: each with its own affine."""
    slices = []
    for k, voxels in enumerate(stack.voxels[0]):
        affine = stack.frame.copy()
        affine[:3, 3] = world(stack, 0, 0, k)
        affine[:3, 2] *= thickness
        slices.append((voxels, affine))
    return slices


@given(seed=st.integers(0, 2**32 - 1), left_handed=st.booleans())
def test_affine_comes_back(seed: int, left_handed: bool) -> None:
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = rotation(rng, left_handed=left_handed) * rng.uniform(0.3, 12, 3)
    affine[:3, 3] = rng.uniform(-500, 500, 3)
    stack = SliceStack.from_affine(VOXELS, affine)
    np.testing.assert_allclose(stack.affine, affine, atol=1e-9)
    assert np.linalg.norm(stack.frame[:3, 2]) == pytest.approx(1)
    np.testing.assert_allclose(stack.gaps, np.linalg.norm(affine[:3, 2]))


def test_pixel_spacing_is_rows_then_columns() -> None:
    stack = SliceStack.from_affine(VOXELS, np.diag([0.7, 1.9, 8, 1]))
    assert stack.pixel_spacing == (1.9, 0.7)


def test_reversed_twice_is_the_same_and_every_voxel_stays_in_its_place() -> None:
    frame = np.eye(4)
    frame[:3, :3] = rotation(np.random.default_rng(5)) * [1.2, 1.3, 1]
    stack = SliceStack(VOXELS[np.newaxis], frame, np.array([0, 7, 17, 25.5]))
    mirrored = stack.reversed()
    for k in range(4):
        np.testing.assert_array_equal(mirrored.voxels[0, 3 - k], stack.voxels[0, k])
        np.testing.assert_allclose(world(mirrored, 2, 3, 3 - k), world(stack, 2, 3, k), atol=1e-9)
    np.testing.assert_allclose(mirrored.reversed().frame, stack.frame, atol=1e-9)
    np.testing.assert_allclose(mirrored.reversed().positions, stack.positions, atol=1e-9)


def test_phase_keeps_its_time(cine: SliceStack) -> None:
    phase = cine.phase(2)
    assert phase.voxels.shape == (1, *cine.voxels.shape[1:])
    np.testing.assert_array_equal(phase.voxels[0], cine.voxels[2])
    assert phase.times == (0.06,)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32 - 1), left_handed=st.booleans())
def test_single_slices_in_any_order_give_the_stack(seed: int, left_handed: bool) -> None:
    rng = np.random.default_rng(seed)
    frame = np.eye(4)
    frame[:3, :3] = rotation(rng, left_handed=left_handed) * [*rng.uniform(0.5, 2, 2), 1]
    frame[:3, 3] = rng.uniform(-300, 300, 3)
    positions = np.concatenate([[0], np.cumsum(rng.uniform(1, 15, 3))])
    stack = SliceStack(VOXELS[np.newaxis], frame, positions)
    slices = slices_of(stack)
    rebuilt = SliceStack.from_slices([slices[n] for n in rng.permutation(4)])
    np.testing.assert_allclose(rebuilt.frame, stack.frame, atol=1e-9)
    np.testing.assert_allclose(rebuilt.positions, stack.positions, atol=1e-9)
    np.testing.assert_array_equal(rebuilt.voxels, stack.voxels)


def test_slice_axis_that_points_down_is_kept(stack: SliceStack) -> None:
    mirrored = stack.reversed()
    rebuilt = SliceStack.from_slices(slices_of(mirrored))
    np.testing.assert_allclose(rebuilt.frame, mirrored.frame)
    np.testing.assert_array_equal(rebuilt.voxels, mirrored.voxels)


def test_tilted_slice_is_refused_by_name_and_angle(stack: SliceStack) -> None:
    slices = slices_of(stack)
    angle = np.radians(3)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    slices[2] = (slices[2][0], tilt @ slices[2][1])
    with pytest.raises(UnusableInput, match=r"c\.nrrd is tilted by 3\.00 degrees against a\.nrrd: not parallel"):
        SliceStack.from_slices(slices, ["a.nrrd", "b.nrrd", "c.nrrd", "d.nrrd"])


def change_shape(slices: list) -> None:
    slices[1] = (slices[1][0][:-1], slices[1][1])


def change_spacing(slices: list) -> None:
    slices[1][1][:3, 0] *= 1.1


def shift_in_plane(slices: list) -> None:
    slices[1][1][0, 3] += 0.8


def duplicate(slices: list) -> None:
    slices[1] = (slices[1][0], slices[0][1])


def keep_one(slices: list) -> None:
    del slices[1:]


def keep_none(slices: list) -> None:
    slices.clear()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change_shape, r"slice 2 is \(11, 10\)"),
        (change_spacing, "slice 2 has another pixel spacing"),
        (shift_in_plane, r"slice 2 is shifted by 0\.80 mm"),
        (duplicate, "slice 1 and slice 2 are at the same position"),
        (keep_one, "there is 1 slice"),
        (keep_none, "there are no slices"),
    ],
)
def test_slices_that_make_no_stack_are_refused(stack: SliceStack, spoil, message: str) -> None:
    slices = slices_of(stack)
    spoil(slices)
    with pytest.raises(UnusableInput, match=message):
        SliceStack.from_slices(slices)


def affine_with(**changes: float) -> np.ndarray:
    affine = np.diag([1.5, 1.5, 8, 1]).astype(float)
    for place, value in changes.items():
        affine[int(place[1]), int(place[2])] = value
    return affine


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (affine_with(m22=0), "slice spacing is 0 mm"),
        (affine_with(m00=0), "distance between columns is 0 mm"),
        (affine_with(m11=0), "distance between rows is 0 mm"),
        (affine_with(m22=np.nan), "slice spacing is nan mm"),
        (affine_with(m03=np.inf), "finite numbers"),
        (affine_with(m02=0.5), r"sheared: two of them are 86\.42 degrees"),
        (affine_with(m01=0.5), "sheared"),
    ],
)
def test_impossible_geometry_is_refused(affine: np.ndarray, message: str) -> None:
    with pytest.raises(UnusableInput, match=message):
        SliceStack.from_affine(VOXELS, affine)


def with_one(value: float) -> np.ndarray:
    voxels = VOXELS.astype(np.float32)
    voxels[1, 2, 3] = value
    return voxels


@pytest.mark.parametrize(
    ("voxels", "message"),
    [
        (with_one(np.nan), "1 voxel is not finite"),
        (with_one(-np.inf), "1 voxel is not finite"),
        (np.full_like(VOXELS, 7), "every voxel is 7"),
        (VOXELS[:, :0], "every voxel is missing"),
        (VOXELS + 1j, "complex128, not real numbers"),
        (VOXELS > 5, "bool, not real numbers"),
        (VOXELS[:1], "there is 1 slice"),
        (VOXELS[0], "shape"),
        (np.repeat(VOXELS[..., np.newaxis, np.newaxis], 3, axis=-1), "shape"),
    ],
)
def test_unusable_voxels_are_refused(voxels: np.ndarray, message: str) -> None:
    with pytest.raises(UnusableInput, match=message):
        SliceStack.from_affine(voxels, np.diag([1.5, 1.5, 8, 1]))


@pytest.mark.parametrize("positions", [[0, 8, 8, 16], [0, 8, 4, 16], [1, 8, 16, 24], [0, 8, 16], [0, 8, np.nan, 24]])
def test_positions_must_increase_from_zero(positions: list[float]) -> None:
    with pytest.raises(UnusableInput):
        SliceStack(VOXELS[np.newaxis], np.eye(4), np.array(positions))


def test_number_of_times_must_match(cine: SliceStack) -> None:
    with pytest.raises(UnusableInput, match="3 phases have 2 times"):
        SliceStack(cine.voxels, cine.frame, cine.positions, (0.0, 1.0))


def test_unequal_gaps_have_no_affine_and_the_message_names_a_spacing_that_works() -> None:
    stack = SliceStack(VOXELS[np.newaxis], np.eye(4), np.array([0, 8, 18, 26]))
    with pytest.raises(UnusableInput, match="8 to 10 mm apart") as caught:
        _ = stack.affine
    assert caught.value.remedy.startswith("ask for a spacing of 2 mm")


def test_gaps_without_a_common_step_are_said_so() -> None:
    with pytest.raises(UnusableInput) as caught:
        uniform_step(np.array([0, 1, 1 + np.sqrt(2)]))
    assert caught.value.remedy == "choose slices with equal gaps"


@pytest.mark.parametrize(
    ("positions", "largest", "step"),
    [
        ([0, 8, 18], np.inf, 2.0),
        ([0, 8, 18], 1.5, 1.0),
        ([0, 7.5, 17.5], 2.5, 2.5),
        ([0, 1, 1 + np.sqrt(2)], np.inf, None),
    ],
)
def test_common_step_is_the_largest_that_divides_every_gap(positions: list, largest: float, step: float | None) -> None:
    assert common_step(np.array(positions), largest) == step
