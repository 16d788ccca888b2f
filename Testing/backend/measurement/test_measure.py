"""A beating heart of known volumes, measured from its images; and what cannot be measured."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

import calid
from calid.errors import UnusableInput
from calid.measurement.table import to_csv, to_text
from calid.measurement.volumes import slab_lengths
from calid.options import Options
from calid.phantom.beating_heart import Phantom
from calid.segmentation.labels import LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE
from calid.stacks.stack import SliceStack

COARSE = Options(spacing=5.0, device="cpu")
BODY = calid.Body(height_cm=180, weight_kg=80, rr_ms=800)


def part_of(stack: SliceStack, low_mm: float, high_mm: float) -> SliceStack:
    """The slices between two positions."""
    inside = (stack.positions >= low_mm) & (stack.positions <= high_mm)
    positions = stack.positions[inside]
    return replace(stack, voxels=stack.voxels[:, inside], positions=positions - positions[0])


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    """From below the apex to above the valve; beyond both it looks like no patient, so tests take 25 to 61 mm."""
    return Phantom(phases=2, slices=12, gap=10.0, matrix=(80, 80), pixel=2.2)


@pytest.fixture(scope="module")
def thin(phantom: Phantom) -> Phantom:
    """The same heart in slices 2.75 mm apart."""
    return replace(phantom, slices=41, gap=2.75, thickness=2.75)


@pytest.fixture(scope="module")
def sparse(phantom: Phantom) -> calid.Measurement:
    return calid.measure(part_of(phantom.sparse, 25, 61), body=BODY, options=COARSE, labels=True)


@pytest.fixture(scope="module")
def dense(thin: Phantom) -> calid.Measurement:
    return calid.measure(part_of(thin.sparse, 25, 61), options=COARSE)


def true_ml(thin: Phantom, label: int, low_mm: float, high_mm: float) -> np.ndarray:
    inside = (thin.sparse.positions >= low_mm) & (thin.sparse.positions <= high_mm)
    return (thin.sparse_labels[:, inside] == label).sum(axis=(1, 2, 3)) * 2.2**2 * 2.75 / 1000


@pytest.mark.parametrize(("name", "low", "high"), [("sparse", 25, 65), ("dense", 25, 61)])
def test_volumes_and_fraction_are_near_those_of_the_phantom(thin, name, low, high, request):
    """A phantom is not what the network was trained on. Slices 10 mm apart stand for 5 mm beyond the first and last."""
    found = request.getfixturevalue(name)
    truth = {label: true_ml(thin, label, low, high) for label in (LEFT_VENTRICLE, MYOCARDIUM, RIGHT_VENTRICLE)}
    left = truth[LEFT_VENTRICLE]
    assert (found.ed, found.es) == (left.argmax(), left.argmin()) == (0, 1)
    assert found.lv["edv_ml"] == pytest.approx(left[0], rel=0.15)
    assert found.lv["ef_percent"] == pytest.approx(100 * (1 - left[1] / left[0]), abs=5)
    assert found.lv["mass_g"] == pytest.approx(1.05 * truth[MYOCARDIUM][0], rel=0.2)
    assert found.rv["edv_ml"] == pytest.approx(truth[RIGHT_VENTRICLE].max(), rel=0.4)


def test_numbers_follow_from_one_another(sparse):
    lv = sparse.lv
    assert lv["sv_ml"] == pytest.approx(lv["edv_ml"] - lv["esv_ml"])
    assert lv["output_l_min"] == pytest.approx(lv["sv_ml"] * 75 / 1000)
    told = sparse.to_dict()
    assert told["indexed"]["lv"]["edv_ml_m2"] == pytest.approx(lv["edv_ml"] / 2.0, abs=0.01)
    assert told["phases"]["times_ms"] == [0, 400]
    assert told["phases"]["lv_ml"][told["phases"]["end_systole"] - 1] == told["lv"]["esv_ml"]
    for name in ("lv", "rv"):
        for key, (low, high) in sparse.intervals[name].items():
            assert low < getattr(sparse, name)[key] < high


def test_labels_lie_on_the_dense_grid_and_hold_the_volume(sparse):
    assert sparse.labels.shape == (2, len(sparse.dense_positions), 80, 80)
    areas = (sparse.labels[sparse.ed] == LEFT_VENTRICLE).sum(axis=(1, 2)) * 2.2**2
    counted = areas @ slab_lengths(sparse.dense_positions, 10.0) / 1000
    assert counted == pytest.approx(sparse.lv["edv_ml"], rel=0.05)


def test_simpson_stands_beside_a_sparse_stack_only(sparse, dense):
    assert sparse.to_dict()["simpson"]["lv"]["edv_ml"] == pytest.approx(sparse.lv["edv_ml"], rel=0.1)
    assert dense.to_dict()["simpson"] is None


def test_two_phases_have_no_rates_and_say_so(sparse, dense):
    assert sparse.lv["peak_ejection_ml_s"] is None
    assert any("no rates" in note for note in sparse.notes)
    assert dense.lv["output_l_min"] is None
    assert any("R-R interval is not known" in note for note in dense.notes)
    assert dense.times_ms is None


def test_json_and_table_say_the_same(sparse):
    told = json.loads(json.dumps(sparse.to_dict()))
    rows = list(csv.DictReader(io.StringIO(to_csv(sparse))))
    values = {(row["of"], row["measure"]): row["value"] for row in rows}
    assert float(values["left ventricle", "end-diastolic volume"]) == pytest.approx(told["lv"]["edv_ml"], abs=0.06)
    assert float(values["right ventricle", "volume in phase 2"]) == pytest.approx(told["phases"]["rv_ml"][1], abs=0.06)
    assert [row["measure"] for row in rows if row["of"] == "note"] == list(sparse.notes)
    assert f"{sparse.lv['edv_ml']:.1f}" in to_text(sparse)


def test_papillary_muscles_can_only_go_to_the_wall(thin, dense):
    other = calid.measure(part_of(thin.sparse.phase(0), 25, 61), papillary="wall", options=COARSE)
    assert other.ml["lv"][0] < dense.ml["lv"][0]
    assert other.ml["lv"][0] + other.ml["wall"][0] == pytest.approx(dense.ml["lv"][0] + dense.ml["wall"][0], rel=5e-3)
    assert "wall" in other.to_dict()["conventions"]["papillary"]
    # One phase has volumes, and nothing that takes two.
    assert other.lv["edv_ml"] > 40
    assert other.lv["ef_percent"] is None
    assert other.lv["esv_ml"] is None
    assert any(note.startswith("One phase only") for note in other.notes)
    assert other.to_dict()["segments"][0]["end_systole_mm"] is None


def test_half_a_heart_is_marked_as_partial_with_the_slice(thin):
    found = calid.measure(part_of(thin.sparse.phase(0), 40, 61), options=COARSE)
    assert any(note.startswith("Partial") and "slice 1" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: np.random.default_rng(0).integers(0, 900, v.shape).astype(np.int16), "no heart was found"),
        (lambda v: (v // 300).astype(float), "different values only"),
        (lambda v: (v > v.mean()).astype(np.uint8), "different values only"),
        (lambda v: np.where(v < np.percentile(v, 30), -1000, v).astype(np.int16) + (v % 7).astype(np.int16), "tomogr"),
    ],
)
def test_what_shows_no_heart_in_mr_is_refused_in_words(phantom, change, words):
    stack = phantom.sparse.phase(0)
    with pytest.raises(UnusableInput, match=words) as raised:
        calid.measure(replace(stack, voxels=change(stack.voxels)), options=COARSE)
    assert raised.value.remedy


def test_a_convention_that_there_is_not_is_refused(phantom):
    with pytest.raises(UnusableInput, match="papillary is 'blood'"):
        calid.measure(phantom.sparse, papillary="blood")


def test_a_stack_made_dense_before_gives_the_same_numbers(phantom, sparse):
    """The acquired slices of a result are those of its input, bit for bit, so Simpson's rule finds them again."""
    result = calid.reconstruct(part_of(phantom.sparse, 25, 61), options=COARSE)
    count = iter(range(len(result.synthesised)))
    acquired = [None if made else next(count) for made in result.synthesised]
    told = calid.measure(result.stack, body=BODY, acquired=acquired, options=COARSE).to_dict()
    expected = sparse.to_dict()
    assert told["lv"]["edv_ml"] == pytest.approx(expected["lv"]["edv_ml"], rel=0.01)
    assert told["simpson"]["lv"]["edv_ml"] == pytest.approx(expected["simpson"]["lv"]["edv_ml"], rel=0.01)


def test_a_phase_that_was_drawn_is_counted_as_it_is(phantom, thin):
    """Beyond the region where the network looked, too; a phase without a cavity has no thickness and ends no test."""
    stack = part_of(thin.sparse, 25, 61)
    labels = np.zeros(stack.voxels.shape[1:], np.uint8)
    labels[:, 3:13, 3:13] = MYOCARDIUM
    found = calid.measure(stack, drawn={1: labels}, labels=True, options=COARSE)
    assert found.ml["lv"][1] == 0
    assert found.ml["wall"][1] == pytest.approx(labels.astype(bool).sum() * 2.2**2 * 2.75 / 1000, rel=0.05)
    assert found.thickness[1] == {}
    np.testing.assert_array_equal(found.labels[1], labels)


def test_a_file_without_the_directions_of_a_patient_is_told_of(thin):
    stack = part_of(thin.sparse, 25, 61)
    words = "anterior and inferior segments may be exchanged"
    assert not any(words in note for note in calid.measure(stack, options=COARSE).notes)
    lost = replace(stack, frame=np.diag([2.2, 2.2, 1, 1]))
    assert any(words in note for note in calid.measure(lost, options=COARSE).notes)
