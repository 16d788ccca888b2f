"""The held-out-slice protocol on small made-up hearts."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calid.baselines.methods import make_method
from calid.cohorts.acdc import split_patients
from calid.errors import UnusableInput
from calid.evaluation.cases import load_cases
from calid.evaluation.evaluate import evaluate
from calid.evaluation.figures import draw_figures
from calid.evaluation.heldout import Case
from calid.evaluation.report import format_table, summarise, write_slices
from calid.evaluation.scoring import score, score_real
from calid.files.writing import write_stack
from calid.phantom.beating_heart import Phantom
from calid.segmentation.labels import LEFT_VENTRICLE
from calid.segmentation.segmenter import load_segmenter
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack

SHAPE = (40, 36)


def make_case(slices: int = 7, distance: float = 5.0, seed: int = 0, patient: str = "somebody") -> Case:
    """A heart that narrows from the first slice (base) on, in all slices but the last."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    radius = np.linspace(9, 3, slices)[:, None, None]
    labels = (np.hypot(rows - 20, columns - 18) < radius).astype(np.uint8)
    labels[-1] = 0
    voxels = (300 + 500.0 * labels + rng.normal(0, 60, labels.shape)).astype(np.int16)
    return Case(patient, "ED", SliceStack.from_affine(voxels, np.diag([1.5, 1.5, distance, 1])), labels)


@pytest.mark.parametrize(("slices", "kept"), [(7, [0, 2, 4, 6]), (8, [0, 2, 4, 6]), (3, [0, 2])])
def test_every_other_slice_is_kept_and_both_ends_of_an_odd_count(slices: int, kept: list[int]) -> None:
    assert list(make_case(slices).kept) == kept


def test_only_odd_slices_with_heart_between_kept_ones_are_scored() -> None:
    case = make_case(9)
    assert case.scored == [1, 3, 5, 7]
    case.labels[5] = 0
    assert case.scored == [1, 3, 7]
    assert make_case(8).scored == [1, 3, 5]  # 7 was dropped, it has no slice above


def test_one_in_four_kept_hides_three_in_a_row_at_equal_steps() -> None:
    case = replace(make_case(10), every=4)
    assert list(case.kept) == [0, 4, 8]
    assert case.scored == [1, 2, 3, 5, 6, 7]
    assert [target.fraction for target in case.plan(case.sparse()).targets] == [0.25, 0.5, 0.75] * 2


def test_a_method_never_sees_a_held_out_slice() -> None:
    case, seen = make_case(8), []
    for held_out in (1, 3, 5, 7):
        changed = Case(case.patient, case.phase, make_case(8).stack, case.labels)
        changed.stack.voxels[0, held_out] *= 3
        sparse = changed.sparse()
        assert not np.shares_memory(sparse.voxels, changed.stack.voxels)
        seen.append(sparse)
    for sparse in seen:
        np.testing.assert_array_equal(sparse.voxels, case.stack.voxels[:, ::2])
        assert sparse.positions.tolist() == [0, 10, 20, 30]


@pytest.mark.parametrize(("distance", "thickness"), [(5, 5), (10, 8)])
def test_a_slice_as_thick_as_those_that_are_asked_for_leaves_nothing_to_explain(
    distance: float, thickness: float
) -> None:
    case = make_case(distance=distance)
    sparse = case.sparse()
    assert sparse.thickness == thickness
    plain, consistent = (make_method(name)(sparse, case.plan(sparse))[0] for name in ("linear", "linear:consistent=1"))
    np.testing.assert_allclose(consistent, plain, atol=0.01)


def test_the_plan_puts_a_slice_at_each_original_position() -> None:
    case = make_case(8, distance=9.7)
    np.testing.assert_allclose(case.plan(case.sparse()).positions, 9.7 * np.arange(7))


def test_slices_that_are_not_half_way_are_refused() -> None:
    case = make_case(5)
    uneven = SliceStack(case.stack.voxels, case.stack.frame, np.array([0, 4, 10, 15, 20.0]))
    case = Case("patient000", "ED", uneven, case.labels)
    with pytest.raises(UnusableInput, match="patient000 ED"):
        case.plan(case.sparse())


def test_the_region_is_the_box_of_the_labels_and_8_pixels_cut_at_the_border() -> None:
    case = make_case(3)
    case.labels[1] = 0
    case.labels[1, 12, 10] = case.labels[1, 15, 30] = 1
    assert case.region(1) == (slice(4, 24), slice(2, 36))


def test_one_is_the_995th_percentile_of_the_original_volume() -> None:
    voxels = np.arange(2000, dtype=np.float32).reshape(5, 20, 20)
    case = Case("somebody", "ED", SliceStack.from_affine(voxels, np.eye(4)), np.ones(voxels.shape))
    top = 1999 * 0.995
    assert case.intensity == pytest.approx(top)
    np.testing.assert_allclose(case.scaled(np.array([-50, 0, top / 2, 5000])), [0, 0, 0.5, 1], atol=1e-6)


def test_depth_runs_from_base_to_apex_in_either_storage_order() -> None:
    case = make_case(7)
    assert [case.depth(k) for k in (0, 1, 5)] == [0, pytest.approx(0.2), 1]
    other = Case(case.patient, case.phase, case.stack.reversed(), case.labels[::-1])
    assert [other.depth(k) for k in (6, 5, 1)] == [0, pytest.approx(0.2), 1]


@pytest.mark.parametrize(("distance", "subset"), [(5, "primary"), (6, "stress"), (10, "stress")])
def test_the_set_follows_from_the_slice_distance(distance: float, subset: str) -> None:
    assert make_case(distance=distance).subset == subset


def test_linear_is_perfect_on_a_ramp_and_the_scored_slice_is_the_held_out_one() -> None:
    labels = np.zeros((5, *SHAPE), np.uint8)
    labels[:, 15:25, 12:24] = 1
    ramp = np.random.default_rng(0).uniform(100, 200, SHAPE) + np.arange(5)[:, None, None] * 20
    case = Case("somebody", "ES", SliceStack.from_affine(ramp, np.diag([1, 1, 5, 1])), labels)
    slices, _ = score(case, "linear", make_method("linear"))
    assert [s.k for s in slices] == [1, 3]
    for s in slices:
        assert s.image.shape == (26, 28)
        np.testing.assert_allclose(s.image, s.neighbour(0), atol=1e-6)
        assert s.scores["psnr"] == pytest.approx(100)
        assert s.scores["ssim"] == pytest.approx(1, abs=1e-5)


def keeps_lower(stack: SliceStack, plan: DensePlan) -> tuple[np.ndarray, np.ndarray]:
    """A method with an uncertainty: the lower slice, and how far it is from the upper one."""
    lower, _ = make_method("nearest")(stack, plan)
    linear, _ = make_method("linear")(stack, plan)
    return lower, np.abs(linear - lower)


def test_an_uncertainty_is_scored_too() -> None:
    slices, _ = score(make_case(), "lower", keeps_lower)
    for s in slices:
        assert s.uncertainty is not None
        assert s.uncertainty.shape == s.image.shape
        assert s.scores["error_correlation"] > 0.2
        assert 0.05 < s.scores["top_error_share"] < 1


def test_what_is_not_a_dense_stack_is_not_scored() -> None:
    case = make_case()
    with pytest.raises(ValueError, match="shape"):
        score(case, "short", lambda stack, plan: (stack.voxels, None))
    with pytest.raises(ValueError, match="not finite"):
        score(case, "nan", lambda stack, plan: (np.full((1, 7, *SHAPE), np.nan), None))


def test_differences_are_paired_with_linear() -> None:
    cases = [make_case(seed=n, patient=f"p{n}") for n in range(3)] + [make_case(distance=10, patient="far")]
    scored = [s for case in cases for name in ("linear", "nearest") for s in score(case, name, make_method(name))[0]]
    summary = summarise(scored)
    assert summary["primary"]["patients"] == ["p0", "p1", "p2"]
    assert (summary["primary"]["slices"], summary["stress"]["slices"]) == (9, 3)
    linear, nearest = (summary["primary"]["methods"][name] for name in ("linear", "nearest"))
    assert "difference" not in linear["psnr"]
    difference = nearest["psnr"]["difference"]
    assert difference["mean"] == pytest.approx(nearest["psnr"]["mean"] - linear["psnr"]["mean"])
    assert difference["low"] <= difference["mean"] <= difference["high"] < 0
    sharpness = [s.scores["sharpness"] for s in scored if s.method == "linear" and s.case.subset == "primary"]
    assert linear["sharpness"]["mean"] == pytest.approx(np.prod(sharpness) ** (1 / 9))
    assert set(linear["thirds"]) == {"base", "mid", "apex"}


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """The first two validation patients, made up: one with 5 mm and one with 10 mm between its slices."""
    index = {}
    for number, patient in enumerate(split_patients("validation")[:2]):
        folder = tmp_path / "data" / "ed_es" / patient
        folder.mkdir(parents=True)
        for frame in (1, 12):
            case = make_case(8, distance=(5.0, 10.0)[number], seed=frame)
            write_stack(case.stack, folder / f"{patient}_frame{frame:02d}.nii.gz")
            labels = SliceStack.from_affine(case.labels, case.stack.affine)
            write_stack(labels, folder / f"{patient}_frame{frame:02d}_gt.nii.gz")
        index[patient] = {"ED": 1, "ES": 12}
    (tmp_path / "data" / "index.json").write_text(json.dumps(index))
    return tmp_path / "data"


def test_missing_patients_are_named_before_any_work(cohort: Path) -> None:
    first, second, third = split_patients("validation")[:3]
    next((cohort / "ed_es" / second).glob("*_gt.nii.gz")).unlink()
    with pytest.raises(UnusableInput, match=f"2 of 3 patients: {second}, {third}"):
        load_cases(cohort, [first, second, third])
    with pytest.raises(UnusableInput, match=r"index\.json"):
        load_cases(cohort / "ed_es", [first])


def test_evaluate_writes_table_summary_and_figures(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = evaluate(cohort, ["cubic", "nearest"], tmp_path / "report.json", limit=2)
    assert json.loads((tmp_path / "report.json").read_text()) == summary
    assert list(summary["sets"]["primary"]["methods"]) == ["linear", "cubic", "nearest", "real"]
    with (tmp_path / "report.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 3 * 4  # patients, phases, held-out slices, methods and the real slices
    assert {(row["set"], row["phase"], row["slice"]) for row in rows} == {
        (subset, phase, k) for subset in ("primary", "stress") for phase in ("ED", "ES") for k in "135"
    }
    psnr = [float(row["psnr"]) for row in rows if row["method"] == "cubic" and row["set"] == "stress"]
    assert np.mean(psnr) == pytest.approx(summary["sets"]["stress"]["methods"]["cubic"]["psnr"]["mean"], abs=1e-4)
    figures = {path.name for path in (tmp_path / "report_figures").iterdir()}
    for_each_set = {f"{kind}_{subset}.png" for kind in ("examples", "reformats") for subset in ("primary", "stress")}
    assert figures == for_each_set | {"along_the_heart.png"}
    printed = capsys.readouterr().out
    assert "1 patients, 6 slices" in printed
    assert f"{np.mean(psnr):.2f} " in printed


def test_without_a_segmenter_the_anatomy_is_left_out(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "manifest.json").write_text('{"models": []}')
    monkeypatch.setenv("CALID_MODELS", str(tmp_path / "models"))
    summary = evaluate(cohort, ["nearest"], tmp_path / "report.json", limit=1, figures=False)
    assert list(summary["sets"]["primary"]["methods"]) == ["linear", "nearest"]
    assert summary["segmenter"] is None
    assert "dice" not in (tmp_path / "report.csv").read_text() + capsys.readouterr().out


@pytest.mark.parametrize("every", [2, 3])
def test_anatomy_is_scored_on_synthesised_and_on_real_slices(
    tmp_path: Path, every: int, capsys: pytest.CaptureFixture[str]
) -> None:
    phantom = Phantom(slices=7, gap=10.0, matrix=(110, 100), pixel=2.0)
    case = Case("somebody", "ED", phantom.sparse, phantom.sparse_labels[0], every)
    segmenter = load_segmenter()
    scored = [s for n in ("linear", "nearest") for s in score(case, n, make_method(n), segmenter)[0]]
    scored += score_real(case, segmenter)
    methods = summarise(scored)["stress"]["methods"]
    assert list(methods) == ["linear", "nearest", "real"]
    real, nearest = methods["real"], methods["nearest"]
    assert "psnr" not in real
    assert real["feature_distance"]["mean"] == 0
    assert 0 < methods["linear"]["feature_distance"]["mean"] < 2
    own = [s for s in scored if s.method == "nearest"]
    truth, found = case.labels[case.scored] == LEFT_VENTRICLE, np.stack([s.labels for s in own]) == LEFT_VENTRICLE
    volume = 2 * (truth & found).sum() / (truth.sum() + found.sum())
    assert nearest["dice_lv"]["mean"] == pytest.approx(volume)
    parts = [nearest[name]["mean"] for name in ("dice_lv", "dice_myo", "dice_rv")]
    assert nearest["dice"]["mean"] == pytest.approx(np.mean(parts))
    difference = nearest["dice_lv"]["difference"]["mean"]
    assert difference == pytest.approx(volume - methods["linear"]["dice_lv"]["mean"])

    write_slices(scored, tmp_path / "report.csv")
    with (tmp_path / "report.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[-1]["method"] == "real"
    assert rows[-1]["psnr"] == ""
    defined = [float(row["hd95_lv"]) for row in rows if row["method"] == "nearest" and row["hd95_lv"]]
    assert nearest["hd95_lv"]["mean"] == pytest.approx(np.mean(defined), abs=1e-4)
    table = format_table(summarise(scored), {"linear": 1.0, "nearest": 2.0})
    assert table.count("real") == 2  # not among the image metrics
    assert f"{volume:.3f} " in table


def test_evaluate_refuses_a_report_that_cannot_be_written_first(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="nowhere"):
        evaluate(tmp_path, ["linear"], tmp_path / "nowhere" / "report.json")


def test_a_method_with_uncertainty_gets_its_figure(tmp_path: Path) -> None:
    case, methods = make_case(), {"linear": make_method("linear"), "lower": keeps_lower}
    draw_figures([s for name, method in methods.items() for s in score(case, name, method)[0]], tmp_path)
    assert (tmp_path / "uncertainty.png").stat().st_size > 5000
