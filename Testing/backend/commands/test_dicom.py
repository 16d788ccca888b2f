"""``calid dicom`` and studies as the input of other commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nrrd
import numpy as np
import pydicom
import pytest

import calid
from calid import cli
from calid.errors import ExitCode, StackWarning
from calid.phantom.beating_heart import Phantom

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))  # for the scanner
import fake_reconstruct
from scanner import long_axis_of, save, shoot


@pytest.fixture(scope="module")
def heart():
    return Phantom(phases=3, slices=4, gap=10.0, pixel=2.5, matrix=(48, 40), seed=3).sparse


@pytest.fixture
def study(heart, tmp_path):
    save(shoot(heart, 7, each_its_own=True), tmp_path / "study")
    return tmp_path / "study"


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def run_fake(*arguments) -> int:
    """The same with a stand-in that repeats slices."""
    return cli.main([str(argument) for argument in arguments], fake_reconstruct.reconstruct)


def test_list_prints_the_report_and_writes_it(study, tmp_path, capsys):
    assert run("dicom", "list", study, "--json", tmp_path / "report.json") == ExitCode.DONE
    assert "stack 1: short-axis cine, 4 slices x 3 phases" in capsys.readouterr().out
    assert json.loads((tmp_path / "report.json").read_text())["stacks"][0]["phases"] == [3] * 4


def test_convert_writes_the_sparse_cine(study, heart, tmp_path, capsys):
    out, sheet = tmp_path / "cine.seq.nrrd", tmp_path / "sheet.png"
    assert run("dicom", "convert", study, out, "--sheet", sheet, "--report", tmp_path / "r.json") == ExitCode.DONE
    stack = calid.read_stack(out)
    np.testing.assert_array_equal(stack.voxels, heart.voxels)
    np.testing.assert_allclose(stack.affine, heart.affine, atol=1e-5)
    np.testing.assert_allclose(stack.times, np.arange(3) / 3 * 0.795, rtol=1e-4)
    assert sheet.read_bytes()[:4] == b"\x89PNG"
    assert "assembled" in json.loads((tmp_path / "r.json").read_text())


def test_what_was_not_asked_for_is_refused_before_anything_is_read(study, tmp_path, capsys):
    assert run("dicom", "convert", study, tmp_path / "cine.xyz") == ExitCode.UNUSABLE_INPUT
    assert run("dicom", "convert", study, tmp_path / "a.nrrd", "--sheet", tmp_path / "a.gif") == ExitCode.UNUSABLE_INPUT
    assert run("dicom", "convert", study, tmp_path / "a.nrrd", "--stack", 3) == ExitCode.UNUSABLE_INPUT
    assert "choose --stack 1" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.nrrd"))


def test_a_study_is_reconstructed_in_one_command(study, heart, tiny_models, tmp_path, capsys):
    out, series = tmp_path / "dense.seq.nrrd", tmp_path / "dense"
    code = run("reconstruct", study, out, "--spacing", 5, "--models", tiny_models, "--device", "cpu", "--dicom", series)
    assert code == ExitCode.DONE
    assert "6 mm thick (says the file)" in capsys.readouterr().err
    voxels, _ = nrrd.read(str(out))
    again = calid.read_stack(out).voxels
    np.testing.assert_array_equal(again[:, ::2], heart.voxels)
    assert voxels.shape == (40, 48, 7, 3)
    with pytest.warns(StackWarning, match="derived"):
        written = calid.read_stack(series)
    np.testing.assert_array_equal(written.voxels, again)
    assert json.loads((series / "calid_provenance.json").read_text())["model"]


def test_one_phase_names_its_own_pictures(study, heart, tiny_models, tmp_path):
    options = ["--spacing", 5, "--models", tiny_models, "--device", "cpu", "--phase", 2]
    assert run("reconstruct", study, tmp_path / "o.nrrd", *options, "--dicom", tmp_path / "d") == ExitCode.DONE
    header = pydicom.dcmread(tmp_path / "d" / "000001.dcm")
    named = header.SourceImageSequence[0].ReferencedSOPInstanceUID
    (file,) = [f for f in study.iterdir() if pydicom.dcmread(f).SOPInstanceUID == named]
    np.testing.assert_array_equal(pydicom.dcmread(file).pixel_array, heart.voxels[1, 0])


@pytest.fixture
def crossed(tmp_path):
    """A study with a long axis."""
    phantom = Phantom(phases=3, slices=6, gap=10.0, pixel=2.5, matrix=(64, 56), seed=3, dense_spacing=2.5)
    save(shoot(phantom.sparse, 7, each_its_own=True), tmp_path / "study" / "short")
    shots = shoot(long_axis_of(phantom.dense, 30), 50, SeriesDescription="4CH")
    save([shot for shot in shots if shot.k == 0], tmp_path / "study" / "long")
    return tmp_path / "study"


def test_long_axes_are_witnesses_of_the_result(crossed, tmp_path, capsys):
    out, told = tmp_path / "dense.seq.nrrd", tmp_path / "report.json"
    assert run_fake("reconstruct", crossed, out) == ExitCode.DONE
    assert "  4CH, series 50: correlation 0." in capsys.readouterr().err
    assert json.loads(nrrd.read_header(str(out))["calid_provenance"])["long_axes"] == 1
    picture = tmp_path / "witnesses.png"
    assert run_fake("reconstruct", crossed, out, "--report", told, "--witnesses", picture) == ExitCode.DONE
    printed = capsys.readouterr().out
    assert "long-axis cine, 1 slice x 3 phases (series 50, 4CH)" in printed
    assert "  4CH, series 50: correlation 0." in printed
    (witness,) = json.loads(told.read_text())["witnesses"]
    assert (witness["view"], witness["phases"]) == ("4CH, series 50", 3)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert run_fake("reconstruct", crossed, out, "--phase", 2, "--report", told) == ExitCode.DONE
    assert json.loads(told.read_text())["witnesses"][0]["phases"] == 1


def test_programs_hear_of_witnesses_in_an_event(crossed, tmp_path, capfd):
    assert run_fake("reconstruct", crossed, tmp_path / "d.seq.nrrd", "--progress", "json") == ExitCode.DONE
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    (heard,) = [event for event in events if event["event"] == "witnesses"]
    assert 0 < heard["views"][0]["before"]["correlation"] < 1


def test_no_picture_of_witnesses_where_there_are_none(study, heart, tmp_path, capsys):
    out, picture = tmp_path / "dense.seq.nrrd", tmp_path / "witnesses.png"
    assert run_fake("reconstruct", study, out, "--witnesses", picture) == ExitCode.UNUSABLE_INPUT
    assert "there is no long-axis cine through the heart" in capsys.readouterr().err
    assert run_fake("reconstruct", study, out, "--report", tmp_path / "r.json") == ExitCode.DONE
    assert "witnesses" not in json.loads((tmp_path / "r.json").read_text())
    calid.write_stack(heart, tmp_path / "cine.seq.nrrd")
    code = run_fake("reconstruct", tmp_path / "cine.seq.nrrd", out, "--report", tmp_path / "r.json")
    assert code == ExitCode.UNUSABLE_INPUT
    assert "is no DICOM study, which --report is about" in capsys.readouterr().err


def test_no_series_of_what_is_no_study(tmp_path, heart, capsys):
    calid.write_stack(heart, tmp_path / "cine.seq.nrrd")
    code = run("reconstruct", tmp_path / "cine.seq.nrrd", tmp_path / "o.nrrd", "--dicom", tmp_path / "d")
    assert code == ExitCode.UNUSABLE_INPUT
    assert "is no DICOM study" in capsys.readouterr().err
    assert run("reconstruct", tmp_path / "cine.seq.nrrd", tmp_path / "o.nrrd", "--stack", 2) == ExitCode.UNUSABLE_INPUT


def test_python_reads_studies_too(study, heart):
    np.testing.assert_array_equal(calid.read_stack(study).voxels, heart.voxels)
    found = calid.read_study(study)
    assert isinstance(found, calid.Study)
    np.testing.assert_array_equal(found.assemble(1).stack.voxels, heart.voxels)


def test_where_a_slice_is_missing_the_study_itself_is_reconstructed(tiny_models, tmp_path, capsys):
    heart = Phantom(phases=3, slices=5, gap=10.0, pixel=2.5, matrix=(48, 40), seed=3).sparse
    save([shot for shot in shoot(heart, 7, each_its_own=True) if shot.k != 1], tmp_path / "study")
    study, out = tmp_path / "study", tmp_path / "out.seq.nrrd"
    assert run("dicom", "convert", study, out) == ExitCode.UNUSABLE_INPUT
    said = capsys.readouterr().err
    assert "its slices are 10 to 20 mm apart" in said
    assert "calid reconstruct STUDY OUT --spacing 2" in said
    options = ["--spacing", 5, "--models", tiny_models, "--device", "cpu", "--phase", 1]
    assert run("reconstruct", study, out, *options) == ExitCode.DONE
    assert "A slice seems to be missing between slices 1 and 2" in capsys.readouterr().err
    np.testing.assert_array_equal(calid.read_stack(out).voxels[0, [0, 4, 6, 8]], heart.voxels[0, [0, 2, 3, 4]])
