"""Cines as files: geometry and times of every format, both ways, and the layouts of NRRD that others write."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calid.errors import UnusableInput
from calid.files.formats import SUFFIXES
from calid.files.reading import read_stack
from calid.files.writing import write_stack
from calid.stacks.phases import seconds
from calid.stacks.stack import SliceStack

EXACT = (".nrrd", ".seq.nrrd")
HEADER = "NRRD0005\ntype: int16\ndimension: 4\nendian: little\nencoding: gzip\n"
SIZES = (5, 4, 2, 6)
"""Columns, rows, slices, phases."""


@st.composite
def cines(draw) -> SliceStack:
    """Oblique, left- or right-handed, in either order, with irregular phases."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    frame = np.eye(4)
    frame[:3, :3] = axes * [*rng.uniform(0.5, 2.5, 2), 1]
    frame[:3, 3] = rng.uniform(-400, 400, 3)
    shape = tuple(int(n) for n in (rng.integers(2, 9), *rng.integers(2, 6, 3)))
    times = tuple(rng.uniform(-0.1, 0.1) + np.cumsum(rng.uniform(0.005, 0.2, shape[0])))
    dtype = draw(st.sampled_from((np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)))
    voxels = rng.uniform(0, 250, shape).astype(dtype)
    stack = SliceStack(voxels, frame, np.arange(shape[1]) * rng.uniform(3, 12), times)
    return stack.reversed() if draw(st.booleans()) else stack


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cine=cines(), suffix=st.sampled_from(SUFFIXES))
def test_any_cine_survives_a_file(tmp_path: Path, cine: SliceStack, suffix: str) -> None:
    path = tmp_path / f"cine{suffix}"
    write_stack(cine, path)
    again = read_stack(path)
    np.testing.assert_array_equal(again.voxels, cine.voxels)
    assert again.voxels.dtype == cine.voxels.dtype
    np.testing.assert_allclose(again.affine, cine.affine, atol=1e-4)  # NIfTI keeps float32
    if suffix in EXACT:
        np.testing.assert_allclose(again.times, cine.times, atol=1e-9)
    else:
        np.testing.assert_allclose(again.times, np.linspace(cine.times[0], cine.times[-1], len(cine.times)), atol=1e-6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cine=cines(), suffix=st.sampled_from((".nii.gz", ".mha")))
def test_simpleitk_reads_what_is_written_as_an_image_with_phases_last(tmp_path, cine: SliceStack, suffix: str) -> None:
    write_stack(cine, tmp_path / f"cine{suffix}")
    image = sitk.ReadImage(str(tmp_path / f"cine{suffix}"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), cine.voxels)
    assert image.GetSpacing()[3] == pytest.approx((cine.times[-1] - cine.times[0]) / (len(cine.times) - 1), rel=1e-5)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cine_of_unknown_times_stays_so(tmp_path: Path, cine: SliceStack, suffix: str) -> None:
    write_stack(SliceStack(cine.voxels, cine.frame, cine.positions), tmp_path / f"cine{suffix}")
    assert read_stack(tmp_path / f"cine{suffix}").times is None


@pytest.mark.parametrize(
    ("code", "step", "expected"), [(8, 0.04, 0.04), (16, 40, 0.04), (24, 4e4, 0.04), (0, 40, 0.04)]
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_the_time_unit_of_nifti(tmp_path: Path, cine: SliceStack, suffix: str, code, step, expected) -> None:
    path = tmp_path / f"cine{suffix}"
    write_stack(cine, path)
    pack, unpack = (gzip.compress, gzip.decompress) if suffix == ".nii.gz" else (bytes, bytes)
    content = bytearray(unpack(path.read_bytes()))
    content[92:96], content[123] = np.float32(step).tobytes(), 2 | code
    path.write_bytes(pack(bytes(content)))
    np.testing.assert_allclose(read_stack(path).times, expected * np.arange(3), rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        ((0, 0.03, 0.07), "s", (0, 0.03, 0.07)),
        ((0, 30, 70), "ms", (0, 0.03, 0.07)),
        ((0, 30, 70), "", (0, 0.03, 0.07)),
        ((0, 0.03, 0.07), "", (0, 0.03, 0.07)),
        ((0, 1, 2), "", None),
        ((0, 1, 2), "frame", None),
        ((0, 1, 1), "s", None),
        ((0, 2, 1), "s", None),
        ((0, np.nan, 1), "s", None),
        ((12.5,), "ms", (0.0125,)),
        ((12.5,), "", None),
    ],
)
def test_times_are_seconds_or_unknown(values, unit, expected) -> None:
    assert seconds(values, unit) == (None if expected is None else pytest.approx(expected))


def write_nrrd(path: Path, lines: str, first: bool = False) -> np.ndarray:
    """Write a NRRD file with its phases first or last, whatever its header says; returns (phases, k, j, i)."""
    voxels = np.random.default_rng(3).integers(0, 900, SIZES[::-1]).astype("<i2")
    stored = np.moveaxis(voxels, 0, -1) if first else voxels
    path.write_bytes((HEADER + lines + "\n\n").encode() + gzip.compress(stored.tobytes()))
    return voxels


def sizes(first: bool) -> str:
    return "sizes: " + " ".join(str(n) for n in ((SIZES[3], *SIZES[:3]) if first else SIZES))


def axes(first: bool, phase: str, space: str) -> str:
    return f"{phase} {space}" if first else f"{space} {phase}"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", ["list", "time", "domain", "vector", "???", None])
def test_any_axis_outside_of_space_holds_the_phases(tmp_path: Path, kind: str | None, first: bool) -> None:
    lines = [sizes(first), "space: right-anterior-superior", "space origin: (-10,-20,30)"]
    lines.append("space directions: " + axes(first, "none", "(-1.5,0,0) (0,-1.4,0) (0,0,8)"))
    if kind:
        lines.append("kinds: " + axes(first, kind, "domain domain domain"))
    lines.append(f"axis {0 if first else 3} index values:=0 33 66 99 132 165")
    voxels = write_nrrd(tmp_path / "cine.nrrd", "\n".join(lines), first)
    stack = read_stack(tmp_path / "cine.nrrd")
    np.testing.assert_array_equal(stack.voxels, voxels)
    np.testing.assert_allclose(stack.affine, [[1.5, 0, 0, 10], [0, 1.4, 0, 20], [0, 0, 8, 30], [0, 0, 0, 1]])
    assert stack.times == pytest.approx(tuple(0.033 * n for n in range(6)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('units: "" "" "" "s"\naxis 3 index values:=0 0.1 0.2 0.3 0.4 0.6', (0, 0.1, 0.2, 0.3, 0.4, 0.6)),
        ('units: "" "" "" "ms"\nspacings: nan nan nan 40', (0, 0.04, 0.08, 0.12, 0.16, 0.2)),
        ("axis 3 index values:=0 1 2 3 4 5\nMultiVolume.FrameLabels:=1,21,41,61,81,101", None),
        ("axis 3 index values:=0 33 66", None),
        ("axis 3 index values:=base mid a b c apex", None),
        ("axis 3 index values:=0 %33%33 66 99 132 165", (0, 0.033, 0.066, 0.099, 0.132, 0.165)),
    ],
)
def test_the_times_of_a_list_axis(tmp_path: Path, line: str, expected) -> None:
    lines = [sizes(False), "space: LPS", "space directions: (1,0,0) (0,1,0) (0,0,8) none", line]
    write_nrrd(tmp_path / "cine.nrrd", "\n".join([*lines, "kinds: domain domain domain list"]))
    if "FrameLabels" in line:
        expected = tuple(0.001 + 0.02 * n for n in range(6))
    assert read_stack(tmp_path / "cine.nrrd").times == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("space", "signs"),
    [("left-posterior-superior-time", (1, 1, 1)), ("right-anterior-superior-time", (-1, -1, 1)), ("LAST", (1, -1, 1))],
)
def test_a_space_with_time_in_it_is_turned_to_lps(tmp_path: Path, space: str, signs: tuple[int, ...]) -> None:
    """SimpleITK leaves such a space as it is."""
    lines = [sizes(False), f"space: {space}", "space origin: (10,20,30,0.5)", 'space units: "mm" "mm" "mm" "s"']
    lines.append("space directions: (1.5,0,0,0) (0,1.4,0,0) (0,0,8,0) (0,0,0,0.04)")
    voxels = write_nrrd(tmp_path / "cine.nrrd", "\n".join(lines))
    stack = read_stack(tmp_path / "cine.nrrd")
    np.testing.assert_array_equal(stack.voxels, voxels)
    np.testing.assert_allclose(stack.affine[:3, 3], np.array(signs) * [10, 20, 30])
    np.testing.assert_allclose(np.diag(stack.affine)[:3], np.array(signs) * [1.5, 1.4, 8])
    assert stack.times == pytest.approx(tuple(0.5 + 0.04 * n for n in range(6)))


def test_an_existing_list_axis_of_one_slice_is_refused(tmp_path: Path) -> None:
    lines = ["sizes: 5 8 1 6", "space: LPS", "space directions: (1,0,0) (0,1,0) (0,0,8) none"]
    write_nrrd(tmp_path / "cine.seq.nrrd", "\n".join([*lines, "kinds: domain domain domain list"]))
    with pytest.raises(UnusableInput, match=r"cine\.seq\.nrrd: its size 5 x 8 x 1 x 6 is one slice with 6 phases"):
        read_stack(tmp_path / "cine.seq.nrrd")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_damaged_header_is_read_or_refused_by_name(tmp_path: Path, cine: SliceStack, data) -> None:
    path = tmp_path / "cine.seq.nrrd"
    write_stack(cine, path)
    header, content = path.read_bytes().split(b"\n\n", 1)
    lines = header.split(b"\n")
    damaged = data.draw(st.integers(1, len(lines) - 1))
    name = lines[damaged].split(b":")[0]
    lines[damaged : damaged + 1] = data.draw(
        st.sampled_from([[], [name + b":"], [name + b": 4 none"], [name + b": list list \xff"], [name + b":=x"]])
    )
    path.write_bytes(b"\n".join(lines) + b"\n\n" + content)
    try:
        refusal, voxels = None, read_stack(path).voxels
    except UnusableInput as error:
        refusal = error
    if refusal is None:
        assert voxels.size == cine.voxels.size
    else:
        assert str(refusal).startswith(f"{path}: ")
        assert refusal.remedy
