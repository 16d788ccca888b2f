"""``calid evaluate-measures`` on a cohort of phantoms, whose labels are the truth."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import calid
from calid import cli
from calid.errors import ExitCode, UnusableInput
from calid.evaluation.measures.evaluate import evaluate_measures
from calid.evaluation.measures.patients import Patient, lengths_within, load_patients, named
from calid.evaluation.measures.report import rows_of, summarise_measures
from calid.evaluation.measures.scoring import ScoredPatient, score_patient
from calid.options import Options
from calid.phantom.beating_heart import Phantom
from calid.segmentation.labels import LEFT_VENTRICLE
from calid.stacks.stack import SliceStack

COARSE = Options(spacing=4.0, device="cpu")


@pytest.fixture(scope="module")
def patient() -> Patient:
    """Slices 5 mm apart, from below the apex to below the valve."""
    phantom = Phantom(phases=2, slices=22, gap=5.0, matrix=(72, 72), pixel=2.4)
    inside = slice(5, 15)
    stack = phantom.sparse
    positions = stack.positions[inside] - stack.positions[inside][0]
    part = replace(stack, voxels=stack.voxels[:, inside], positions=positions)
    return Patient("patient001", "NOR", part, phantom.sparse_labels[:, inside])


@pytest.fixture(scope="module")
def cohort(patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("acdc")
    folder = data / "ed_es" / patient.name
    folder.mkdir(parents=True)
    for phase, frame in enumerate((1, 8)):
        image = patient.stack.phase(phase)
        calid.write_stack(image, folder / f"{patient.name}_frame{frame:02d}.nii.gz")
        labels = SliceStack(patient.labels[phase : phase + 1], image.frame, image.positions)
        calid.write_stack(labels, folder / f"{patient.name}_frame{frame:02d}_gt.nii.gz")
    (data / "index.json").write_text(json.dumps({patient.name: {"ED": 1, "ES": 8, "group": "NOR"}}))
    return data


def test_experts_count_areas_times_distances(patient):
    measured = patient.expert()
    areas = (patient.labels == LEFT_VENTRICLE).sum(axis=(2, 3)) * 2.4**2
    assert measured["lv_edv_ml"] == pytest.approx(areas[0].sum() * 5 / 1000)
    assert measured["lv_ef_percent"] == pytest.approx(100 * (1 - areas[1].sum() / areas[0].sum()))
    assert named({part: np.array([0.0, 0.0]) for part in ("lv", "wall", "rv")})["lv_edv_ml"] == 0


def test_every_second_slice_stands_for_twice_as_much(patient):
    for start in (0, 1):
        less = patient.thinned(start)
        assert less.gap == 10
        np.testing.assert_array_equal(less.stack.voxels, patient.stack.voxels[:, start::2])
        assert less.expert()["lv_edv_ml"] == pytest.approx(patient.expert()["lv_edv_ml"], rel=0.15)


def test_all_slices_over_the_reach_of_those_that_were_kept(patient):
    positions = np.array([0.0, 5, 10, 15])
    np.testing.assert_allclose(lengths_within(positions, -5, 15), [7.5, 5, 5, 2.5])
    np.testing.assert_allclose(lengths_within(positions, 2.5, 22.5), [0, 5, 5, 10])
    for start, reach in ((0, (-5, 45)), (1, (0, 50))):
        assert patient.thinned(start).reach == reach
    whole = patient.measures_of(patient.labels, lengths_within(patient.stack.positions, *patient.reach))
    assert whole == patient.expert()


def test_a_patient_is_read_as_it_was_written_and_one_that_is_not_there_is_named(patient, cohort):
    (read,) = load_patients(cohort, [patient.name])
    np.testing.assert_array_equal(read.stack.voxels, patient.stack.voxels)
    np.testing.assert_array_equal(read.labels, patient.labels)
    assert read.expert() == pytest.approx(patient.expert())
    with pytest.raises(UnusableInput, match="lacks 1 of 2 patients: patient999"):
        load_patients(cohort, [patient.name, "patient999"])


@pytest.fixture(scope="module")
def scored(patient: Patient) -> ScoredPatient:
    return score_patient(patient, COARSE)


def test_a_phantom_is_measured_whole_and_with_every_second_slice(patient, scored):
    assert [each.start for each in scored.thinned] == [0, 1]
    rows = {(row["start"], row["measure"]): row for row in rows_of([scored])}
    whole, thinned = rows[None, "lv_edv_ml"], rows[0, "lv_edv_ml"]
    assert whole["dense"] == pytest.approx(whole["expert"], rel=0.2)
    assert whole["low"] < whole["dense"] < whole["high"]
    assert thinned["full"] == whole["simpson"]
    assert thinned["dense"] != thinned["simpson"]
    assert thinned["expert_thinned"] == patient.thinned(0).expert()["lv_edv_ml"]
    summary = summarise_measures([scored])
    assert summary["expert"]["dense"]["lv_edv_ml"]["bias"] == pytest.approx(whole["dense"] - whole["expert"])
    assert summary["every_second_slice"]["lv_edv_ml"]["full"]["nearer"]["pairs"] == 2
    assert all(0.5 < parts["lv"] <= 1 for parts in summary["dice"].values())


def test_the_command_writes_report_table_and_plots(patient, cohort, scored, tmp_path, capsys, monkeypatch):
    asked = []

    def once(patient: Patient, options: Options) -> ScoredPatient:
        asked.append((patient.name, options.spacing))
        return scored

    monkeypatch.setattr("calid.evaluation.measures.evaluate.score_patient", once)
    monkeypatch.setattr("calid.evaluation.measures.evaluate.split_patients", lambda split: [patient.name])
    out = tmp_path / "report.json"
    assert cli.main(["evaluate-measures", str(cohort), "--out", str(out), "--spacing", "4"]) == ExitCode.DONE
    assert asked == [(patient.name, 4.0)]
    summary = json.loads(out.read_text(encoding="utf-8"))
    rows = list(csv.DictReader(out.with_suffix(".csv").open(encoding="utf-8", newline="")))
    assert {row["start"] for row in rows} == {"", "0", "1"}
    assert "NaN" not in out.read_text(encoding="utf-8")  # of one patient there is no correlation
    assert summary["patients"] == 1
    assert {path.name for path in (tmp_path / "report_figures").iterdir()} == {"experts.png", "every_second_slice.png"}
    shown = capsys.readouterr().out
    assert "every second slice of 1 patients" in shown
    assert "lv_ef_percent" in shown


def test_what_cannot_be_written_is_told_first(tmp_path, capsys):
    out = tmp_path / "no" / "report.json"
    assert cli.main(["evaluate-measures", str(tmp_path), "--out", str(out)]) == ExitCode.UNUSABLE_INPUT
    with pytest.raises(UnusableInput, match=r"index\.json"):
        evaluate_measures(tmp_path, tmp_path / "report.json")
