"""Reading and writing: geometry and voxels come back, and a file appears complete or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calid.atomic import write_atomically
from calid.errors import OutOfResources, UnusableInput
from calid.files.formats import SUFFIXES
from calid.files.reading import read_stack
from calid.files.writing import check_writable, write_stack
from calid.stacks.stack import SliceStack

DTYPES = (np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)
AFFINE_TOLERANCE_MM = 1e-4  # NIfTI keeps float32


def random_frame(rng: np.random.Generator, left_handed: bool) -> np.ndarray:
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    if (np.linalg.det(axes) < 0) != left_handed:
        axes[:, 2] *= -1
    frame = np.eye(4)
    frame[:3, :3] = axes * [*rng.uniform(0.5, 2.5, 2), 1]
    frame[:3, 3] = rng.uniform(-400, 400, 3)
    return frame


def random_voxels(rng: np.random.Generator, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return rng.uniform(0, 250, shape).astype(dtype)


geometries = given(
    seed=st.integers(0, 2**32 - 1),
    left_handed=st.booleans(),
    reverse=st.booleans(),
    dtype=st.sampled_from(DTYPES),
    suffix=st.sampled_from(SUFFIXES),
)
a_folder_is_enough = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


@a_folder_is_enough
@geometries
def test_any_geometry_survives_a_file(tmp_path: Path, seed, left_handed, reverse, dtype, suffix) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 4)), *(int(n) for n in rng.integers(2, 8, 3)))
    positions = np.arange(shape[1]) * rng.uniform(1, 12)
    stack = SliceStack(random_voxels(rng, shape, dtype), random_frame(rng, left_handed), positions)
    stack = stack.reversed() if reverse else stack
    write_stack(stack, tmp_path / f"a{suffix}")
    again = read_stack(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(again.affine, stack.affine, atol=AFFINE_TOLERANCE_MM)
    np.testing.assert_array_equal(again.voxels, stack.voxels)
    assert again.voxels.dtype == stack.voxels.dtype


@a_folder_is_enough
@geometries
def test_unequal_gaps_survive_a_folder_of_slices(
    tmp_path_factory, write_slice, seed, left_handed, reverse, dtype, suffix
) -> None:
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("slices")
    positions = np.concatenate([[0], np.cumsum(rng.uniform(2, 15, 3))])
    stack = SliceStack(random_voxels(rng, (1, 4, 6, 5), dtype), random_frame(rng, left_handed), positions)
    stack = stack.reversed() if reverse else stack
    for name, k in zip("abcd", rng.permutation(4), strict=True):
        affine = stack.frame.copy()
        affine[:3, 3] += affine[:3, 2] * stack.positions[k]
        affine[:3, 2] *= 6
        write_slice(folder / f"{name}{suffix}", stack.voxels[0, k], affine)
    again = read_stack(folder)
    np.testing.assert_allclose(again.frame, stack.frame, atol=AFFINE_TOLERANCE_MM)
    np.testing.assert_allclose(again.positions, stack.positions, atol=AFFINE_TOLERANCE_MM)
    np.testing.assert_array_equal(again.voxels, stack.voxels)
    assert again.voxels.dtype == stack.voxels.dtype


def test_a_compressed_file_is_not_confused_with_its_uncompressed_twin(tmp_path: Path, stack: SliceStack) -> None:
    """Which niftilib does: ITK issue 2243."""
    write_stack(stack, tmp_path / "a.nii.gz")
    write_stack(SliceStack(stack.voxels + 1, stack.frame, stack.positions), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_stack(tmp_path / "a.nii.gz").voxels, stack.voxels)
    np.testing.assert_array_equal(read_stack(tmp_path / "a.nii").voxels, stack.voxels + 1)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cine_keeps_its_phases_and_times(tmp_path: Path, cine: SliceStack, suffix: str) -> None:
    write_stack(cine, tmp_path / f"cine{suffix}")
    again = read_stack(tmp_path / f"cine{suffix}")
    np.testing.assert_array_equal(again.voxels, cine.voxels)
    assert again.times == pytest.approx(cine.times)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_metadata_is_in_the_header(tmp_path: Path, stack: SliceStack, suffix: str) -> None:
    write_stack(stack, tmp_path / f"a{suffix}", {"calid": '{"seed": 7, "model": "a = b"}'})
    assert sitk.ReadImage(str(tmp_path / f"a{suffix}")).GetMetaData("calid") == '{"seed": 7, "model": "a = b"}'


def test_one_phase_is_written_as_3d(tmp_path: Path, cine: SliceStack) -> None:
    write_stack(cine.phase(1), tmp_path / "phase.nrrd")
    assert sitk.ReadImage(str(tmp_path / "phase.nrrd")).GetDimension() == 3


def test_odd_sform_is_read_rightly_and_in_silence(tmp_path: Path, stack: SliceStack, capfd) -> None:
    """Like the sforms of much clinical NIfTI: only the spacing of the header can be trusted."""
    path = tmp_path / "odd.nii"
    write_stack(stack, path)
    header = bytearray(path.read_bytes())
    rows = np.zeros((3, 4), np.float32)
    rows[:, :3] = np.diag([-1, -1, 1])
    header[252:256] = np.array([0, 2], "<i2").tobytes()  # no qform, an sform ...
    header[280:328] = rows.tobytes()  # ... with 1 mm on every axis
    path.write_bytes(header)
    again = read_stack(path)
    assert again.pixel_spacing == pytest.approx((1.4, 1.5))
    np.testing.assert_allclose(again.gaps, 8)
    assert capfd.readouterr() == ("", "")
    assert sitk.ProcessObject.GetGlobalWarningDisplay()


def test_an_existing_file_is_replaced_with_the_usual_permissions(tmp_path: Path, stack: SliceStack) -> None:
    path = tmp_path / "a.nrrd"
    path.write_text("old")
    write_stack(stack, path)
    np.testing.assert_array_equal(read_stack(path).voxels, stack.voxels)
    if os.name == "posix":
        plain = tmp_path / "plain"
        plain.touch()
        assert path.stat().st_mode == plain.stat().st_mode


def test_unequal_gaps_fit_no_file(tmp_path: Path, stack: SliceStack) -> None:
    uneven = SliceStack(stack.voxels, stack.frame, np.array([0, 8, 18, 26]))
    with pytest.raises(UnusableInput, match=r"a\.nrrd: the slices are 8 to 10 mm apart"):
        write_stack(uneven, tmp_path / "a.nrrd")
    assert list(tmp_path.iterdir()) == []


def test_a_data_type_that_no_format_holds_is_named(tmp_path: Path, stack: SliceStack) -> None:
    half = SliceStack(stack.voxels.astype(np.float16), stack.frame, stack.positions)
    with pytest.raises(UnusableInput, match="float16"):
        write_stack(half, tmp_path / "a.nrrd")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.png", "a", "a.nii.bz2"])
def test_unknown_output_formats_are_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnusableInput, match=name) as caught:
        check_writable(tmp_path / name)
    assert ".nii.gz" in caught.value.remedy


def test_output_in_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="folder does not exist") as caught:
        check_writable(tmp_path / "missing" / "a.nrrd")
    assert str(tmp_path / "missing") in caught.value.remedy


def test_output_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").mkdir()
    with pytest.raises(UnusableInput, match="this is a folder"):
        check_writable(tmp_path / "a.nrrd")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root cannot write: /proc")
def test_output_folder_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(UnusableInput, match=r"/proc/a\.nrrd: it cannot be written") as caught:
        check_writable("/proc/a.nrrd")
    assert "another folder" in caught.value.remedy


def test_checking_leaves_nothing_behind_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_text("precious")
    check_writable(tmp_path / "a.nrrd")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["precious"]


def test_a_full_disk_leaves_the_old_file_and_says_how_much_is_free(tmp_path: Path) -> None:
    path = tmp_path / "a.nrrd"
    path.write_text("old")

    def fill(partial: Path) -> None:
        partial.write_text("half a fi", encoding="utf-8")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutOfResources, match=r"No space left on device \(\d+ MB free\)") as caught:
        write_atomically(path, fill)
    assert str(tmp_path) in caught.value.remedy
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


@pytest.mark.skipif(os.name != "posix", reason="a limit on file size stands in for a full disk")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_write_that_the_system_cuts_short_is_noticed(tmp_path: Path, child_environment, suffix: str) -> None:
    """ITK writes a truncated NIfTI file without raising."""
    code = f"""
        import resource, signal
        import numpy as np
        from calid.files.writing import write_stack
        from calid.stacks.stack import SliceStack
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        voxels = np.random.default_rng(0).integers(0, 30_000, (5, 64, 64)).astype(np.int16)
        write_stack(SliceStack.from_affine(voxels, np.diag([1.5, 1.5, 8, 1])), {str(tmp_path / f"a{suffix}")!r})
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    child = subprocess.run(command, env=child_environment, capture_output=True, text=True, check=False)
    assert f"a{suffix}: it cannot be written" in child.stderr
    assert list(tmp_path.iterdir()) == []
