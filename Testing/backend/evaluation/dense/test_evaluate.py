"""Dense truth from a folder of hearts to table, report and figures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from calid import cli
from calid.errors import ExitCode, UnusableInput
from calid.evaluation.dense.acquisition import Setting, acquire
from calid.evaluation.dense.cases import load_cases
from calid.evaluation.dense.disturbance import disturb
from calid.evaluation.dense.evaluate import evaluate_dense
from calid.files.writing import write_stack
from calid.stacks.stack import SliceStack


@pytest.fixture
def hearts(tmp_path: Path) -> Path:
    """Two made-up hearts, 19 layers of 2.5 mm, 60 x 56 pixels of 2.5 mm."""
    folder = tmp_path / "hearts"
    folder.mkdir()
    rows, columns = np.mgrid[:60, :56]
    z = np.arange(19)[:, None, None]
    for number in (3, 12):
        radius = np.hypot(rows - 30, columns - 28 - 2 * np.sin(z / number))
        voxels = (120 + 80 * np.cos(radius / 4 + z / 5)).astype(np.uint8)
        stack = SliceStack.from_affine(voxels, np.diag([2.5, 2.5, 2.5, 1]))
        write_stack(stack, folder / f"heart{number:03d}_sax.nii.gz")
    return folder


@pytest.mark.parametrize("text", ["10", "10/", "a/b", "0/8", "10/-8", "10/8/2", "nan/8"])
def test_what_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(UnusableInput, match="no setting"):
        Setting.parse(text)


@pytest.mark.parametrize("text", ["10/8", "10/8+", "7.5/6"])
def test_a_setting_says_what_it_was_read_from(text: str) -> None:
    assert str(Setting.parse(text)) == text


def test_an_acquired_slice_is_a_mean_with_fractional_ends() -> None:
    ramp = np.arange(9.0)[:, None, None] ** 2 * np.ones((9, 2, 2))
    assert acquire(ramp, [4], 2.0)[0, 0, 0] == pytest.approx((9 / 2 + 16 + 25 / 2) / 2)
    assert acquire(ramp, [0], 3.0)[0, 0, 0] == pytest.approx((0 * 1 + 1 * 1) / 2)
    assert acquire(ramp, [4], 0.1)[0, 0, 0] == pytest.approx(16)


def test_the_first_slice_stays_where_it_is_and_all_are_noisy() -> None:
    image = np.add.outer(np.arange(40.0), 3 * np.arange(40.0)) * 10 + 100
    stack = np.repeat(image[None], 6, axis=0)
    disturbed = disturb(stack, 1000.0, 1.25, seed=5)
    inner = (slice(8, -8), slice(8, -8))
    moved = [np.abs((slices - image)[inner].mean()) for slices in disturbed]
    assert moved[0] < 3
    assert sum(distance > 3 for distance in moved[1:]) >= 4
    assert (disturbed - stack)[0][inner].std() == pytest.approx(20, rel=0.2)
    np.testing.assert_array_equal(disturb(stack, 1000.0, 1.25, seed=5), disturbed)


def test_a_method_gets_what_a_scanner_gives_and_nothing_between(hearts: Path) -> None:
    (case,) = load_cases(hearts, [Setting.parse("10/8")], ["012"])
    assert case.kept == [0, 4, 8, 12, 16]  # what lies beyond the last slice is left out
    assert len(case.volume) == 17
    assert case.stack.voxels.shape == (1, 5, 60, 56)
    assert case.stack.voxels.dtype == np.int16
    assert case.stack.thickness == 8
    np.testing.assert_allclose(case.plan.positions, np.arange(17) * 2.5)
    middle = (case.volume[3:6].sum(axis=0) + 0.1 * (case.volume[2] + case.volume[6])) / 3.2
    np.testing.assert_allclose(case.stack.voxels[0, 1], middle, atol=1)


def test_hearts_that_are_not_there_are_named(hearts: Path, tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match=r"heart004_sax\.nii\.gz"):
        load_cases(hearts, [Setting.parse("10/8")], ["003", "004"])
    with pytest.raises(UnusableInput, match="heart"):
        load_cases(tmp_path, [Setting.parse("10/8")])
    with pytest.raises(UnusableInput, match="no slices 100 mm apart"):
        next(load_cases(hearts, [Setting.parse("100/8")]))


def test_the_command_writes_report_table_and_figures(hearts: Path, tmp_path: Path, capsys) -> None:
    (case,) = load_cases(hearts, [Setting.parse("10/8")], ["003"])
    write_stack(case.stack, tmp_path / "real.nrrd")
    asked = ["--methods", "cubic", "axial-filter", "linear:consistent=1", "--settings", "10/8", "5/5+"]
    arguments = [str(hearts), "--out", str(tmp_path / "r.json"), *asked, "--real", str(tmp_path / "real.nrrd")]
    assert cli.main(["evaluate-dense", *arguments]) == ExitCode.DONE
    settings = json.loads((tmp_path / "r.json").read_text())["settings"]
    assert list(settings) == ["10/8", "5/5+"]
    methods = settings["10/8"]["methods"]
    assert list(methods) == ["linear", "cubic", "axial-filter", "linear:consistent=1"]
    for name in ("axial-filter", "linear:consistent=1"):
        assert methods[name]["psnr"]["difference"]["low"] > 0
        assert methods[name]["slab"]["difference"]["low"] > 0
    assert methods["linear"]["wins"]["mean"] == 0
    assert list(methods["linear"]["fractions"]) == ["0.250", "0.500", "0.750"]
    with (tmp_path / "r.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["setting"] == "10/8"]
    assert len(rows) == 2 * 4 * 12  # hearts, methods, layers between slices
    psnr = [float(row["psnr"]) for row in rows if row["method"] == "cubic"]
    assert methods["cubic"]["psnr"]["mean"] == pytest.approx(np.mean(psnr), abs=1e-4)
    figures = {path.name for path in (tmp_path / "r_figures").iterdir()}
    assert figures == {"long_axis_10-8.png", "long_axis_5-5+.png", "along_the_gap.png", "along_the_heart.png"} | {
        "real_real.png"
    }
    printed = capsys.readouterr().out
    assert "2 hearts (003 012), 24 slices" in printed
    assert f"{np.mean(psnr):.2f} " in printed


def test_a_method_that_is_not_known_is_refused_before_any_work(hearts: Path, tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="no method 'magic'"):
        evaluate_dense(hearts, ["magic"], tmp_path / "r.json")
