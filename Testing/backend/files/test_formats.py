"""Names in any case of letters and any bytes, detached headers, DICOM, numbers under a comma, times of every format."""

from __future__ import annotations

import gzip
import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from calid.errors import StackWarning, UnusableInput
from calid.files.formats import SUFFIXES
from calid.files.reading import read_stack
from calid.files.writing import write_stack
from calid.stacks.phases import PhaseIndex
from calid.stacks.stack import SliceStack


def same(one: SliceStack, other: SliceStack) -> None:
    np.testing.assert_array_equal(one.voxels, other.voxels)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("stem", ["A", "two words", "größe", b"\xff\xfe"])
def test_any_name_is_written_and_read(tmp_path: Path, stack: SliceStack, suffix: str, stem: str | bytes) -> None:
    if isinstance(stem, bytes) and sys.platform != "linux":
        pytest.skip("names are Unicode here")
    path = tmp_path / f"{os.fsdecode(stem)}{suffix.upper() if stem == 'A' else suffix}"
    write_stack(stack, path)
    assert list(tmp_path.iterdir()) == [path]
    same(read_stack(path), stack)


@pytest.mark.parametrize("name", ["a.mhd", "A.MHD", "größe.mhd"])
def test_a_metaimage_whose_voxels_are_beside_it(tmp_path: Path, stack: SliceStack, name: str) -> None:
    image = sitk.GetImageFromArray(stack.voxels[0])
    image.SetSpacing([1.5, 1.4, 8])
    sitk.WriteImage(image, str(tmp_path / "plain.mhd"))
    (tmp_path / "plain.mhd").rename(tmp_path / name)
    np.testing.assert_array_equal(read_stack(tmp_path / name).voxels, stack.voxels)
    (tmp_path / "plain.raw").unlink()
    with pytest.raises(UnusableInput, match=r"plain\.raw, which is missing"):
        read_stack(tmp_path / name)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "ascii"])
def test_a_nrrd_whose_voxels_are_beside_it(tmp_path: Path, stack: SliceStack, encoding: str) -> None:
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: LPS\nsizes: 10 12 4\n"
        "space directions: (1.5, 0, 0) (0,1.4,0) (0,0,8)"
        f"\nendian: little\nencoding: {encoding}\nspace origin: (0,0,0)\ndata file: voxels.dat\n"
    )
    (tmp_path / "a.nhdr").write_text(header)
    raw = stack.voxels.astype("<i2").tobytes()
    text = " ".join(map(str, stack.voxels.ravel())).encode()
    data = {"raw": raw, "gzip": gzip.compress(raw), "ascii": text}[encoding]
    (tmp_path / "voxels.dat").write_bytes(data)
    again = read_stack(tmp_path / "a.nhdr")
    np.testing.assert_array_equal(again.voxels, stack.voxels)
    np.testing.assert_allclose(again.affine, np.diag([1.5, 1.4, 8, 1]))
    (tmp_path / "voxels.dat").write_bytes(data[:40])
    with pytest.raises(UnusableInput, match="truncated"):
        read_stack(tmp_path / "a.nhdr")
    (tmp_path / "voxels.dat").unlink()
    with pytest.raises(UnusableInput, match=r"voxels\.dat, which is missing"):
        read_stack(tmp_path / "a.nhdr")


def test_voxels_in_several_files_are_refused(tmp_path: Path) -> None:
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 4 2\nencoding: raw\nendian: little\ndata file: "
    for name in ("LIST\na.raw\nb.raw\n", "a%03d.raw 0 1 1\n"):
        (tmp_path / "a.nhdr").write_text(header + name)
        with pytest.raises(UnusableInput, match="several files") as caught:
            read_stack(tmp_path / "a.nhdr")
        assert "unu save" in caught.value.remedy


@pytest.fixture(scope="module")
def comma(tmp_path_factory) -> Iterator[None]:
    """Numbers have a decimal comma: in a language that is installed, else in one that is made."""
    before, path = locale.setlocale(locale.LC_NUMERIC), os.environ.get("LOCPATH")
    try:
        if not any(map(_is_set, ("de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8"))):
            os.environ["LOCPATH"] = str(_make_language(tmp_path_factory.mktemp("languages")))
            if not _is_set("comma"):
                pytest.skip("no language with a decimal comma is installed, and none can be made")
        assert locale.localeconv()["decimal_point"] == ","
        yield
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)
        os.environ.pop("LOCPATH", None)
        if path is not None:
            os.environ["LOCPATH"] = path


def _is_set(name: str) -> bool:
    try:
        return bool(locale.setlocale(locale.LC_NUMERIC, name))
    except locale.Error:
        return False


def _make_language(folder: Path) -> Path:
    source = folder / "comma.txt"
    source.write_text('LC_CTYPE\ncopy "POSIX"\nEND LC_CTYPE\nLC_NUMERIC\ndecimal_point ","\nEND LC_NUMERIC\n')
    if program := shutil.which("localedef"):
        command = [program, "--no-archive", "-c", "-i", source, folder / "comma"]
        subprocess.run(command, capture_output=True, check=False)
    return folder


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".seq.nrrd", ".mha"])
def test_numbers_are_written_and_read_in_any_language(tmp_path: Path, stack: SliceStack, comma, suffix: str) -> None:
    write_stack(stack, tmp_path / f"a{suffix}")
    same(read_stack(tmp_path / f"a{suffix}"), stack)
    assert b"2,5" not in (tmp_path / f"a{suffix}").read_bytes()[:2000]


def test_a_detached_header_is_read_in_any_language(tmp_path: Path, stack: SliceStack, comma) -> None:
    write_stack(stack, tmp_path / "a.nrrd")
    for name in ("b.nhdr", "b.mhd"):
        detach(read_stack(tmp_path / "a.nrrd"), tmp_path / name)
        same(read_stack(tmp_path / name), stack)


def detach(stack: SliceStack, path: Path) -> None:
    """Write a header and its voxels beside it."""
    affine, sizes = stack.affine, stack.voxels.shape[:0:-1]
    path.with_suffix(".raw").write_bytes(stack.voxels.astype("<i2").tobytes())
    columns = affine[:3, :3].T
    joined = " ".join(map(str, sizes))
    if path.suffix == ".nhdr":
        vectors = " ".join(f"({','.join(map(repr, map(float, column)))})" for column in columns)
        origin = f"({','.join(map(repr, map(float, affine[:3, 3])))})"
        text = f"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: {joined}\n"
        text += f"space directions: {vectors}\nspace origin: {origin}\nencoding: raw\nendian: little\n"
        path.write_text(f"{text}data file: {path.stem}.raw\n", encoding="utf-8")
        return
    spacing = np.linalg.norm(columns, axis=1)
    numbers = {
        "TransformMatrix": (columns / spacing[:, None]).ravel(),
        "Offset": affine[:3, 3],
        "ElementSpacing": spacing,
    }
    lines = [f"{name} = {' '.join(map(repr, map(float, values)))}" for name, values in numbers.items()]
    lines += [f"DimSize = {joined}", "ElementType = MET_SHORT", f"ElementDataFile = {path.stem}.raw"]
    path.write_text("\n".join(["NDims = 3", *lines]) + "\n", encoding="utf-8")


def test_dicom_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    for name in ("IM000001", "image.dcm"):
        (tmp_path / "series" / name).write_bytes(bytes(128) + b"DICM" + bytes(64))
    for path in (tmp_path / "series", *(tmp_path / "series").iterdir()):
        with pytest.raises(UnusableInput, match="DICOM") as caught:
            read_stack(path)
        assert "dcm2niix" in caught.value.remedy


def test_a_folder_of_other_files_names_one(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UnusableInput, match=r"none of its 1 files is an image, the first being notes\.txt"):
        read_stack(tmp_path)


def timed(cine: SliceStack, index: PhaseIndex) -> SliceStack:
    return SliceStack(cine.voxels, cine.frame, cine.positions, index.times, index=index)


INDICES = [
    PhaseIndex(("0", "33", "67"), "%", "phase"),
    PhaseIndex(("12.5", "300", "642.25"), "ms"),
    PhaseIndex(("0", "0.02", "0.62"), "s"),
    PhaseIndex(("early", "late", "end diastole"), "", "moment"),
    PhaseIndex(("620", "20", "0"), "ms", "delay"),
]


@pytest.mark.parametrize("index", INDICES)
def test_a_sequence_keeps_values_and_units(tmp_path: Path, cine: SliceStack, index: PhaseIndex) -> None:
    write_stack(timed(cine, index), tmp_path / "a.seq.nrrd")
    again = read_stack(tmp_path / "a.seq.nrrd")
    assert again.index == index
    assert again.times == index.times


@pytest.mark.parametrize("suffix", [".nii", ".mha"])
@pytest.mark.parametrize("index", INDICES)
def test_what_a_format_cannot_hold_is_said(tmp_path: Path, cine: SliceStack, index: PhaseIndex, suffix: str) -> None:
    with pytest.warns(StackWarning, match=rf"{suffix} .*{index.values[1]}.*seq\.nrrd keeps them"):
        write_stack(timed(cine, index), tmp_path / f"a{suffix}")


@pytest.mark.parametrize(("unit", "step"), [("s", 0.04), ("ms", 40.0), ("us", 40000.0)])
def test_nifti_keeps_step_and_unit(tmp_path: Path, cine: SliceStack, unit: str, step: float) -> None:
    index = PhaseIndex.even(0.0, step, 3, unit)
    write_stack(timed(cine, index), tmp_path / "a.nii.gz")
    again = read_stack(tmp_path / "a.nii.gz")
    assert (again.index.unit, again.index.numbers) == (unit, pytest.approx(index.numbers))
    assert again.times == pytest.approx((0, 0.04, 0.08))


def test_metaimage_keeps_a_step_without_a_unit(tmp_path: Path, cine: SliceStack) -> None:
    write_stack(timed(cine, PhaseIndex.even(0.0, 40.0, 3, "")), tmp_path / "a.mha")
    again = read_stack(tmp_path / "a.mha")
    assert again.index.numbers == (0, 40, 80)
    assert again.times == pytest.approx((0, 0.04, 0.08))
