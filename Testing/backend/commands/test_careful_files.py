"""Outputs that are inputs, links, rights, ranges, memory: the right file is written, or one line says why not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from calid import cli
from calid.errors import ExitCode
from calid.files.reading import read_stack
from calid.files.writing import write_stack
from calid.reconstruction import estimate
from calid.stacks.phases import PhaseIndex
from calid.stacks.stack import SliceStack

Result = namedtuple("Result", "provenance synthesised")


def copy_nearest(stack: SliceStack, options, on_phase, **others) -> Result:
    """Stands in for the model: as many slices as the plan has, each a copy of an acquired one."""
    from calid.stacks.plan import plan_slices

    plan = plan_slices(stack.positions, options.spacing)
    for phase, voxels in enumerate(stack.voxels):
        nearest = np.abs(plan.positions[:, None] - stack.positions).argmin(axis=1)
        on_phase(phase, voxels[nearest], None)
    return Result({}, plan.synthesised)


def run(*arguments: object) -> int:
    return cli.main(["reconstruct", *map(str, arguments)], copy_nearest)


@pytest.fixture
def sparse(tmp_path: Path, stack: SliceStack) -> Path:
    write_stack(stack, tmp_path / "sax.nrrd")
    return tmp_path / "sax.nrrd"


@pytest.mark.parametrize("how", ["hard link", "symbolic link", "other spelling", "linked folder", "slice of a folder"])
def test_an_output_that_is_the_input_under_another_name(tmp_path, sparse, stack, write_slice, capsys, how) -> None:
    output, source = tmp_path / "dense.nrrd", sparse
    if how == "hard link":
        os.link(sparse, output)
    elif how == "symbolic link":
        output.symlink_to(sparse)
    elif how == "other spelling":
        output = tmp_path / ".." / tmp_path.name / "sax.nrrd"
    elif how == "linked folder":
        (tmp_path / "there").symlink_to(tmp_path, target_is_directory=True)
        output = tmp_path / "there" / "sax.nrrd"
    else:
        source = tmp_path / "slices"
        source.mkdir()
        for k in range(4):
            affine = stack.affine
            affine[2, 3] += 8 * k
            write_slice(source / f"{k}.nrrd", stack.voxels[0, k], affine)
        output = source / "2.nrrd"
    before = sparse.read_bytes(), output.read_bytes()
    assert run(source, output, "--spacing", 4) == ExitCode.UNUSABLE_INPUT
    assert "inputs are not overwritten" in capsys.readouterr().err
    assert (sparse.read_bytes(), output.read_bytes()) == before


NRRD_HEADER = "NRRD0004\ntype: short\ndimension: 3\nsizes: 10 12 4\nspacings: 2 2 8\nencoding: raw\nendian: little\n"
META_HEADER = "NDims = 3\nDimSize = 10 12 4\nElementSpacing = 2 2 8\nElementType = MET_SHORT\n"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.nhdr", f"{NRRD_HEADER}data file: vox.nii\n"),
        ("a.nrrd", f"{NRRD_HEADER}DataFile: vox.nii\r\n"),
        ("a.MHD", f"{META_HEADER}ElementDataFile = vox.nii\n"),
    ],
)
def test_an_output_that_holds_the_voxels_of_the_input(tmp_path: Path, stack, capsys, name, header) -> None:
    (tmp_path / name).write_text(header, newline="")
    (tmp_path / "vox.nii").write_bytes(stack.voxels[0].astype("<i2").tobytes())
    before = (tmp_path / "vox.nii").read_bytes()
    assert run(tmp_path / name, tmp_path / "vox.nii", "--spacing", 4) == ExitCode.UNUSABLE_INPUT
    assert "vox.nii belongs to the input" in capsys.readouterr().err
    assert (tmp_path / "vox.nii").read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
def test_pipes_loops_and_names_that_no_file_has(tmp_path: Path, sparse: Path, capsys) -> None:
    os.mkfifo(tmp_path / "pipe.nrrd")
    (tmp_path / "loop.nrrd").symlink_to(tmp_path / "pool.nrrd")
    (tmp_path / "pool.nrrd").symlink_to(tmp_path / "loop.nrrd")
    (tmp_path / "astray.nrrd").symlink_to(tmp_path / "nowhere" / "a.nrrd")
    before = sorted(tmp_path.iterdir())
    for name in ("pipe.nrrd", "loop.nrrd", f"{'a' * 300}.nrrd"):
        assert run(tmp_path / name, tmp_path / "out.nrrd") == ExitCode.UNUSABLE_INPUT, name
        assert f"{name}: " in capsys.readouterr().err
    for name in ("pipe.nrrd", "loop.nrrd", f"{'a' * 300}.nrrd", "astray.nrrd"):
        assert run(sparse, tmp_path / name, "--spacing", 4) == ExitCode.UNUSABLE_INPUT, name
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 2
        assert f"{name}: " in said[0]
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "loop.nrrd").is_symlink()


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path, sparse: Path, monkeypatch, capsys) -> None:
    output = tmp_path / "out.nrrd"
    output.write_text("precious")
    output.chmod(0o444)
    allowed = os.access
    # Root may write anything: a stand-in says what the system says to others.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != output and allowed(path, mode))
    assert run(sparse, output, "--spacing", 4) == ExitCode.UNUSABLE_INPUT
    assert "may not be overwritten" in capsys.readouterr().err
    assert output.read_text() == "precious"


@pytest.mark.parametrize("exists", [True, False])
def test_an_output_that_is_a_link_is_followed(tmp_path: Path, sparse: Path, exists: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "real.nrrd", tmp_path / "dense.nrrd"
    if exists:
        target.write_text("old")
    link.symlink_to(target)
    assert run(sparse, link, "--spacing", 4) == ExitCode.DONE
    assert link.is_symlink()
    assert read_stack(target).voxels.shape == (1, 7, 12, 10)
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("axes", [(2, 0, 1), (0, 2, 1), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("suffix", [".nii", ".seq.nrrd", ".mha"])
def test_slices_along_another_axis_come_back_in_the_order_of_the_input(tmp_path, stack, suffix, axes) -> None:
    voxels = stack.voxels[0].transpose([2 - axis for axis in axes][::-1])
    turned = SliceStack.from_affine(voxels, stack.affine[:, [*axes, 3]])
    assert sorted(turned.voxels.shape) == sorted(stack.voxels.shape)
    assert len(turned.positions) == len(stack.positions)
    write_stack(turned, tmp_path / f"in{suffix}")
    assert run(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}", "--spacing", 4) == ExitCode.DONE
    again = read_stack(tmp_path / f"out{suffix}")
    assert again.order == turned.order
    np.testing.assert_array_equal(again.voxels[:, ::2], turned.voxels)
    np.testing.assert_allclose(again.frame, turned.frame, atol=1e-4)
    assert np.allclose(again.gaps, 4)


def test_times_that_the_output_cannot_hold_are_warned_of(tmp_path: Path, cine: SliceStack, capsys) -> None:
    index = PhaseIndex(("0", "20", "620"), "ms")
    uneven = SliceStack(cine.voxels, cine.frame, cine.positions, index.times, index=index)
    write_stack(uneven, tmp_path / "in.seq.nrrd")
    assert run(tmp_path / "in.seq.nrrd", tmp_path / "out.nii.gz", "--spacing", 3) == ExitCode.DONE
    assert "0 20 620 ms become 310 ms apart" in capsys.readouterr().err
    assert run(tmp_path / "in.seq.nrrd", tmp_path / "out.seq.nrrd", "--spacing", 3) == ExitCode.DONE
    assert "apart" not in capsys.readouterr().err
    assert read_stack(tmp_path / "out.seq.nrrd").index == index


@pytest.mark.parametrize("suffix", [".nii.gz", ".seq.nrrd", ".mha"])
def test_a_folder_with_the_phases_of_every_slice(tmp_path: Path, cine: SliceStack, suffix: str, capsys) -> None:
    folder = tmp_path / "cine"
    folder.mkdir()
    for k in range(5):
        frame = cine.frame.copy()
        frame[:3, 3] += frame[:3, 2] * cine.positions[k]
        _write_slice(folder / f"{'cabed'[k]}{suffix}", cine.voxels[:, k : k + 1], frame)
    assert run(folder, tmp_path / "out.nrrd", "--spacing", 3) == ExitCode.DONE
    np.testing.assert_array_equal(read_stack(tmp_path / "out.nrrd").voxels[:, ::2], cine.voxels)
    _write_slice(folder / f"c{suffix}", cine.voxels[:2, :1], cine.frame)
    assert run(folder, tmp_path / "other.nrrd", "--spacing", 3) == ExitCode.UNUSABLE_INPUT
    said = capsys.readouterr().err
    assert "2 phases" in said
    assert "3" in said


def _write_slice(path: Path, voxels: np.ndarray, frame: np.ndarray) -> None:
    """Phases of one slice, which no stack may be, by the writer of stacks."""
    from calid.files.writing import PhaseWriter
    from calid.stacks.layout import Layout

    affine = frame @ np.diag([1, 1, 6.0, 1])
    with PhaseWriter(path, Layout(voxels.shape, voxels.dtype, affine, (0.0, 0.03, 0.06)[: len(voxels)])) as writer:
        for phase in voxels:
            writer.add(phase)
        writer.finish()


@pytest.mark.parametrize(
    "arguments",
    [["--seed", "-1"], ["--slices", "1"], ["--phases", "0"], ["--gap", "nan"], ["--pixel", "0"], ["--noise", "-1"],
     ["--matrix", "0", "72"], ["--thickness", "-1"], ["--breath-hold-shift", "1e9"], ["--dense-spacing", "0"]],
)  # fmt: skip
def test_every_number_of_the_phantom_has_a_range(tmp_path: Path, capsys, arguments: list[str]) -> None:
    assert cli.main(["phantom", str(tmp_path / "a.nrrd"), *arguments]) == ExitCode.UNUSABLE_INPUT
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "choose " in said[1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--samples", "0"],
        ["--steps", "0"],
        ["--seed", "-1"],
        ["--seed", "99999999999"],
        ["--detail", "2"],
        ["--phase", "0"],
        ["--samples", "100000000"],
        ["--steps", "1000000000"],
        ["--spacing", "nan"],
        ["--thickness", "500"],
    ],
)
def test_every_number_of_a_reconstruction_has_a_range(tmp_path: Path, sparse: Path, capsys, arguments) -> None:
    assert run(sparse, tmp_path / "out.nrrd", *arguments) == ExitCode.UNUSABLE_INPUT
    said = capsys.readouterr().err
    assert str(sparse) in said
    assert arguments[1] in said


def test_memory_that_is_not_there_is_refused_with_both_numbers(tmp_path, sparse, monkeypatch, capsys) -> None:
    monkeypatch.setattr(estimate, "available_bytes", lambda: 2**28)
    assert run(sparse, tmp_path / "out.nrrd") == ExitCode.OUT_OF_RESOURCES
    said = capsys.readouterr().err
    assert "0.488 GB of memory at least" in said
    assert "0.25 GB are free" in said


def test_refusals_come_without_pytorch(tmp_path: Path, sparse: Path, child_environment) -> None:
    code = (
        "import sys; from calid import cli; code = cli.main(sys.argv[1:]);"
        "print(code, *({'torch', 'diffusers', 'SimpleITK'} & set(sys.modules)))"
    )
    for arguments in ([sparse, "x.nrrd", "--spacing", 99], ["no.nii", "x.nrrd"], [sparse, "x.nrrd", "--models", "/no"]):
        command = [sys.executable, "-c", code, "reconstruct", *map(str, arguments)]
        out = subprocess.run(command, env=child_environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert out.stdout.split() in (["2"], ["4"]), out
