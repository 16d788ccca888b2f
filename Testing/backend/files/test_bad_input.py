"""What bad input files get: a message that names the file, the reason and the remedy."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from calid.errors import ExitCode, UnusableInput
from calid.files.formats import SUFFIXES
from calid.files.reading import read_stack
from calid.files.writing import write_stack
from calid.stacks.stack import SliceStack


def refuse(path: Path, message: str) -> UnusableInput:
    """Reading ``path`` is refused with its name, ``message`` and a remedy."""
    with pytest.raises(UnusableInput, match=message) as caught:
        read_stack(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.remedy
    assert caught.value.exit_code == ExitCode.UNUSABLE_INPUT
    return caught.value


def write(path: Path, voxels: np.ndarray, is_vector: bool = False) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(voxels, isVector=is_vector), str(path), useCompression=True)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("part", [0, 0.005, 0.3, 0.98])
def test_truncated_file(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"a{suffix}"
    voxels = np.random.default_rng(0).integers(0, 999, (5, 64, 64)).astype(np.int16)
    write_stack(SliceStack.from_affine(voxels, np.diag([1.5, 1.5, 8, 1])), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    refuse(path, "truncated|cannot be read")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_no_image(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"Dear colleague, please find attached ..." * 20)
    refuse(path, "damaged|cannot be read")


def test_compressed_text_under_a_nifti_name(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(b"Dear colleague, please find attached ..." * 20))
    refuse(path, "cannot be read")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_file(tmp_path: Path, suffix: str) -> None:
    refuse(tmp_path / f"a{suffix}", "no such file")


def test_unknown_format(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"DICM")
    assert ".nii.gz" in refuse(tmp_path / "a.dcm", "'.dcm' is not a known image format").remedy


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_colour_image(tmp_path: Path, suffix: str) -> None:
    voxels = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3)).astype(np.uint8)
    refuse(write(tmp_path / f"a{suffix}", voxels, is_vector=True), "3 values per voxel")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_five_dimensions(tmp_path: Path, suffix: str) -> None:
    voxels = np.arange(2 * 2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 2, 3, 4, 5)
    refuse(write(tmp_path / f"a{suffix}", voxels), r"5 dimensions \(5 x 4 x 3 x 2 x 2\)")


def test_two_dimensions(tmp_path: Path) -> None:
    refuse(write(tmp_path / "a.nrrd", np.arange(20, dtype=np.int16).reshape(4, 5)), r"2 dimensions \(5 x 4\)")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_single_slice(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", np.arange(20, dtype=np.int16).reshape(1, 4, 5))
    assert "folder" in refuse(path, "1 slice, and filling a gap needs at least 2").remedy


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_3d_stack_stored_as_4d(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", np.arange(200, dtype=np.int16).reshape(10, 1, 4, 5))
    assert "save it as a 3D file" in refuse(path, "5 x 4 x 1 x 10 is one slice with 10 phases").remedy


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_not_finite(tmp_path: Path, suffix: str, value: float) -> None:
    voxels = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    voxels[2, 3, 1:4] = value
    refuse(write(tmp_path / f"a{suffix}", voxels), "3 voxels are not finite")


def test_constant_voxels(tmp_path: Path) -> None:
    refuse(write(tmp_path / "a.mha", np.full((4, 5, 6), 12, np.int16)), "every voxel is 12")


def test_complex_voxels(tmp_path: Path) -> None:
    refuse(
        write(tmp_path / "a.nrrd", (np.arange(120).reshape(4, 5, 6) * 1j).astype(np.complex64)),
        "2 values per voxel|complex",
    )


@pytest.mark.parametrize("distance", [0.0, -8.0, np.nan, np.inf])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_spacing_that_itk_would_replace(tmp_path: Path, stack: SliceStack, suffix: str, distance: float) -> None:
    path = tmp_path / f"a{suffix}"
    write_stack(stack, path)
    pack, unpack = (gzip.compress, gzip.decompress) if suffix == ".nii.gz" else (bytes, bytes)
    content = bytearray(unpack(path.read_bytes()))
    content[88:92] = np.float32(distance).tobytes()
    path.write_bytes(pack(bytes(content)))
    refuse(path, f"the spacing in the header is 1.5 x 1.4 x {distance:g} mm")


@pytest.mark.parametrize("distance", ["0", "-8", "nan"])
def test_metaimage_spacing_that_itk_would_replace(tmp_path: Path, stack: SliceStack, distance: str) -> None:
    path = tmp_path / "a.mha"
    write_stack(stack, path)
    content, count = re.subn(rb"(ElementSpacing = \S+ \S+) 8", rf"\1 {distance}".encode(), path.read_bytes())
    assert count == 1
    path.write_bytes(content)
    refuse(path, f"the spacing in the header is 1.5 x 1.4 x {distance} mm")


@pytest.mark.parametrize("distance", ["0", "-8", "nan"])
def test_nrrd_spacing_that_itk_would_replace(tmp_path: Path, distance: str) -> None:
    path = tmp_path / "a.nrrd"
    header = f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 4 4 4\nspacings: 1.5 1.4 {distance}\nencoding: raw\n\n"
    path.write_bytes(header.encode() + bytes(range(64)))
    refuse(path, f"the spacing in the header is 1.5 x 1.4 x {distance} mm")


@pytest.mark.parametrize(("column", "message"), [("(0,0,0)", "cannot be read"), ("(2,0,8)", "sheared")])
def test_nrrd_directions(tmp_path: Path, stack: SliceStack, column: str, message: str) -> None:
    path = tmp_path / "a.nrrd"
    write_stack(stack, path)
    content = path.read_bytes()
    assert b"(0,0,8)" in content
    path.write_bytes(content.replace(b"(0,0,8)", column.encode()))
    refuse(path, message)


def test_empty_folder(tmp_path: Path) -> None:
    refuse(tmp_path, "there are no slices")


def test_folder_with_a_whole_stack_in_it(tmp_path: Path, stack: SliceStack) -> None:
    write_stack(stack, tmp_path / "a.nrrd")
    with pytest.raises(UnusableInput, match=r"a\.nrrd: it has shape \(10, 12, 4\)"):
        read_stack(tmp_path)


def test_folder_with_a_tilted_slice(tmp_path: Path, stack: SliceStack, write_slice) -> None:
    for k in range(3):
        affine = stack.affine
        affine[2, 3] += 8 * k
        if k == 1:
            affine[1:3, 1:3] = [[1.4 * 0.8, -8 * 0.6], [1.4 * 0.6, 8 * 0.8]]
        write_slice(tmp_path / f"slice{k}.nrrd", stack.voxels[0, k], affine)
    refuse(tmp_path, r"slice1\.nrrd is tilted by 36\.87 degrees against slice0\.nrrd")
