"""For any order of axes, flip, type, unit, scale and frame the physical answer is the same; any damage is refused."""

from __future__ import annotations

import gzip
import tracemalloc
import warnings
from itertools import permutations
from pathlib import Path

import nibabel
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calid.errors import CalidError, OutOfResources, UnusableInput
from calid.files.formats import SUFFIXES
from calid.files.reading import read_stack, read_with_remarks
from calid.files.writing import write_stack
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack

SHAPE = (4, 11, 9)
"""Slices, rows, columns."""
QUIET = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def points(stack: SliceStack) -> dict[tuple[float, ...], float]:
    """The value at every place in mm, whatever the order of the axes."""
    phase, affine = stack.voxels[0], stack.affine
    index = np.stack([*np.indices(phase.shape)[::-1], np.ones(phase.shape)]).reshape(4, -1)
    places = (affine @ index)[:3].T.round(2) + 0.0
    return dict(zip(map(tuple, places.tolist()), phase.ravel().astype(float).tolist(), strict=True))


@st.composite
def volumes(draw) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (k, j, i) that differ, and an oblique affine in LPS, its origin on whole mm."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pixel = draw(st.sampled_from((0.75, 1.25, 2.0)))
    affine = np.eye(4)
    affine[:3, :3] = rotation * [pixel, pixel, draw(st.sampled_from((5.0, 8.0, 9.6)))]
    affine[:3, 3] = rng.integers(-200, 200, 3)
    return rng.permutation(int(np.prod(SHAPE))).reshape(SHAPE), affine


def turned(voxels: np.ndarray, affine: np.ndarray, axes, flips) -> tuple[np.ndarray, np.ndarray]:
    """The same voxels at the same places, with the axes of i, j, k in another order and sense."""
    voxels, affine = voxels.transpose([2 - axis for axis in axes][::-1]), affine[:, [*axes, 3]].copy()
    for axis in np.flatnonzero(flips):
        affine[:3, 3] += affine[:3, axis] * (voxels.shape[2 - axis] - 1)
        affine[:3, axis] *= -1
        voxels = np.flip(voxels, 2 - axis)
    return np.ascontiguousarray(voxels), affine


@QUIET
@given(
    volume=volumes(),
    axes=st.sampled_from(list(permutations(range(3)))),
    flips=st.tuples(*[st.booleans()] * 3),
    suffix=st.sampled_from(SUFFIXES),
    dtype=st.sampled_from(("uint8", "int16", "uint16", "int32", "float32", "float64")),
)
def test_the_order_of_the_axes_changes_nothing(tmp_path: Path, volume, axes, flips, suffix, dtype) -> None:
    voxels, affine = volume
    voxels = (voxels % 251).astype(dtype)
    usual = SliceStack.from_affine(voxels, affine)
    write_stack(SliceStack.from_affine(*turned(voxels, affine, axes, flips)), tmp_path / f"a{suffix}")
    found = read_stack(tmp_path / f"a{suffix}")
    assert found.voxels.dtype == dtype
    assert len(found.positions) == SHAPE[0]
    np.testing.assert_allclose(found.gaps, usual.gaps, atol=1e-4)
    assert len(plan_slices(found.positions, 2.4).targets) == len(plan_slices(usual.positions, 2.4).targets)
    expected, there = points(usual), points(found)
    off = [place for place in expected if place not in there]  # rounding may go either way
    assert len(off) <= 0.05 * len(expected) or suffix.startswith(".nii")
    assert all(there[place] == value for place, value in expected.items() if place in there)


@QUIET
@given(
    volume=volumes(),
    unit=st.sampled_from([(1, 1e-3), (2, 1.0), (3, 1e3)]),
    slope=st.sampled_from([(1.0, 0.0), (0.0, 7.0), (0.25, -3.0), (2.0, 100.0)]),
    edition=st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
    big=st.booleans(),
)
def test_nifti_of_any_unit_and_scale(tmp_path: Path, volume, unit, slope, edition, big) -> None:
    voxels, affine = volume
    (code, factor), (gain, offset) = unit, slope
    stored = np.diag([-factor, -factor, factor, 1]) @ affine
    header = edition.header_class(endianness=">" if big else "<")
    image = edition(voxels.astype(np.int16).T, stored, header)
    image.header.set_sform(stored, 1)
    image.header["xyzt_units"] = code
    image.to_filename(tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    place = (112, "f4") if edition is nibabel.Nifti1Image else (176, "f8")
    numbers = np.array([gain, offset], (">" if big else "<") + place[1]).tobytes()
    raw[place[0] : place[0] + len(numbers)] = numbers
    (tmp_path / "a.nii").write_bytes(raw)
    found, remarks = read_with_remarks(tmp_path / "a.nii")
    assert remarks == []
    np.testing.assert_array_equal(found.voxels[0], voxels * gain + offset if gain else voxels)
    np.testing.assert_allclose(found.affine, affine, atol=1e-2, rtol=1e-5)


@QUIET
@given(
    suffix=st.sampled_from(SUFFIXES),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_any_damage_to_a_header_is_read_or_refused(tmp_path: Path, cine: SliceStack, suffix, changes) -> None:
    """One line that names the file, no other exception, and memory as for the file itself."""
    path = tmp_path / f"a{suffix}"
    write_stack(cine, path)
    is_gzip = suffix == ".nii.gz"
    content = bytearray(gzip.decompress(path.read_bytes()) if is_gzip else path.read_bytes())
    length = 352 if suffix.startswith(".nii") else len(content) - 400
    for where, value in changes:
        content[int(where * (length - 1))] = value
    path.write_bytes(gzip.compress(bytes(content)) if is_gzip else content)
    refusal: CalidError | None = None
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stack = read_stack(path)
        assert np.isfinite(stack.voxels).all()
    except (UnusableInput, OutOfResources) as error:
        refusal = error
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 5e7
    assert refusal is None or (str(refusal).startswith(f"{path}: ") and refusal.remedy)
