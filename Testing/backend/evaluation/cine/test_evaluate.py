"""The held-out-slice protocol on small made-up cines."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from calid.baselines.methods import make_method
from calid.cli import main
from calid.cohorts.acdc import split_patients
from calid.errors import UnusableInput
from calid.evaluation.cine.cases import CineCase, EndPhase, load_cines
from calid.evaluation.cine.evaluate import evaluate_cine, score_cines
from calid.evaluation.cine.report import summarise_cines
from calid.evaluation.cine.scoring import ScoredCine
from calid.files.writing import write_stack
from calid.options import Options
from calid.phantom.beating_heart import Phantom
from calid.reconstruction.reconstruct import DenseResult
from calid.segmentation.segmenter import load_segmenter
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack

PHASES, SHAPE = 14, (40, 36)
ED, ES = 0, 5


def beating(slices: int = 7, distance: float = 10.0, seed: int = 0) -> tuple[SliceStack, np.ndarray]:
    """A disc that shrinks and grows in noise, and its labels (phases, slices, rows, columns); nothing in the last."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    radius = np.linspace(9, 5, slices)[None, :] + 2 * np.cos(2 * np.pi * np.arange(PHASES) / PHASES)[:, None]
    labels = (np.hypot(rows - 20, columns - 18) < radius[:, :, None, None]).astype(np.uint8) * 3
    labels[:, -1] = 0
    voxels = (60 + 40.0 * labels + rng.normal(0, 5, labels.shape)).round().astype(np.uint8)
    return SliceStack.from_affine(voxels, np.diag([1.5, 1.5, distance, 1])), labels


def make_case(slices: int = 7, distance: float = 10.0, seed: int = 0, patient: str = "somebody") -> CineCase:
    stack, labels = beating(slices, distance, seed)
    ends = {"ED": EndPhase(ED, labels[ED]), "ES": EndPhase(ES, labels[ES])}
    return CineCase(patient, "cine", stack, labels[[ED, ES]].max(axis=0), ends=ends)


def knows(case: CineCase, change: int = 0) -> object:
    """A method that has seen the held-out slices, of ``change`` phases earlier."""

    def method(sparse: SliceStack, plan: DensePlan) -> tuple[np.ndarray, None]:
        return np.roll(case.stack.voxels[:, : len(plan.positions)], change, axis=0), None

    return method


def score_one(case: CineCase, **methods: object) -> dict[str, ScoredCine]:
    return {s.method: s for s in score_cines([case], methods, None)}


def test_one_who_knows_the_truth_is_perfect() -> None:
    case = make_case()
    perfect = score_one(case, perfect=knows(case))["perfect"]
    assert case.scored == [1, 3, 5]
    assert len(perfect.slices) == 3
    for scores in perfect.slices:
        assert scores["psnr"] == scores["difference_psnr"] == pytest.approx(100)
        assert [scores[name] for name in ("ssim", "haarpsi", "sharpness", "flicker")] == pytest.approx([1] * 4)


def test_truth_at_the_wrong_time_has_the_right_flicker_and_the_wrong_motion() -> None:
    case = make_case()
    scored = score_one(case, perfect=knows(case), late=knows(case, 3))
    for late in scored["late"].slices:
        assert late["flicker"] == pytest.approx(1)
        assert late["psnr"] < 30
        assert late["difference_psnr"] < 30


def test_the_region_holds_the_heart_of_both_end_phases() -> None:
    case = make_case()
    case.ends["ES"].labels[:] = 0
    assert case.region(1) == tuple(
        slice(max(0, int(np.flatnonzero(line)[0]) - 8), min(len(line), int(np.flatnonzero(line)[-1]) + 9))
        for line in (case.ends["ED"].labels[1].any(axis=1), case.ends["ED"].labels[1].any(axis=0))
    )
    assert score_one(case, linear=make_method("linear"))["linear"].region(0).shape[0] == PHASES


def test_a_method_gets_every_phase_of_the_kept_slices_and_no_held_out_one() -> None:
    case, seen = make_case(8), []

    def linear(sparse: SliceStack, plan: DensePlan) -> tuple[np.ndarray, None]:
        seen.append(sparse.voxels)
        return make_method("linear")(sparse, plan)

    score_one(case, linear=linear)
    np.testing.assert_array_equal(seen[0], case.stack.voxels[:, ::2])


def test_what_does_not_have_all_phases_is_not_scored() -> None:
    with pytest.raises(ValueError, match="shape"):
        score_one(make_case(), first=lambda stack, plan: make_method("linear")(stack.phase(0), plan))


def test_the_model_is_asked_for_the_held_out_slices_with_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def fake(stack: SliceStack, spacing: float, options: Options) -> DenseResult:
        asked.update(asdict(options), spacing=spacing, phases=len(stack.voxels))
        dense = np.repeat(stack.voxels, 2, axis=1)[:, :-1]
        positions = np.arange(dense.shape[1]) * spacing
        return DenseResult(SliceStack(dense, stack.frame, positions), None, np.zeros(len(positions), bool), {})

    monkeypatch.setattr(import_module("calid.reconstruction.reconstruct"), "reconstruct", fake)
    score_one(make_case(), model=make_method("calid:detail=0.25,samples=4"))
    wanted = {"detail": 0.25, "samples": 4, "spacing": 10, "phases": PHASES, "uncertainty": True}
    assert wanted.items() <= asked.items()


def test_differences_are_paired_with_the_reference_by_set_and_overall() -> None:
    cases = [make_case(seed=n, patient=f"p{n}") for n in range(3)] + [make_case(distance=5, patient="near")]
    scored = score_cines(cases, {name: make_method(name) for name in ("nearest", "linear")}, None)
    summary = summarise_cines(scored, "nearest")
    assert list(summary) == ["primary", "stress", "overall"]
    assert [part["slices"] for part in summary.values()] == [3, 9, 12]
    assert summary["stress"]["phases"] == 3 * PHASES
    nearest, linear = (summary["stress"]["methods"][name] for name in ("nearest", "linear"))
    assert "difference" not in nearest["psnr"]
    assert "difference" not in linear["flicker"]
    difference = linear["psnr"]["difference"]
    assert difference["mean"] == pytest.approx(linear["psnr"]["mean"] - nearest["psnr"]["mean"])
    assert 0 < difference["low"] <= difference["mean"] <= difference["high"]
    ratios = [scores["flicker"] for s in scored if s.method == "linear" for scores in s.slices]
    assert summary["overall"]["methods"]["linear"]["flicker"]["mean"] == pytest.approx(np.prod(ratios) ** (1 / 12))


def test_noise_that_is_averaged_flickers_less() -> None:
    scored = score_one(make_case(), linear=make_method("linear"), nearest=make_method("nearest"))
    assert np.mean([scores["flicker"] for scores in scored["linear"].slices]) < 0.75
    assert np.mean([scores["flicker"] for scores in scored["nearest"].slices]) == pytest.approx(1, abs=0.3)


def test_volume_and_overlap_are_those_that_the_network_sees() -> None:
    phantom = Phantom(slices=7, gap=10.0, matrix=(110, 100), pixel=2.0, phases=4)
    labels = phantom.sparse_labels
    ends = {"ED": EndPhase(0, labels[0]), "ES": EndPhase(2, labels[2])}
    case = CineCase("somebody", "cine", phantom.sparse, labels[[0, 2]].max(axis=0), ends=ends)
    methods = {"linear": make_method("linear"), "perfect": knows(case)}
    real, linear, perfect = score_cines([case], methods, load_segmenter())
    assert real.volumes is not None
    assert real.volumes[0] > real.volumes[2] > 0
    np.testing.assert_array_equal(perfect.volumes, real.volumes)
    assert perfect.scores == real.scores
    assert perfect.scores["volume_correlation"] == pytest.approx(1)
    assert perfect.scores["ejection_bias"] == 0
    assert 0.5 < linear.scores["dice_lv_ed"] <= 1
    assert linear.scores["volume_error"] > 0
    assert set(summarise_cines([real, linear], "linear")["stress"]["methods"]["real"]) == set(real.scores)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """The first three validation patients, made up: the second has no cine, the third 5 mm between its slices."""
    index = {}
    for patient, distance in zip(split_patients("validation"), (10.0, None, 5.0), strict=False):
        stack, labels = beating(9, distance or 10.0)
        folder = tmp_path / "data" / "ed_es" / patient
        folder.mkdir(parents=True)
        for frame in (ED + 1, ES + 1):
            full = SliceStack.from_affine(labels[frame - 1], stack.affine)
            write_stack(full, folder / f"{patient}_frame{frame:02d}_gt.nii.gz")
        index[patient] = {"ED": ED + 1, "ES": ES + 1, "cine": distance is not None}
        if distance:
            (tmp_path / "data" / "cine").mkdir(exist_ok=True)
            crop = SliceStack.from_affine(stack.voxels[:, 1:8, 2:38, 3:35], stack.affine)
            write_stack(crop, tmp_path / "data" / "cine" / f"{patient}_4d.nii.gz")
            index[patient]["cine_offset_xyz"] = [3, 2, 1]
    (tmp_path / "data" / "index.json").write_text(json.dumps(index))
    return tmp_path / "data"


def edit_index(data: Path, patient: str, **changes: object) -> None:
    index = json.loads((data / "index.json").read_text())
    index[patient] |= changes
    (data / "index.json").write_text(json.dumps(index))


def test_labels_of_the_whole_stack_are_cut_to_the_pixels_of_the_cine(cohort: Path) -> None:
    first, third = load_cines(cohort, split_patients("validation")[:3])
    _, labels = beating(9)
    assert (first.subset, third.subset) == ("stress", "primary")
    assert first.stack.voxels.shape == (PHASES, 7, 36, 32)
    assert (first.ends["ED"].index, first.ends["ES"].index) == (ED, ES)
    np.testing.assert_array_equal(first.ends["ES"].labels, labels[ES, 1:8, 2:38, 3:35])
    np.testing.assert_array_equal(first.labels != 0, labels[[ED, ES], 1:8, 2:38, 3:35].any(axis=0))
    assert first.end("ES").stack.voxels.shape == (1, 7, 36, 32)


@pytest.mark.parametrize("changes", [{"cine_offset_xyz": [6, 2, 1]}, {"cine_offset_xyz": [3, 2, 4]}])
def test_a_cine_that_reaches_out_of_its_stack_is_refused(cohort: Path, changes: dict) -> None:
    first = split_patients("validation")[0]
    edit_index(cohort, first, **changes)
    with pytest.raises(UnusableInput, match=f"{first}.*no part"):
        next(load_cines(cohort, [first]))


def test_what_is_missing_is_named_before_any_work(cohort: Path) -> None:
    first, second, third, fourth = split_patients("validation")[:4]
    next((cohort / "ed_es" / third).glob("*_gt.nii.gz")).unlink()
    with pytest.raises(UnusableInput, match=f"{fourth}, {third}"):
        load_cines(cohort, [first, second, third, fourth])
    with pytest.raises(UnusableInput, match=second):
        load_cines(cohort, [second])


def test_evaluate_writes_tables_summary_and_figures(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = evaluate_cine(cohort, ["nearest", "linear"], tmp_path / "report.json", limit=3)
    assert json.loads((tmp_path / "report.json").read_text()) == summary
    assert list(summary["sets"]["primary"]["methods"]) == ["real", "nearest", "linear"]
    with (tmp_path / "report.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 3  # patients, methods, held-out slices
    psnr = [float(row["psnr"]) for row in rows if row["method"] == "linear"]
    mean = summary["sets"]["overall"]["methods"]["linear"]["psnr"]["mean"]
    assert np.mean(psnr) == pytest.approx(mean, abs=1e-4)
    with (tmp_path / "report_volumes.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2 * 3 * PHASES
    figures = {path.name: path.stat().st_size for path in (tmp_path / "report_figures").iterdir()}
    assert set(figures) == {"profiles.png", "harmonics.png", "volumes.png"}
    assert min(figures.values()) > 5000
    assert f"{mean:.2f} " in capsys.readouterr().out


def test_two_jobs_find_what_one_finds_and_no_network_is_needed(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "manifest.json").write_text('{"models": []}')
    monkeypatch.setenv("CALID_MODELS", str(tmp_path / "models"))
    reports = [
        evaluate_cine(cohort, ["linear"], tmp_path / "report.json", limit=3, jobs=jobs, figures=jobs == 1)
        for jobs in (1, 2)
    ]
    assert reports[0]["segmenter"] is None
    assert not (tmp_path / "report_figures" / "volumes.png").exists()
    first, second = (report["sets"]["overall"]["methods"] for report in reports)
    assert first == second
    assert "real" not in first


def test_a_report_that_cannot_be_written_and_a_wrong_method_are_refused_first(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="nowhere"):
        evaluate_cine(tmp_path, ["linear"], tmp_path / "nowhere" / "report.json")
    with pytest.raises(UnusableInput, match="wrong"):
        evaluate_cine(tmp_path, ["wrong"], tmp_path / "report.json")
    with pytest.raises(UnusableInput, match="jobs is 0"):
        evaluate_cine(tmp_path, ["linear"], tmp_path / "report.json", jobs=0)


def test_the_command_line_passes_everything_on(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--out", str(tmp_path / "report.json"), "--limit", "1", "--jobs", "1", "--split", "validation"]
    assert main(["evaluate-cine", str(cohort), "--methods", "cubic", "nearest", *options]) == 0
    summary = json.loads((tmp_path / "report.json").read_text())
    assert summary["sets"]["overall"]["patients"] == split_patients("validation")[:1]
    assert "difference" in summary["sets"]["overall"]["methods"]["nearest"]["psnr"]
    assert "1 patients, 3 slices, 14 phases" in capsys.readouterr().out
