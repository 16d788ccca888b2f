"""Long axes of a study are held against a result on their own planes, and it is told how well they agree."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scanner import long_axis_of, save, shoot

from calid.dicom.report import as_json, as_text
from calid.dicom.study import read_study
from calid.dicom.witness_sheet import write_witnesses
from calid.dicom.witnesses import Witnesses
from calid.phantom.beating_heart import Phantom

PHANTOM = Phantom(phases=6, slices=8, gap=10.0, pixel=2.0, matrix=(96, 96), seed=5, noise=0.0, dense_spacing=2.0)


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """A study with a two-chamber and a four-chamber view of the same heart, and its stack."""
    folder = tmp_path_factory.mktemp("study")
    save(shoot(PHANTOM.sparse, 7, True), folder / "short")
    for degrees, series, name in ((20, 50, "4CH"), (85, 51, "Roe 2CH")):
        shots = shoot(long_axis_of(PHANTOM.dense, degrees), series, SeriesDescription=name)
        save([shot for shot in shots if shot.k == 0], folder / f"long{series}")
    study = read_study(folder)
    return study, study.assemble()


@pytest.fixture(scope="module")
def heard(studied):
    """What they say of the truth, which no result is better than."""
    study, made = studied
    witnesses = Witnesses(made.stack, study.read_long_axes(made), PHANTOM.dense.positions)
    for phase, dense in enumerate(PHANTOM.dense.voxels):
        witnesses.add(phase, dense)
    return witnesses.heard()


def test_the_truth_agrees_and_linear_interpolation_less(heard):
    assert len(heard) == 2
    for witness in heard:
        before, after = witness.agreements
        assert after.correlation > 0.999
        assert after.gradient_correlation > 0.98
        assert before.correlation < after.correlation - 0.01
        assert before.gradient_correlation < after.gradient_correlation - 0.1


def test_it_is_the_heart_that_counts(heard):
    for witness in heard:
        assert witness.acquired.shape == witness.before.shape == witness.after.shape
        rows, columns = witness.region.shape
        assert rows * witness.spacing[0] == pytest.approx(70, abs=3)  # from the first slice to the last
        assert columns * witness.spacing[1] == pytest.approx(110, abs=12)
        assert np.isfinite(witness.after[:, witness.region]).all()


def test_one_phase_is_held_against_its_own(studied):
    study, made = studied
    agreements = []
    for phase in (0, 2):
        witnesses = Witnesses(made.stack, study.read_long_axes(made), PHANTOM.dense.positions)
        witnesses.add(2, PHANTOM.dense.voxels[phase])
        agreements.append(witnesses.heard()[0].agreements[1].correlation)
    assert agreements[0] < agreements[1]
    assert agreements[1] > 0.999


def test_a_view_beside_the_stack_is_no_witness(studied):
    study, made = studied
    one = study.read_long_axes(made)[0]
    far = np.array(one.plane.position) + 200 * one.plane.normal
    away = replace(one, plane=replace(one.plane, position=tuple(far)))
    assert len(Witnesses(made.stack, [away], PHANTOM.dense.positions)) == 0


def test_the_report_says_it_in_words_and_numbers_without_the_patient(studied, heard):
    study, made = studied
    lines = as_text(study, made, heard).splitlines()
    assert lines[-3].startswith("long axes as witnesses, each another breath-hold")
    assert sorted(line.partition(":")[0].strip() for line in lines[-2:]) == ["4CH, series 50", "… 2CH, series 51"]
    assert all("correlation 0.9" in line and "1.000 after, of edges 0." in line for line in lines[-2:])
    first = json.loads(json.dumps(as_json(study, made, heard)))["witnesses"][0]
    assert first["view"] in lines[-2]
    assert first["phases"] == 6
    assert first["after"]["correlation"] > first["before"]["correlation"] > 0.5
    assert "witnesses" not in as_json(study, made)


def test_the_picture_has_acquired_before_and_after_in_rows(heard, tmp_path):
    write_witnesses(heard, ["4CH", "2CH"], tmp_path / "w.png")
    sheet = np.asarray(Image.open(tmp_path / "w.png"))
    assert sheet.ndim == 2
    thirds = np.array_split(sheet[30:150], 3, axis=1)
    assert all(part.std() > 20 for part in thirds)
    assert np.abs(thirds[0].astype(int) - thirds[2]).mean() < np.abs(thirds[0].astype(int) - thirds[1]).mean()


def test_a_still_stack_has_witnesses_of_its_phase(tmp_path):
    """Chosen by its number, for a cine is there too."""
    save(shoot(PHANTOM.sparse, 7, True), tmp_path / "cine")
    still = [shot for shot in shoot(PHANTOM.sparse.phase(0), 30, True, start=900) if shot.says.pop("TriggerTime")]
    save(still, tmp_path / "still")
    save([shot for shot in shoot(long_axis_of(PHANTOM.dense), 50) if shot.k == 0], tmp_path / "long")
    study = read_study(tmp_path)
    number = next(n for n, view in enumerate(study.stacks, 1) if view.is_short_axis_still)
    made = study.assemble(number)
    (one,) = study.read_long_axes(made)
    witnesses = Witnesses(made.stack, [one], PHANTOM.dense.positions)
    witnesses.add(0, PHANTOM.dense.voxels[0])
    assert witnesses.heard()[0].agreements[1].correlation > 0.98
