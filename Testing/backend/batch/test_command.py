"""``calid batch`` with a model: its numbers are those of the single commands, and its exit codes tell what happened."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import calid
from calid import cli
from calid.batch import cohort, machine
from calid.errors import ExitCode
from calid.phantom.beating_heart import Phantom
from calid.stacks.stack import SliceStack

sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))  # for the scanner
from scanner import save, shoot


@pytest.fixture(autouse=True)
def found_by_workers(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(calid.__file__).parents[1]))


@pytest.fixture(scope="module")
def heart() -> SliceStack:
    return Phantom(phases=8, slices=5, gap=10.0, pixel=2.5, matrix=(72, 64)).sparse


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "participants.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_measures_series_and_self_check_of_a_study_are_those_of_the_single_commands(heart, tmp_path, capsys):
    study, out = tmp_path / "in" / "Roe", tmp_path / "out"
    save(shoot(heart, 7, each_its_own=True, PatientSize="1.80", PatientWeight="80"), study)
    asked = ["--spacing", 5, "--device", "cpu"]
    extra = ["--measure", "--self-check", "--dicom", "--workers", 1]
    assert run("batch", tmp_path / "in", out, *asked, *extra) == ExitCode.DONE
    assert run("measure", study, tmp_path / "single.json", *asked) == ExitCode.DONE
    assert run("reconstruct", study, tmp_path / "single.nrrd", *asked) == ExitCode.DONE
    case = out / "sub-00001"
    files = case / "measures.json", tmp_path / "single.json"
    made, single = (json.loads(path.read_text(encoding="utf-8")) for path in files)
    assert made["lv"] == single["lv"]
    assert made["body"]["rr_ms"] == 800
    dense = calid.read_stack(case / "dense.seq.nrrd")
    np.testing.assert_array_equal(dense.voxels, calid.read_stack(tmp_path / "single.nrrd").voxels)
    assert len(list((case / "dicom").glob("*.dcm"))) == dense.voxels.shape[0] * dense.voxels.shape[1]
    (row,) = rows(out)
    assert float(row["lv_ef_percent"]) == made["lv"]["ef_percent"]
    assert float(row["self_check_psnr_db"]) > 0
    assert int(row["peak_memory_mb"]) > 100
    told = (out / "participants.tsv").read_text(encoding="utf-8") + (out / "report.html").read_text(encoding="utf-8")
    assert "Roe" not in told
    assert "4711" not in told


def test_exit_codes_and_what_is_printed(heart, tmp_path, tiny_models, capsys):
    (tmp_path / "in").mkdir()
    calid.write_stack(heart.phase(0), tmp_path / "in" / "a.nii.gz")
    arguments = ["batch", tmp_path / "in", tmp_path / "out", "--models", tiny_models, "--device", "cpu", "--workers", 1]
    assert run(*arguments) == ExitCode.DONE
    assert "1 of 1 cases done" in capsys.readouterr().err
    assert run(*arguments) == ExitCode.UNUSABLE_INPUT
    assert "--resume" in capsys.readouterr().err
    (tmp_path / "in" / "b.nii.gz").write_bytes(b"")
    assert run(*arguments, "--resume") == ExitCode.PARTIAL
    told = capsys.readouterr().err
    assert "sub-00002: <input>" in told
    assert "1 of 2 cases done" in told
    assert run("batch", tmp_path / "nowhere", tmp_path / "out") == ExitCode.UNUSABLE_INPUT
    assert run("batch", tmp_path / "in", tmp_path / "no" / "out") == ExitCode.UNUSABLE_INPUT


def test_a_list_chooses_cases_and_says_what_is_known_of_patients(heart, tmp_path, tiny_models):
    calid.write_stack(heart.phase(0), tmp_path / "a.nii.gz")
    (tmp_path / "cases.csv").write_text("id,path\nX7,a.nii.gz\nY8,missing.nii.gz\n")
    arguments = [tmp_path, tmp_path / "out", "--cases", tmp_path / "cases.csv"]
    options = ["--models", tiny_models, "--device", "cpu", "--workers", 1]
    assert run("batch", *arguments, *options) == ExitCode.PARTIAL
    assert [(row["participant_id"], row["status"]) for row in rows(tmp_path / "out")] == [
        ("sub-X7", "done"),
        ("sub-Y8", "failed"),
    ]


def test_one_worker_needs_no_dask(small_cohort):
    made = small_cohort("a.nii")
    code = (
        "import sys; sys.modules['distributed'] = sys.modules['dask'] = None; from calid import cli;"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    arguments = ["batch", made.top, made.out, "--workers", "1", "--spacing", "4", "--device", "cpu"]
    finished = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=False)
    assert finished.returncode == ExitCode.DONE


def test_workers_are_as_many_as_cores_and_memory_allow(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setattr(cohort, "cores", lambda: 8)
    for free, workers, threads in ((64, 8, 1), (6, 4, 2), (1, 1, 8)):
        monkeypatch.setattr(machine, "available_bytes", lambda free=free: free * 2**30)
        manner = cohort.Manner().settled("cpu")
        assert (manner.workers, manner.threads) == (workers, threads)
    assert cohort.Manner(workers=3).settled("cpu").threads == 2


def test_workers_are_as_many_as_graphics_processors(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert machine.devices_for("auto") == machine.devices_for("cuda") == ["2", "5"]
    assert [machine.workers_for(device) for device in ("auto", "cuda", "cuda:1", "mps")] == [2, 2, 1, 1]
    assert machine.devices_for("cpu") == []
