"""Cines on the command line: time axis kept, phases streamed, and what bad cines get; nothing is half written."""

from __future__ import annotations

import json
import runpy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from calid import cli
from calid.errors import ExitCode, OutOfResources
from calid.files.formats import SUFFIXES
from calid.files.reading import read_stack
from calid.files.writing import write_stack
from calid.stacks.stack import SliceStack

TIMES = (0.0, 0.031, 0.075)

fake = runpy.run_path(str(Path(__file__).parents[1] / "fake_reconstruct.py"))["reconstruct"]


@pytest.fixture
def timed(cine: SliceStack) -> SliceStack:
    return SliceStack(cine.voxels, cine.frame, cine.positions, TIMES)


def write_cine(path: Path, voxels: np.ndarray) -> Path:
    """Write (phases, slices, rows, columns) as SimpleITK does, whatever they hold."""
    image = sitk.GetImageFromArray(voxels, isVector=False)
    image.SetSpacing([1.4, 1.4, 8, 0.03])
    sitk.WriteImage(image, str(path))
    return path


def phases(count: int, dtype: type = np.int16) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 900, (count, 4, 9, 8)).astype(dtype)


def run(capsys, *arguments: object, reconstruct=fake) -> tuple[int, str]:
    code = cli.main(["reconstruct", *map(str, arguments)], reconstruct)
    return code, capsys.readouterr().err


def refuse(capsys, path: Path, *options: object) -> str:
    """``path`` is refused by name, with exit code 2, before the work, and leaves nothing; returns what is said."""

    def work(*args: object, **options: object) -> None:
        pytest.fail("the model must not be touched")

    before = sorted(path.parent.rglob("*"))
    code, said = run(capsys, path, path.parent / "out.nrrd", *options, reconstruct=work)
    assert code == ExitCode.UNUSABLE_INPUT
    assert said.startswith(f"calid: {path}")
    assert sorted(path.parent.rglob("*")) == before
    return said


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("target", SUFFIXES)
def test_the_time_axis_is_kept_from_any_format_to_any(tmp_path: Path, timed, capsys, source: str, target: str) -> None:
    write_stack(timed, tmp_path / f"in{source}")
    spread = tmp_path / f"u{target}"
    code, said = run(capsys, tmp_path / f"in{source}", tmp_path / f"out{target}", "--uncertainty", spread)
    assert code == ExitCode.DONE, said
    dense = read_stack(tmp_path / f"out{target}")
    np.testing.assert_array_equal(dense.voxels[:, ::3], timed.voxels)
    exact = all(suffix.endswith(".nrrd") for suffix in (source, target))
    expected = TIMES if exact else np.linspace(TIMES[0], TIMES[-1], 3)
    np.testing.assert_allclose(dense.times, expected, atol=1e-7)
    assert read_stack(spread).times == dense.times


def test_provenance_is_in_the_header_though_it_is_known_last(tmp_path: Path, timed, capsys) -> None:
    write_stack(timed, tmp_path / "in.seq.nrrd")
    run(capsys, tmp_path / "in.seq.nrrd", tmp_path / "out.seq.nrrd", "--seed", 7)
    provenance = sitk.ReadImage(str(tmp_path / "out.seq.nrrd")).GetMetaData("calid_provenance")
    assert json.loads(provenance)["seed"] == 7
    assert provenance.endswith("}")


def test_the_result_is_asked_for_phase_by_phase_only(tmp_path: Path, timed, capsys) -> None:
    def watched(*args: object, gather: bool, **options: object):
        assert not gather
        return fake(*args, gather=gather, **options)

    write_stack(timed, tmp_path / "in.nrrd")
    assert run(capsys, tmp_path / "in.nrrd", tmp_path / "out.nrrd", reconstruct=watched)[0] == ExitCode.DONE


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), OutOfResources("no room"), ZeroDivisionError()])
def test_a_run_that_ends_after_some_phases_leaves_nothing(tmp_path: Path, timed, capsys, error) -> None:
    calls: list[Path] = []

    def behave() -> None:
        calls.extend(file for file in tmp_path.iterdir() if file.name.startswith(".calid-"))
        if len(calls) > 3:
            raise error

    write_stack(timed, tmp_path / "in.nrrd")
    options = ["--uncertainty", tmp_path / "u.nii", "--mask", tmp_path / "m.mha"]
    failing = partial(fake, behave=behave)
    code, _ = run(capsys, tmp_path / "in.nrrd", tmp_path / "out.nii.gz", *options, reconstruct=failing)
    assert code not in (ExitCode.DONE, ExitCode.UNUSABLE_INPUT)
    assert len(calls) == 6
    assert [file.name for file in tmp_path.iterdir()] == ["in.nrrd"]


def test_the_phantom_has_times_in_every_file(tmp_path: Path) -> None:
    out, truth, labels = (tmp_path / f"{name}.seq.nrrd" for name in ("sparse", "truth", "labels"))
    options = ["--slices", "2", "--matrix", "24", "24", "--pixel", "6", "--dense-spacing", "8", "--phases", "3"]
    arguments = ["phantom", str(out), "--truth", str(truth), "--labels", str(labels), *options]
    assert cli.main(arguments) == ExitCode.DONE
    for path in (out, truth, labels):
        assert read_stack(path).times == pytest.approx((0, 0.3, 0.6))


def test_a_folder_of_volumes_is_no_cine(tmp_path: Path, stack: SliceStack, capsys) -> None:
    folder = tmp_path / "phases"
    folder.mkdir()
    write_stack(stack, folder / "phase0.nrrd")
    write_stack(SliceStack(stack.voxels[:, :3], stack.frame, stack.positions[:3]), folder / "phase1.nrrd")
    said = refuse(capsys, folder)
    assert "phase0.nrrd: it has shape (10, 12, 4), but in a folder every file holds one slice" in said
    assert "a cine as one 4D file" in said


@pytest.mark.parametrize("value", [0, 77])
@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
def test_a_missing_phase_is_named(tmp_path: Path, capsys, suffix: str, value: int) -> None:
    voxels = phases(5)
    voxels[3] = value
    path = write_cine(tmp_path / f"cine{suffix}", voxels)
    said = refuse(capsys, path)
    assert f"phase 4 is missing: every voxel of it is {value}" in said
    assert "--phase N" in said
    assert f"every voxel is {value}" in refuse(capsys, path, "--phase", 4)
    assert run(capsys, path, tmp_path / "out.nrrd", "--phase", 3)[0] == ExitCode.DONE


def test_a_cine_with_one_slice(tmp_path: Path, capsys) -> None:
    said = refuse(capsys, write_cine(tmp_path / "cine.nii.gz", phases(6)[:, :1]))
    assert "its size 8 x 9 x 1 x 6 is one slice with 6 phases" in said


def test_more_phases_than_a_heart_cycle_has(tmp_path: Path, capsys) -> None:
    path = write_cine(tmp_path / "cine.nii.gz", phases(201))
    said = refuse(capsys, path)
    assert "it has 201 phases, and a heart cycle has at most 200" in said
    assert "--phase N, from 1 to 201" in said
    assert run(capsys, path, tmp_path / "out.nrrd", "--phase", 201)[0] == ExitCode.DONE
    np.testing.assert_array_equal(read_stack(tmp_path / "out.nrrd").voxels[0, ::4], phases(201)[200])


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_voxels_that_are_not_finite_are_counted_in_the_first_phase_that_has_them(tmp_path, capsys, suffix) -> None:
    voxels = phases(5, np.float32)
    voxels[2, 1, 3, 4:6] = np.nan
    voxels[4, 0, 0, 0] = np.inf
    said = refuse(capsys, write_cine(tmp_path / f"cine{suffix}", voxels))
    assert "3 voxels are not finite (NaN or infinite), in phase 3 to begin with" in said


@pytest.mark.parametrize(("factor", "warned"), [(0.01, True), (100, True), (1.8, False), (0.5, False)])
def test_a_phase_on_another_intensity_scale_is_warned_about_and_reconstructed(
    tmp_path: Path, capsys, factor: float, warned: bool
) -> None:
    voxels = phases(7, np.float32)
    voxels[5] *= factor
    path = write_cine(tmp_path / "cine.mha", voxels)
    code, said = run(capsys, path, tmp_path / "out.nrrd")
    assert code == ExitCode.DONE
    sentence = f"{path}: 1 of 7 phases has another intensity scale: phase 6 is {factor:.3g} times"
    assert (sentence in said) == warned
    np.testing.assert_array_equal(read_stack(tmp_path / "out.nrrd").voxels[:, ::4], voxels)


def test_the_self_check_refuses_and_warns_alike(tmp_path: Path, capsys) -> None:
    voxels = phases(3)
    voxels[1] = 0
    path = write_cine(tmp_path / "cine.mha", voxels)
    assert cli.main(["self-check", str(path)]) == ExitCode.UNUSABLE_INPUT
    assert f"{path}: phase 2 is missing" in capsys.readouterr().err
