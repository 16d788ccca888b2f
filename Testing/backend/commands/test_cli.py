"""The command line: outputs, cheap checks before the work, progress, and exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from calid import cli
from calid.errors import ExitCode
from calid.files.formats import SUFFIXES
from calid.files.reading import read_stack
from calid.files.writing import write_stack
from calid.model.manifest import find_models
from calid.protocol import Done, Failed, Progress, Started, parse_event
from calid.stacks.stack import SliceStack


@pytest.fixture
def run(fake_command, child_environment):
    """Runs ``calid`` as a program."""

    def run_cli(behaviour: str, *arguments: object) -> subprocess.CompletedProcess:
        command = fake_command(behaviour, "cli", *arguments)
        return subprocess.run(command, capture_output=True, text=True, env=child_environment, check=False)

    return run_cli


@pytest.fixture
def sparse(tmp_path: Path, stack: SliceStack) -> Path:
    write_stack(stack, tmp_path / "sparse.nii.gz")
    return tmp_path / "sparse.nii.gz"


def refuse_to_work(*args: object, **options: object) -> None:
    pytest.fail("the model must not be touched")


def files_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_acquired_slices_are_untouched(run, tmp_path: Path, sparse: Path, stack: SliceStack, suffix: str) -> None:
    out = tmp_path / f"dense{suffix}"
    assert run("succeed", "reconstruct", sparse, out, "--spacing", 2).returncode == ExitCode.DONE
    dense = read_stack(out)
    np.testing.assert_array_equal(dense.voxels[:, ::4], stack.voxels)
    assert dense.voxels.dtype == stack.voxels.dtype
    np.testing.assert_allclose(dense.gaps, 2)
    np.testing.assert_allclose(dense.frame, stack.frame, atol=1e-4)


def test_everything_that_can_be_asked_for(run, tmp_path: Path, cine: SliceStack) -> None:
    write_stack(cine, tmp_path / "cine.nrrd")
    options = ["--spacing", 3, "--samples", 4, "--steps", 5, "--seed", 6, "--align", "off", "--device", "cpu"]
    options += ["--thickness", 7, "--acquired", "keep", "--in-place", "4,2"]
    extra = ["--detail", 0.25, "--uncertainty", tmp_path / "u.mha", "--mask", tmp_path / "m.nrrd"]
    extra += ["--models", find_models()]
    finished = run("succeed", "reconstruct", tmp_path / "cine.nrrd", tmp_path / "out.nrrd", *options, *extra)
    assert finished.returncode == ExitCode.DONE, finished.stderr
    assert read_stack(tmp_path / "out.nrrd").voxels.shape == (3, 9, 9, 8)
    spread = read_stack(tmp_path / "u.mha").voxels
    assert spread.dtype == np.float32
    assert np.unique(spread[:, ::2]) == 0
    mask = read_stack(tmp_path / "m.nrrd").voxels
    np.testing.assert_array_equal(mask[0, :, 0, 0], [0, 1] * 4 + [0])
    assert mask.dtype == np.uint8
    provenance = json.loads(sitk.ReadImage(str(tmp_path / "out.nrrd")).GetMetaData("calid_provenance"))
    expected = {
        "thickness": 7,
        "acquired": "keep",
        "samples": 4,
        "steps": 5,
        "seed": 6,
        "detail": 0.25,
        "align": "off",
        "in_place": [2, 4],
        "device": "cpu",
    }
    assert expected.items() <= provenance.items()


def test_thin_acquired_slices_are_marked_as_synthesised(run, tmp_path: Path, sparse: Path) -> None:
    arguments = [
        sparse,
        tmp_path / "out.nrrd",
        "--acquired",
        "thin",
        "--mask",
        tmp_path / "m.nrrd",
        "--progress",
        "json",
    ]
    finished = run("succeed", "reconstruct", *arguments)
    assert set(parse_event(finished.stdout.splitlines()[-1]).acquired) == {None}
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "m.nrrd")))
    assert (mask == 1).all()


def test_one_phase_of_a_cine(run, tmp_path: Path, cine: SliceStack) -> None:
    write_stack(cine, tmp_path / "cine.nrrd")
    finished = run("succeed", "reconstruct", tmp_path / "cine.nrrd", tmp_path / "out.nrrd", "--phase", 2)
    assert finished.returncode == ExitCode.DONE
    np.testing.assert_array_equal(read_stack(tmp_path / "out.nrrd").voxels[0, ::3], cine.voxels[1])


def test_json_events_are_all_of_stdout(run, tmp_path: Path, sparse: Path) -> None:
    finished = run("chatter", "reconstruct", sparse, tmp_path / "out.nrrd", "--progress", "json")
    events = [parse_event(line) for line in finished.stdout.splitlines()]
    assert None not in events
    assert isinstance(events[0], Started)
    assert (events[0].thickness, events[0].thickness_source) == (8, "assumed")
    assert isinstance(events[-2], Progress)
    assert isinstance(events[-1], Done)
    assert events[-1].acquired[:5] == [0, None, None, None, 1]
    assert "a library prints" in finished.stderr


def test_text_is_on_stderr_and_has_no_carriage_return_in_a_log(run, tmp_path: Path, sparse: Path) -> None:
    finished = run("succeed", "reconstruct", sparse, tmp_path / "out.nrrd")
    assert finished.stdout == ""
    first, warning, progress, done = finished.stderr.splitlines()
    begin = "model fake on cpu: 4 slices become 13, 1 phase, acquired slices"
    assert first == f"{begin} 8 mm thick (assumed: --thickness MM if you know it)"
    asked = run("succeed", "reconstruct", sparse, tmp_path / "out.nrrd", "--thickness", 6)
    assert asked.stderr.splitlines()[0] == f"{begin} 6 mm thick"
    assert warning == "calid: warning: this is a fake"
    assert progress == "phase 1 of 1: 100%"
    assert done.startswith("done in ")
    assert "\r" not in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "remedy"),
    [
        (["missing.nrrd", "out.nrrd"], "missing.nrrd: there is no such file", "check the path"),
        (["sparse.nii.gz", "out.png"], "out.png: '.png' is not a known image format", "use one of"),
        (["sparse.nii.gz", "no/out.nrrd"], "no/out.nrrd: its folder does not exist", "create no first"),
        (["sparse.nii.gz", "out.nrrd", "--uncertainty", "no/u.nrrd"], "no/u.nrrd: its folder", "create no first"),
        (["sparse.nii.gz", "out.nrrd", "--mask", "m.tif"], "m.tif: '.tif' is not a known", "use one of"),
        (["sparse.nii.gz", "sparse.nii.gz"], "sparse.nii.gz is named twice", "a name of its own"),
        (["sparse.nii.gz", "out.nrrd", "--mask", "out.nrrd"], "out.nrrd is named twice", "a name of its own"),
        (
            ["sparse.nii.gz", "out.nrrd", "--spacing", "0"],
            "sparse.nii.gz: a spacing of 0 mm is not possible",
            "at least 0.25",
        ),
        (["sparse.nii.gz", "out.nrrd", "--spacing", "-1"], "a spacing of -1 mm is not possible", "at least 0.25"),
        (["sparse.nii.gz", "out.nrrd", "--thickness", "0"], "0 mm thick", "above 0"),
        (["sparse.nii.gz", "out.nrrd", "--thickness", "25"], "25 mm thick", "up to 24 mm"),
        (["sparse.nii.gz", "out.nrrd", "--in-place", "2,5"], "there is no slice 5", "from 1 to 4"),
        (["sparse.nii.gz", "out.nrrd", "--in-place", "0"], "in_place is 0", "at least 1"),
        (["sparse.nii.gz", "out.nrrd", "--spacing", "9"], "nothing to do", "below 8 mm"),
        (["sparse.nii.gz", "out.nrrd", "--phase", "2"], "there is no phase 2", "from 1 to 1"),
    ],
)
def test_cheap_checks_come_first_and_write_nothing(
    tmp_path: Path, sparse: Path, capsys, monkeypatch, arguments: list[str], message: str, remedy: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = files_in(tmp_path)
    assert cli.main(["reconstruct", *arguments], refuse_to_work) == ExitCode.UNUSABLE_INPUT
    said = capsys.readouterr().err
    assert message in said
    assert remedy in said
    assert files_in(tmp_path) == before


def write_unequal(folder: Path, stack: SliceStack, write_slice, positions: list[float]) -> None:
    folder.mkdir()
    for k, position in enumerate(positions):
        affine = stack.affine
        affine[2, 3] += position
        write_slice(folder / f"{k}.nrrd", stack.voxels[0, k], affine)


def test_steps_that_no_file_can_hold_are_refused_with_a_spacing_that_works(
    run, tmp_path: Path, stack: SliceStack, write_slice, capsys
) -> None:
    write_unequal(tmp_path / "slices", stack, write_slice, [0, 8, 18, 28])
    arguments = ["reconstruct", str(tmp_path / "slices"), str(tmp_path / "out.nrrd")]
    assert cli.main([*arguments, "--spacing", "3"], refuse_to_work) == ExitCode.UNUSABLE_INPUT
    said = capsys.readouterr().err
    assert "steps of 2.5 to 2.667 mm" in said
    assert "use --spacing 2\n" in said
    assert run("succeed", *arguments, "--spacing", "2").returncode == ExitCode.DONE
    np.testing.assert_array_equal(read_stack(tmp_path / "out.nrrd").voxels[0, [0, 4, 9, 14]], stack.voxels[0])


def test_gaps_that_no_step_divides(tmp_path: Path, stack: SliceStack, write_slice, capsys) -> None:
    write_unequal(tmp_path / "slices", stack, write_slice, [0, 1, 1 + np.sqrt(2), 4])
    arguments = [str(tmp_path / "slices"), str(tmp_path / "out.nrrd"), "--spacing", "0.9"]
    assert cli.main(["reconstruct", *arguments], refuse_to_work) == ExitCode.UNUSABLE_INPUT
    assert "until the gaps are equal" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("behaviour", "code"), [("exhaust_cuda", 3), ("lose_weights", 4), ("crash", 1), ("fill_disk", 3)]
)
def test_failures_have_their_exit_codes_and_leave_nothing(run, tmp_path: Path, sparse: Path, behaviour, code) -> None:
    finished = run(behaviour, "reconstruct", sparse, tmp_path / "out.nrrd")
    assert finished.returncode == code
    assert files_in(tmp_path) == {sparse.name}
    finished = run(behaviour, "reconstruct", sparse, tmp_path / "out.nrrd", "--progress", "json")
    failed = parse_event(finished.stdout.splitlines()[-1])
    assert isinstance(failed, Failed)
    assert failed.exit_code == finished.returncode == code


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels(fake_command, child_environment, tmp_path: Path, sparse: Path, number: int) -> None:
    command = fake_command("wait", "cli", "reconstruct", sparse, tmp_path / "out.nrrd", "--progress", "json")

    def heed_signals() -> None:  # a shell that runs the tests in the background makes its children ignore Ctrl-C
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    options = {"stdout": subprocess.PIPE, "text": True, "env": child_environment, "preexec_fn": heed_signals}
    with subprocess.Popen(command, **options) as child:
        assert isinstance(parse_event(child.stdout.readline()), Started)
        child.send_signal(number)
        *_, last = child.stdout.readlines()
        assert child.wait(timeout=10) == ExitCode.CANCELLED
    assert parse_event(last).kind == "Cancelled"
    assert files_in(tmp_path) == {sparse.name}


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_a_signal_during_writing_leaves_no_partial_file(child_environment, tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; from calid import cli, atomic\nfrom calid.commands import phantom\n"
        "def write(partial):\n    partial.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
        "phantom.run = lambda args, report: atomic.write_atomically(args.output, write)\n"
        "sys.exit(cli.main(['phantom', sys.argv[1]]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.nrrd")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=child_environment) as child:
        child.stdout.readline()
        assert len(files_in(tmp_path)) == 1
        child.terminate()
        assert child.wait(timeout=10) == ExitCode.CANCELLED
    assert files_in(tmp_path) == set()


def test_phantom_writes_sparse_truth_and_labels(tmp_path: Path) -> None:
    out, truth, labels = (tmp_path / f"{name}.nrrd" for name in ("sparse", "truth", "labels"))
    options = ["--slices", "3", "--gap", "6", "--matrix", "40", "48", "--pixel", "4", "--dense-spacing", "2"]
    assert cli.main(["phantom", str(out), "--truth", str(truth), "--labels", str(labels), *options]) == ExitCode.DONE
    sparse, dense, drawn = (read_stack(path) for path in (out, truth, labels))
    assert sparse.voxels.shape == (1, 3, 40, 48)
    assert dense.voxels.shape == drawn.voxels.shape == (1, 7, 40, 48)
    assert set(np.unique(drawn.voxels)) <= {0, 1, 2, 3}
    np.testing.assert_allclose(sparse.gaps, 6, atol=1e-6)


def test_phantom_checks_its_outputs_first(tmp_path: Path, capsys) -> None:
    arguments = ["phantom", str(tmp_path / "a.nrrd"), "--truth", str(tmp_path / "no" / "b.nrrd")]
    assert cli.main(arguments) == ExitCode.UNUSABLE_INPUT
    assert "its folder does not exist" in capsys.readouterr().err
    assert files_in(tmp_path) == set()


def test_evaluate_reports_what_is_wrong(tmp_path: Path, capsys) -> None:
    code = cli.main(["evaluate", str(tmp_path), "--out", str(tmp_path / "no" / "report.json")])
    assert code == ExitCode.UNUSABLE_INPUT
    assert "report.json cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["autoencoder", "denoiser"])
def test_train_hands_its_options_to_the_stage(stage: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", stage, "--help"])
    assert ended.value.code == 0
    assert f"usage: calid train {stage}" in capsys.readouterr().out


def test_the_package_is_a_program_and_loads_no_torch_for_its_help(child_environment) -> None:
    code = "import runpy, sys; sys.argv = ['calid', '--version']\ntry: runpy.run_module('calid', run_name='__main__')\n"
    code += "except SystemExit: pass\nsys.exit('torch' in sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", code], env=child_environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0
    assert finished.stdout.startswith("calid ")


def test_importing_the_package_needs_the_standard_library_alone(child_environment) -> None:
    code = "import sys, calid.protocol, calid.errors; sys.exit(any(m in sys.modules for m in ('numpy', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], env=child_environment, check=False).returncode == 0


def test_the_package_has_the_public_names(child_environment) -> None:
    code = "import calid; assert all(hasattr(calid, name) for name in calid.__all__)"
    assert subprocess.run([sys.executable, "-c", code], env=child_environment, check=False).returncode == 0
