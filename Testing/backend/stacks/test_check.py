"""What looks wrong in a stack is found, named, and nothing is said of a sound one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calid.errors import UnusableInput
from calid.phantom.beating_heart import Phantom
from calid.stacks.check import check_stack
from calid.stacks.findings import Kind, counted
from calid.stacks.padding import Padding
from calid.stacks.stack import SliceStack

SHAPE = {"gap": 8.0, "matrix": (72, 80), "pixel": 2.4}


@pytest.fixture(scope="module")
def sound() -> SliceStack:
    return Phantom(slices=10, **SHAPE).sparse


@pytest.fixture(scope="module")
def beating() -> SliceStack:
    return Phantom(slices=8, phases=6, **SHAPE).sparse


def kinds(stack: SliceStack) -> list[Kind]:
    return [finding.kind for finding in check_stack(stack)]


def with_voxels(stack: SliceStack, voxels: np.ndarray) -> SliceStack:
    return replace(stack, voxels=voxels)


def ordered(stack: SliceStack, order: list[int]) -> SliceStack:
    return with_voxels(stack, stack.voxels[:, order])


def test_nothing_is_said_of_a_sound_stack(sound, beating) -> None:
    for stack in (sound, beating, beating.phase(3), sound.reversed()):
        assert check_stack(stack) == []


@pytest.mark.parametrize("slices", [2, 3, 4, 25])
def test_nor_of_few_or_of_many_slices(slices: int) -> None:
    stack = Phantom(slices=slices, **{**SHAPE, "gap": 80 / slices}).sparse
    assert check_stack(stack) == []


@pytest.mark.parametrize("seed", range(8))
def test_slices_in_no_order(sound, seed: int) -> None:
    order = [int(k) for k in np.random.default_rng(seed).permutation(10)]
    (finding,) = check_stack(ordered(sound, order))
    assert finding.kind is Kind.OUT_OF_ORDER
    right = np.argsort(order)
    right = right if right[0] < right[-1] else right[::-1]
    assert counted(map(int, right)) in str(finding)


@pytest.mark.parametrize(
    "order",
    [
        [0, 2, 4, 6, 8, 1, 3, 5, 7, 9],
        [9, 7, 5, 3, 1, 8, 6, 4, 2, 0],
        [5, 6, 7, 8, 9, 0, 1, 2, 3, 4],
        [*range(5), *range(9, 4, -1)],
    ],
)
def test_interleaved_and_broken_orders(sound, order: list[int]) -> None:
    assert kinds(ordered(sound, order)) == [Kind.OUT_OF_ORDER]


def test_two_slices_that_changed_places(sound) -> None:
    (finding,) = check_stack(ordered(sound, [0, 1, 2, 3, 5, 4, 6, 7, 8, 9]))
    assert str(finding) == "Slices 5 and 6 seem to be in the wrong order."


@pytest.mark.parametrize(("first", "second"), [(3, 4), (2, 7), (0, 9)])
def test_a_slice_that_is_there_twice(sound, first: int, second: int) -> None:
    voxels = sound.voxels.copy()
    voxels[:, second] = voxels[:, first]
    found = [str(finding) for finding in check_stack(with_voxels(sound, voxels))]
    assert f"Slices {first + 1} and {second + 1} are the same image." in found


def test_a_slice_that_is_there_twice_in_one_phase(beating) -> None:
    voxels = beating.voxels.copy()
    voxels[4, 5] = voxels[4, 4]
    assert [str(finding) for finding in check_stack(with_voxels(beating, voxels))] == [
        "Slices 5 and 6 are the same image in phase 5."
    ]


@pytest.mark.parametrize("k", [0, 4, 9])
@pytest.mark.parametrize("value", [0, 7, -9999])
def test_a_blank_slice(sound, k: int, value: int) -> None:
    voxels = sound.voxels.copy()
    voxels[:, k] = value
    (finding,) = check_stack(with_voxels(sound, voxels))
    assert finding.kind is Kind.BLANK
    assert f"Slice {k + 1} is blank (every voxel is about {value})" in str(finding)


def test_a_slice_of_noise_alone(sound) -> None:
    voxels = sound.voxels.copy()
    voxels[:, 4] = np.random.default_rng(0).integers(0, 4, voxels.shape[2:])
    assert kinds(with_voxels(sound, voxels)) == [Kind.BLANK]


@pytest.mark.parametrize(("phases", "said"), [([2, 3, 4, 5], "phases 3-6"), ([1], "phase 2"), ([0, 2], "phases 1, 3")])
def test_a_slice_that_is_blank_in_some_phases(beating, phases: list[int], said: str) -> None:
    voxels = beating.voxels.copy()
    voxels[phases, 3] = 0
    (finding,) = check_stack(with_voxels(beating, voxels))
    assert f"Slice 4 is blank in {said} " in str(finding)


@pytest.mark.parametrize("part", [np.s_[36:], np.s_[:25], np.s_[:, 40:]])
def test_a_slice_that_is_half_empty(sound, part) -> None:
    voxels = sound.voxels.copy()
    voxels[(0, 6, *(part if isinstance(part, tuple) else (part,)))] = 0
    (finding,) = check_stack(with_voxels(sound, voxels))
    assert finding.kind is Kind.BLANK
    assert "Slice 7 is empty in" in str(finding)


def test_bands_that_all_slices_have_are_the_field_of_view(sound) -> None:
    voxels = sound.voxels.copy()
    voxels[:, :, :20] = 0
    assert check_stack(with_voxels(sound, voxels)) == []


def test_time_and_slices_in_each_others_place() -> None:
    cine = Phantom(slices=9, phases=12, **SHAPE).sparse
    swapped = SliceStack(cine.voxels.swapaxes(0, 1), cine.frame, np.arange(12) * 8.0)
    (finding,) = check_stack(swapped)
    assert finding.kind is Kind.SWAPPED_AXES
    assert "12 slices" in str(finding)


@pytest.mark.parametrize("odd", [[3, 4, 5], [1, 3, 5], [5]])
def test_magnitude_and_phase_images_in_one_cine(beating, odd: list[int]) -> None:
    voxels = beating.voxels.copy()
    voxels[odd] = np.random.default_rng(0).integers(-900, 900, voxels[odd].shape)
    found = check_stack(with_voxels(beating, voxels))
    assert found[-1].kind is Kind.OTHER_IMAGES
    assert ("Phase 6 shows" if odd == [5] else f"Phases {counted(odd)} show") in str(found[-1])


def test_a_stack_longer_than_any_heart(sound) -> None:
    (finding,) = check_stack(replace(sound, positions=np.linspace(0, 760, 10)))
    assert finding.kind is Kind.TOO_LONG
    assert "760 mm" in str(finding)
    assert "84.44 mm" in str(finding)


def test_a_missing_slice(sound) -> None:
    kept = [*range(5), *range(6, 10)]
    (finding,) = check_stack(replace(sound, voxels=sound.voxels[:, kept], positions=sound.positions[kept]))
    assert "between slices 5 and 6, which are 16 mm apart" in str(finding)


@pytest.mark.parametrize("shift", [10, -12])
def test_a_shifted_slice(sound, shift: int) -> None:
    voxels = sound.voxels.copy()
    voxels[:, 4] = np.roll(voxels[:, 4], round(shift / 2.4), axis=-1)
    (finding,) = check_stack(with_voxels(sound, voxels))
    assert (finding.kind, finding.slices) == (Kind.SHIFTED, (4,))


@pytest.mark.parametrize("change", ["noise", "scale", "both"])
def test_a_slice_that_is_there_twice_with_another_noise_or_scale(sound, change: str) -> None:
    voxels = sound.voxels.astype(np.float32)
    again = voxels[:, 3] * (1 if change == "noise" else 1.1)
    noise = np.random.default_rng(1).normal(0, 0.02 * float(voxels.std()), again.shape)
    voxels[:, 6] = again + (0 if change == "scale" else noise)
    (finding,) = (one for one in check_stack(with_voxels(sound, voxels)) if one.kind is Kind.DUPLICATED)
    assert "Slices 4 and 7 are nearly the same image (correlation 0.99" in str(finding).replace("1.0000", "0.9999")


@pytest.mark.parametrize(("order", "pair"), [([1, 0, *range(2, 10)], (0, 1)), ([*range(8), 9, 8], (8, 9))])
def test_two_slices_at_an_end_that_changed_places(sound, order: list[int], pair: tuple[int, int]) -> None:
    (finding,) = check_stack(ordered(sound, order))
    assert (finding.kind, finding.slices) == (Kind.OUT_OF_ORDER, pair)


def test_values_too_small_for_float32_are_refused(sound) -> None:
    for factor in (1e-303, 1e-43):
        with pytest.raises(UnusableInput, match="only"):
            check_stack(with_voxels(sound, sound.voxels * factor))


def test_a_stack_of_blank_slices_but_one_is_told_of(sound) -> None:
    voxels = np.full_like(sound.voxels, 5)
    voxels[0, 2, 9, 9] = 900
    assert kinds(with_voxels(sound, voxels)) == [Kind.BLANK] * 9


@pytest.mark.parametrize("size", [1400.0, 0.0014, 11.0])
def test_pixels_that_no_heart_has_are_refused(sound, size: float) -> None:
    frame = sound.frame.copy()
    frame[:3, :2] *= size / 2.4
    with pytest.raises(UnusableInput, match=f"{size:.4g} mm wide") as caught:
        check_stack(replace(sound, frame=frame))
    assert "metre" in caught.value.remedy


def test_values_without_room_or_contrast_are_refused(sound) -> None:
    with pytest.raises(UnusableInput, match=r"1e\+302"):
        check_stack(with_voxels(sound, sound.voxels * (1e302 / sound.voxels.max())))
    with pytest.raises(UnusableInput, match="which rounding makes flat"):
        check_stack(with_voxels(sound, sound.voxels.astype(np.int64) + 2**62))


def test_padding_is_no_finding(sound) -> None:
    voxels = sound.voxels.copy()
    rows, columns = np.ogrid[:72, :80]
    voxels[..., np.hypot((rows - 36) / 36, (columns - 40) / 40) > 1] = -9999
    assert check_stack(with_voxels(sound, voxels)) == []
    assert Padding.of(voxels).values == (-9999,)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(-9999, "int16"), (32767, "int16"), (-32768, "int16"), (65535, "uint16"), (1e30, "float32"), (-1e302, "float64"),
     (-(2**63), "int64"), (-2000, "float32"), (1500, "int16")],
)  # fmt: skip
def test_padding_values(sound, value: float, dtype: str) -> None:
    voxels = np.clip(sound.voxels, 0, None).astype(dtype)
    voxels[..., :9, :] = value
    found = Padding.of(voxels)
    assert found.values == (np.dtype(dtype).type(value),)
    np.testing.assert_array_equal(found.mask(voxels), voxels == np.dtype(dtype).type(value))
    assert found.filled(voxels).max() <= sound.voxels.max()


def test_two_padding_values(sound) -> None:
    voxels = sound.voxels.copy()
    voxels[..., :3, :], voxels[..., -3:, :] = -32768, 32767
    assert set(Padding.of(voxels).values) == {-32768, 32767}


def test_tissue_is_no_padding(sound) -> None:
    bright = sound.voxels.copy()
    bright[0, 3, 20, 20] = 5 * bright.max()
    saturated = np.minimum(sound.voxels, 300)
    masked = np.where(sound.voxels > 60, sound.voxels, 0)
    for voxels in (sound.voxels, bright, saturated, masked):
        assert Padding.of(voxels).values == ()
