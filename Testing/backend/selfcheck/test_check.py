"""The self-check: what is hidden, how it is scored, what is said. Nothing here depends on how good the weights are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import structural_similarity

import calid
from calid import cli
from calid.errors import ExitCode, UnusableInput
from calid.files.writing import write_stack
from calid.model.weights import find_models
from calid.phantom.beating_heart import make_phantom
from calid.protocol import Progress
from calid.selfcheck import check as selfcheck
from calid.selfcheck.check import self_check
from calid.selfcheck.result import HiddenSlice, SelfCheck
from calid.selfcheck.similarity import psnr, ssim
from calid.stacks.stack import SliceStack

WHOLE = (slice(None), slice(None))


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """The bundled weights, set to the quickest sampling."""
    folder = shutil.copytree(find_models(), tmp_path_factory.mktemp("weights") / "Models")
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["models"]:
        entry["defaults"] = {"samples": 1, "steps": 1, "detail": 0.0}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def sparse() -> SliceStack:
    return make_phantom(slices=5, gap=8.0, matrix=(72, 64), pixel=2.2, seed=1).sparse


@pytest.fixture(scope="module")
def result(sparse, models) -> SelfCheck:
    return self_check(sparse, device="cpu", models=models)


@pytest.mark.parametrize("region", [WHOLE, (slice(3, 20), slice(0, 11)), (slice(20, 21), slice(30, 37))])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.5])
def test_ssim_is_that_of_scikit_image(region, noise):
    rng = np.random.default_rng(5)
    truth = np.clip(rng.normal(0.4, 0.3, (2, 31, 37)), 0, 1).astype(np.float32)
    estimate = np.clip(truth + noise * rng.normal(size=truth.shape), 0, 1).astype(np.float32)
    options = {"data_range": 1.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    expected = [structural_similarity(a, b, **options)[1][region].mean() for a, b in zip(truth, estimate, strict=True)]
    np.testing.assert_allclose(ssim(truth, estimate, region), expected, atol=1e-5)


def test_psnr_of_an_error_of_a_tenth_is_20_db_and_only_the_region_counts():
    truth = np.zeros((2, 10, 10))
    wrong = truth + 0.1
    wrong[:, 5:] = 1
    np.testing.assert_allclose(psnr(truth, wrong, (slice(0, 5), slice(2, 8))), [20, 20])
    np.testing.assert_allclose(psnr(truth, truth, WHOLE), [100, 100])


def test_every_inner_slice_is_scored_beside_linear_in_the_central_half(sparse, result):
    assert [s.index for s in result.slices] == [1, 2, 3]
    assert result.region == (slice(18, 54), slice(16, 48))
    assert result.predicted.shape == (1, 3, 72, 64)
    assert result.predicted.dtype == sparse.voxels.dtype
    voxels = sparse.voxels[0].astype(float)
    bright = np.percentile(voxels, 99.5)
    for s, made in zip(result.slices, result.predicted[0], strict=True):
        assert s.gap == pytest.approx(16)
        linear = (voxels[s.index - 1] + voxels[s.index + 1]) / 2
        real, model, plain = (np.clip(v / bright, 0, 1)[result.region] for v in (voxels[s.index], made, linear))
        assert s.psnr == pytest.approx(-10 * np.log10(np.mean((real - model) ** 2)), abs=1e-3)
        assert s.linear_psnr == pytest.approx(-10 * np.log10(np.mean((real - plain) ** 2)), abs=1e-3)


def test_a_hidden_slice_has_no_part_in_its_own_prediction(sparse, result, models):
    voxels = sparse.voxels.copy()
    voxels[:, 2] = 30_000 - 9 * voxels[:, 2]
    other = self_check(replace(sparse, voxels=voxels), device="cpu", models=models)
    np.testing.assert_array_equal(other.predicted[:, 1], result.predicted[:, 1])
    assert (other.predicted[:, 0] != result.predicted[:, 0]).any()


def test_a_prediction_is_what_reconstruct_makes_of_the_stack_without_the_slice(sparse, models):
    two = SliceStack(sparse.voxels[:, [0, 2]], sparse.frame, sparse.positions[[0, 2]])
    three = SliceStack(sparse.voxels[:, :3], sparse.frame, sparse.positions[:3])
    dense = calid.reconstruct(two, 8.0, device="cpu", seed=3, models=models)
    check = self_check(three, device="cpu", seed=3, models=models)
    np.testing.assert_array_equal(check.predicted[:, 0], dense.stack.voxels[:, 1])
    assert check.provenance.items() <= dense.provenance.items()


def test_unequal_gaps_are_bridged_each_at_its_own_position(models):
    ramp = np.random.default_rng(2).uniform(100, 200, (2, 1, 40, 40)).astype(np.float32)
    positions = np.array([0.0, 6.0, 16.0, 24.0])
    stack = SliceStack(ramp * (1 + positions / 40)[:, None, None], np.diag([2.0, 2.0, 1.0, 1.0]), positions)
    check = self_check(stack, device="cpu", models=models)
    assert [s.gap for s in check.slices] == [16, 18]
    # Intensities follow the position in mm, so linear interpolation is perfect and no model is better: no error.
    assert all(s.linear_psnr > 90 for s in check.slices)
    assert "on 0 of 2 slices, and is" in check.verdict
    assert "dB worse on average" in check.verdict


def test_phases_are_checked_together_and_averaged(models):
    cine = make_phantom(phases=2, slices=3, gap=8.0, matrix=(64, 64), pixel=2.4).sparse
    check = self_check(cine, device="cpu", models=models)
    bright = np.percentile(cine.voxels, 99.5)
    real, made = (np.clip(v / bright, 0, 1)[:, 16:48, 16:48] for v in (cine.voxels[:, 1], check.predicted[:, 0]))
    decibels = -10 * np.log10(np.mean((real - made) ** 2, axis=(1, 2)))
    assert decibels[0] != decibels[1]
    assert check.slices[0].psnr == pytest.approx(decibels.mean())


def test_weights_are_loaded_once_and_progress_is_that_of_the_whole(sparse, models, monkeypatch):
    loaded, events, load = [], [], selfcheck.load_model
    monkeypatch.setattr(selfcheck, "load_model", lambda *args: loaded.append(args) or load(*args))
    self_check(sparse, device="cpu", models=models, progress=events.append)
    assert len(loaded) == 1
    fractions = [e.fraction for e in events if isinstance(e, Progress)]
    assert fractions == sorted(set(fractions))
    assert fractions[-1] == pytest.approx(1)
    assert len(fractions) >= 3  # at least one for each hidden slice


def found(*pairs: tuple[float, float]) -> SelfCheck:
    slices = tuple(HiddenSlice(k, 16.0, made, 0.8, linear, 0.7) for k, (made, linear) in enumerate(pairs, start=1))
    return SelfCheck(slices, np.zeros((1, len(pairs), 8, 8)), WHOLE, 8.0, {"model": "m"})


@pytest.mark.parametrize(
    ("pairs", "verdict"),
    [
        ([(25, 23), (20, 19), (24, 24)], "on 2 of 3 slices, by 1.0 dB on average; worst at slice 3"),
        ([(20, 22)], "on 0 of 1 slice, and is 2.0 dB worse on average; worst at slice 2"),
    ],
)
def test_the_verdict_is_plain(pairs, verdict):
    check = found(*pairs)
    assert check.verdict == f"predicts this patient's hidden slices better than linear interpolation {verdict}"
    assert "Pessimistic: a hidden slice leaves a gap of 16 mm, a reconstruction fills gaps of 8 mm" in check.note
    assert check.verdict in check.to_text()


def test_two_slices_are_too_few_and_no_model_is_needed_to_say_so(sparse, tmp_path):
    stack = SliceStack(sparse.voxels[:, :2], sparse.frame, sparse.positions[:2])
    with pytest.raises(UnusableInput, match="2 slices") as caught:
        self_check(stack, models=tmp_path / "nothing")
    assert "at least 3 slices" in caught.value.remedy


def test_a_stack_that_is_nowhere_bright_is_refused(sparse, tmp_path):
    with pytest.raises(UnusableInput, match="not above 0"):
        self_check(replace(sparse, voxels=sparse.voxels - sparse.voxels.max()), models=tmp_path / "nothing")


def test_command_line(sparse, result, models, tmp_path, capsys):
    write_stack(sparse, tmp_path / "sparse.nrrd")
    out = tmp_path / "check.json"
    options = ["--device", "cpu", "--phase", "1", "--models", str(models), "--out", str(out)]
    assert cli.main(["self-check", str(tmp_path / "sparse.nrrd"), *options]) == ExitCode.DONE
    written = json.loads(out.read_text())
    assert [s["psnr"] for s in written["slices"]] == pytest.approx([s.psnr for s in result.slices])
    assert written["region"] == {"rows": [18, 54], "columns": [16, 48]}
    assert written["verdict"] == result.verdict
    said = capsys.readouterr()
    assert result.to_text() in said.out
    assert "100%" in said.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "report.txt"], "report.txt cannot be written"),
        (["--out", "no/report.json"], "report.json cannot be written"),
        (["--phase", "2"], "two.nrrd: there is no phase 2"),
        ([], "two.nrrd: there are 2 slices"),
    ],
)
def test_command_line_says_what_is_wrong_before_the_model_is_loaded(
    sparse, tmp_path, capsys, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    write_stack(SliceStack(sparse.voxels[:, :2], sparse.frame, sparse.positions[:2]), "two.nrrd")
    code = cli.main(["self-check", "two.nrrd", "--models", "nothing", *options])
    assert code == ExitCode.UNUSABLE_INPUT
    assert message in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["two.nrrd"]


def test_neither_scipy_nor_scikit_image_is_needed(child_environment):
    code = "import sys; sys.modules['scipy'] = sys.modules['skimage'] = None; import calid.selfcheck.check"
    finished = subprocess.run([sys.executable, "-c", code], env=child_environment, capture_output=True, check=False)
    assert finished.returncode == 0, finished.stderr.decode()
