"""NIfTI headers whose parts disagree, that scale, have units, or are of another edition: right, or refused."""

from __future__ import annotations

import bz2
import gzip
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest

from calid.errors import OutOfResources, StackWarning, UnusableInput
from calid.files.reading import read_stack, read_with_remarks

VOXELS = np.random.default_rng(5).integers(0, 900, (5, 12, 10)).astype(np.int16)
SIZES = np.array([2.0, 2.0, 8.0])
TURN = np.array([[np.cos(0.5), -np.sin(0.5), 0], [np.sin(0.5), np.cos(0.5), 0], [0, 0, 1]])
LPS = np.diag([-1.0, -1, 1, 1])


def affine(sizes=SIZES, rotation=TURN, origin=(-30, 20, 5)) -> np.ndarray:
    """RAS."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation * np.asarray(sizes), origin
    return matrix


def write(path: Path, sform=None, qform=None, voxels=VOXELS, kind=nibabel.Nifti1Image, **fields) -> Path:
    """A file with those parts filled in, and other fields of its header."""
    image = kind(voxels.T, affine())
    header = image.header
    header.set_qform(affine() if qform is None else qform, 1 if qform is not None else 0)
    header["sform_code"] = 0
    if sform is not None:
        header.set_sform(sform, 1)
    for name, value in fields.items():
        header[name] = value
    extension = bytes(4)
    raw = header.binaryblock + extension + voxels.astype(voxels.dtype.newbyteorder("<")).tobytes()
    path.write_bytes(raw)
    return path


def read(path: Path) -> tuple[np.ndarray, list[str]]:
    stack, remarks = read_with_remarks(path)
    np.testing.assert_array_equal(stack.voxels[0], VOXELS)
    return LPS @ stack.affine, remarks


@pytest.mark.parametrize(("sform", "qform"), [(True, False), (False, True), (True, True)])
def test_parts_that_agree_or_were_never_filled_in_are_read_in_silence(tmp_path, sform, qform) -> None:
    path = write(tmp_path / "a.nii", affine() if sform else None, affine() if qform else None)
    found, remarks = read(path)
    np.testing.assert_allclose(found, affine(), atol=1e-5)
    assert remarks == []


def test_no_part_is_filled_in_but_pixdim(tmp_path) -> None:
    found, remarks = read(write(tmp_path / "a.nii"))
    np.testing.assert_allclose(found, np.diag([*SIZES, 1]), atol=1e-6)
    assert remarks == []


@pytest.mark.parametrize("other", [(2.5, 2.5, 8), (2, 2, 10), (2, 2, 0.8)])
def test_an_sform_of_other_sizes_gives_way_to_the_qform(tmp_path, other) -> None:
    found, (remark,) = read(write(tmp_path / "a.nii", affine(other), affine()))
    np.testing.assert_allclose(found, affine(), atol=1e-5)
    for size in (*other, *SIZES):
        assert f"{size:g}" in remark


def test_an_sform_of_other_sizes_counts_where_there_is_no_qform(tmp_path) -> None:
    found, (remark,) = read(write(tmp_path / "a.nii", affine((2, 2, 10))))
    np.testing.assert_allclose(found, affine((2, 2, 10)), atol=1e-5)
    assert "2 x 2 x 10 mm" in remark
    assert "2 x 2 x 8 mm" in remark


def test_an_sform_without_sizes_gets_those_of_pixdim(tmp_path) -> None:
    found, remarks = read(write(tmp_path / "a.nii", affine((1, 1, 1))))
    np.testing.assert_allclose(found, affine(), atol=1e-5)
    assert remarks == []


@pytest.mark.parametrize("move", ["turned", "moved"])
def test_another_place_is_told_in_mm(tmp_path, move) -> None:
    sform = affine(rotation=np.eye(3)) if move == "turned" else affine(origin=(20, 20, 5))
    found, (remark,) = read(write(tmp_path / "a.nii", sform, affine()))
    np.testing.assert_allclose(found, sform, atol=1e-5)
    assert "mm apart" in remark
    assert move == "turned" or "up to 50 mm" in remark


def test_rounding_is_no_disagreement(tmp_path) -> None:
    _, remarks = read(write(tmp_path / "a.nii", affine().round(3), affine()))
    assert remarks == []


def test_a_sheared_sform_gives_way_or_is_refused(tmp_path) -> None:
    sheared = affine()
    sheared[:3, 2] += sheared[:3, 0]
    found, (remark,) = read(write(tmp_path / "a.nii", sheared, affine()))
    np.testing.assert_allclose(found, affine(), atol=1e-5)
    assert "sheared" in remark
    with pytest.raises(UnusableInput, match="sheared"):
        read(write(tmp_path / "b.nii", sheared))


def test_an_sform_without_length_is_refused(tmp_path) -> None:
    with pytest.raises(UnusableInput, match="0 mm"):
        read(write(tmp_path / "a.nii", np.diag([0.0, 0, 0, 1])))


DAMAGE = (
    [{"srow_z": np.nan}, {"srow_x": [np.inf, 0, 0, 0]}],
    [{"quatern_b": 2.0}, {"quatern_c": np.nan}, {"qoffset_x": np.inf}],
)


@pytest.mark.parametrize(
    ("damage", "part", "other"),
    [*((damage, "sform", "qform") for damage in DAMAGE[0]), *((damage, "qform", "sform") for damage in DAMAGE[1])],
)
def test_a_damaged_part_gives_way_with_a_remark_or_is_refused(tmp_path, damage, part, other) -> None:
    found, (remark,) = read(write(tmp_path / "a.nii", affine(), affine(), **damage))
    np.testing.assert_allclose(found, affine(), atol=1e-5)
    assert f"its {part} is damaged ({next(iter(damage))}" in remark
    assert f"the {other} is used" in remark
    alone = (affine(), None) if part == "sform" else (None, affine())
    with pytest.raises(UnusableInput, match=f"its {part} is damaged"):
        read(write(tmp_path / "b.nii", *alone, **damage))


def test_both_parts_damaged(tmp_path) -> None:
    with pytest.raises(UnusableInput, match=r"qform is damaged .* and its sform is damaged"):
        read(write(tmp_path / "a.nii", affine(), affine(), srow_y=np.nan, quatern_d=-3.0))


def test_an_sform_of_zeros_gives_way(tmp_path) -> None:
    found, (remark,) = read(write(tmp_path / "a.nii", np.diag([0.0, 0, 0, 1]), affine()))
    np.testing.assert_allclose(found, affine(), atol=1e-5)
    assert "without length" in remark


@pytest.mark.parametrize("code", [-1, 0])
def test_a_code_that_says_nothing_is_none(tmp_path, code) -> None:
    found, remarks = read(write(tmp_path / "a.nii", affine((5, 5, 5)), affine(), sform_code=code))
    np.testing.assert_allclose(found, affine(), atol=1e-5)
    assert remarks == []


def test_a_mirrored_qform_is_told_of(tmp_path) -> None:
    _, (remark,) = read(write(tmp_path / "a.nii", affine(), affine(), pixdim=[-1, *SIZES, 0, 0, 0, 0]))
    assert "up to 64 mm apart" in remark


@pytest.mark.parametrize("pixdim", [(0, 0, 0), (-2, 2, 8), (2, 2, np.nan)])
def test_a_pixdim_that_is_no_size_is_refused(tmp_path, pixdim) -> None:
    with pytest.raises(UnusableInput, match="the spacing in the header is"):
        read(write(tmp_path / "a.nii", affine(), pixdim=[1, *pixdim, 0, 0, 0, 0]))


def test_a_remark_is_a_warning_in_python(tmp_path) -> None:
    path = write(tmp_path / "a.nii", affine((2, 2, 10)))
    with pytest.warns(StackWarning, match=r"a\.nii: its voxels are 2 x 2 x 10 mm"):
        read_stack(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_stack(write(tmp_path / "b.nii", affine(), affine()))


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [(0, 5, VOXELS), (1, 0, VOXELS), (np.nan, 3, VOXELS), (np.inf, 3, VOXELS), (0.5, -8, VOXELS * 0.5 - 8)],
)
def test_scaling(tmp_path, slope, intercept, expected) -> None:
    """Of a slope of 0 the standard says that there is none, and that the intercept is ignored."""
    stack = read_stack(write(tmp_path / "a.nii", affine(), scl_slope=slope, scl_inter=intercept))
    np.testing.assert_array_equal(stack.voxels[0], expected)
    assert stack.voxels.dtype == (np.int16 if expected is VOXELS else np.float32)


def test_voxels_that_begin_at_byte_0_begin_after_the_header(tmp_path) -> None:
    path = write(tmp_path / "a.nii", affine(), vox_offset=0)
    np.testing.assert_array_equal(read_stack(path).voxels[0], VOXELS)


@pytest.mark.parametrize("offset", [-1, 20, np.nan])
def test_voxels_that_begin_in_the_header_are_refused(tmp_path, offset) -> None:
    with pytest.raises(UnusableInput, match="begin at byte"):
        read_stack(write(tmp_path / "a.nii", affine(), vox_offset=offset))


@pytest.mark.parametrize(("code", "factor"), [(0, 1), (1, 1000), (2, 1), (3, 1e-3)])
def test_units_of_length(tmp_path, code, factor) -> None:
    small = affine(SIZES / factor, origin=np.array([-30, 20, 5]) / factor)
    path = write(tmp_path / "a.nii", small, pixdim=[1, *SIZES / factor, 0, 0, 0, 0], xyzt_units=code)
    np.testing.assert_allclose(LPS @ read_stack(path).affine, affine(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("big", [False, True])
def test_either_edition_and_byte_order(tmp_path, big) -> None:
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        header = kind.header_class(endianness=">" if big else "<")
        image = kind(VOXELS.T, affine(), header)
        image.header.set_sform(affine(), 1)
        image.to_filename(tmp_path / "a.nii")
        np.testing.assert_array_equal(read_stack(tmp_path / "a.nii").voxels[0], VOXELS)
        np.testing.assert_allclose(LPS @ read_stack(tmp_path / "a.nii").affine, affine(), atol=1e-5)


def test_bzip2_and_pairs_of_files(tmp_path) -> None:
    path = write(tmp_path / "a.nii", affine())
    (tmp_path / "b.nii.bz2").write_bytes(bz2.compress(path.read_bytes()))
    nibabel.Nifti1Pair(VOXELS.T, affine()).to_filename(tmp_path / "pair.img")
    for name in ("b.nii.bz2", "pair.img", "pair.hdr"):
        np.testing.assert_array_equal(read_stack(tmp_path / name).voxels[0], VOXELS)
    (tmp_path / "pair.img").unlink()
    with pytest.raises(UnusableInput, match=r"pair\.img, its other half, is missing"):
        read_stack(tmp_path / "pair.hdr")


def test_a_file_that_is_not_compressed_as_its_name_says(tmp_path) -> None:
    path = write(tmp_path / "a.nii", affine()).rename(tmp_path / "a.nii.gz")
    with pytest.raises(UnusableInput, match="not compressed as its name says"):
        read_stack(path)
    path.write_bytes(gzip.compress(b"no header"))
    with pytest.raises(UnusableInput, match="no NIfTI file"):
        read_stack(path)


def test_a_size_that_no_memory_has_is_refused_before_it_is_asked_for(tmp_path) -> None:
    path = write(tmp_path / "a.nii", affine(), dim=[4, 30000, 30000, 30000, 100, 1, 1, 1])
    with pytest.raises(OutOfResources, match=r"header promises .* GB"):
        read_stack(path)
