"""``calid measure``: a study in, numbers out; and what is refused before anything is computed."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import nrrd
import numpy as np
import pytest

import calid
from calid import cli
from calid.dicom.opening import open_input
from calid.dicom.patient import read_patient
from calid.errors import ExitCode
from calid.phantom.beating_heart import Phantom
from calid.stacks.stack import SliceStack

sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))  # for the scanner
from scanner import save, shoot


@pytest.fixture(scope="module")
def heart() -> SliceStack:
    return Phantom(phases=3, slices=5, gap=10.0, pixel=2.5, matrix=(72, 64)).sparse


def study_of(heart: SliceStack, folder: Path, **says: str) -> Path:
    save(shoot(heart, 7, each_its_own=True, **says), folder)
    return folder


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_a_study_is_measured_with_what_it_says_of_its_patient(heart, tmp_path, capsys):
    study = study_of(heart, tmp_path / "study", PatientSize="1.80", PatientWeight="80")
    out, labels, page = tmp_path / "heart.json", tmp_path / "labels.seq.nrrd", tmp_path / "page.html"
    options = ["--spacing", 5, "--device", "cpu", "--labels", labels, "--report", page]
    options += ["--surfaces", tmp_path / "surfaces"]
    assert run("measure", study, out, *options) == ExitCode.DONE
    told = json.loads(out.read_text(encoding="utf-8"))
    assert told["body"]["surface_m2"] == 2.0
    assert told["body"]["rr_ms"] == 800
    assert told["lv"]["output_l_min"] == pytest.approx(told["lv"]["sv_ml"] * 60 / 800, abs=0.01)
    assert told["indexed"]["lv"]["edv_ml_m2"] == pytest.approx(told["lv"]["edv_ml"] / 2, abs=0.01)
    shown = capsys.readouterr()
    assert "ejection fraction" in shown.out
    assert "3 phases" in shown.err
    voxels, header = nrrd.read(str(labels))
    assert voxels.shape == (64, 72, 9, 3)
    assert set(np.unique(voxels)) == {0, 1, 2, 3}
    assert "calid-seg" in header["calid_provenance"]
    assert page.read_text(encoding="utf-8").count("<img") == 4
    assert len(list((tmp_path / "surfaces").glob("*.stl"))) == 9


def test_typed_numbers_go_first_and_a_table_is_written_of_one_phase(heart, tmp_path, capsys):
    sparse = tmp_path / "sparse.nrrd"
    calid.write_stack(heart, sparse)
    out = tmp_path / "heart.csv"
    typed = ["--height", 170, "--weight", 72.25, "--rr", 1000, "--papillary", "wall", "--phase", 1]
    assert run("measure", sparse, out, "--spacing", 5, "--device", "cpu", *typed) == ExitCode.DONE
    rows = list(csv.DictReader(out.open(encoding="utf-8", newline="")))
    values = {(row["of"], row["measure"]): row for row in rows}
    volume = values["left ventricle", "end-diastolic volume"]
    assert float(volume["low"]) < float(volume["value"]) < float(volume["high"])
    assert values["left ventricle", "ejection fraction"]["value"] == ""
    assert "count as wall" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["out.txt"], "ends in .json or .csv"),
        (["nowhere/out.json"], "a folder that exists"),
        (["out.json", "--height", "1.8"], "it seems to be in metres"),
        (["out.json", "--weight", "0"], "the weight is 0 kg"),
        (["out.json", "--labels", "sparse.nrrd"], "is named twice"),
        (["out.json", "--report", "page.pdf"], "ends in .html for --report"),
        (["out.json", "--report", "nowhere/page.html"], "nowhere"),
        (["out.json", "--surfaces", "nowhere/surfaces"], "nowhere"),
        (["out.json", "--stack", "2"], "no stack 2"),
    ],
)
def test_what_was_typed_wrongly_is_told_before_anything_is_computed(
    heart, tmp_path, capsys, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    calid.write_stack(heart, "sparse.nrrd")
    monkeypatch.setattr("calid.measurement.measure.measure", None)
    assert run("measure", "sparse.nrrd", *arguments) == ExitCode.UNUSABLE_INPUT
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["sparse.nrrd"]


def test_a_label_map_is_refused_by_name_and_nothing_is_written(heart, tmp_path, capsys):
    labels = tmp_path / "labels.nrrd"
    found = (heart.voxels > 300).astype(np.uint8)
    calid.write_stack(SliceStack(found, heart.frame, heart.positions), labels)
    assert run("measure", labels, tmp_path / "out.json") == ExitCode.UNUSABLE_INPUT
    told = capsys.readouterr().err
    assert "labels.nrrd" in told
    assert "2 different values only" in told
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ({}, (None, None)),
        ({"PatientSize": "", "PatientWeight": "0"}, (None, None)),
        ({"PatientSize": "1.75", "PatientWeight": "70.5"}, (175.0, 70.5)),
    ],
)
def test_what_archives_blank_is_not_known(heart, tmp_path, says, expected):
    opened = open_input(study_of(heart, tmp_path / "study", **says))
    stated = read_patient(opened.require_view())
    assert (stated["height_cm"], stated["weight_kg"]) == expected
    assert stated["rr_ms"] == 800


def test_metres_written_as_centimetres_are_left_out_and_said(heart, tmp_path, capsys):
    study = study_of(heart, tmp_path / "study", PatientSize="180", PatientWeight="80")
    options = ["--spacing", 5, "--device", "cpu", "--phase", 1]
    assert run("measure", study, tmp_path / "out.json", *options) == ExitCode.DONE
    assert "the height is 18000 cm" in capsys.readouterr().err
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["indexed"] is None
