"""Predicted deviations against errors: from one voxel to the report and its figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calid.evaluation.dense.acquisition import Setting
from calid.evaluation.dense.cases import DenseCase
from calid.evaluation.dense.figures import draw_figures
from calid.evaluation.dense.reliability import DEVIATIONS, coverage, expected_coverage
from calid.evaluation.dense.report import summarise
from calid.evaluation.dense.scoring import ScoredHeart, fill, score

SD = 0.05


@pytest.fixture
def case() -> DenseCase:
    rows, columns = np.mgrid[:60, :56]
    radius = np.hypot(rows - 30, columns - 28)
    volume = (150 + 80 * np.cos(radius / 4 + np.arange(17)[:, None, None] / 5)).astype(np.float32)
    volume[:, :, 0] = 300  # what counts as 1, outside of what is scored: nothing there is clipped
    return DenseCase("007", Setting.parse("10/8"), volume, np.diag([2.5, 2.5, 1, 1]), 2.5)


def scored(case: DenseCase, told: float | None) -> ScoredHeart:
    """The truth with errors of a Laplace distribution, and what is said of their size."""
    errors = np.random.default_rng(3).laplace(0, SD / np.sqrt(2), case.volume.shape) * case.one

    def method(stack, plan):
        deviation = None if told is None else np.full_like(case.volume, told * case.one)[None]
        return (case.volume + errors)[None], deviation

    return score(case, "made", fill(case, "made", method), case.scaled(case.volume))


def test_an_error_is_within_its_deviation_or_not() -> None:
    shares = coverage(np.array([0.0, 0.4, -0.9, 1.2]), np.array([1.0, 1.0, 1.0, 0.0]))
    assert dict(zip(DEVIATIONS, shares, strict=True)) == {0.5: 0.5, 1.0: 0.75, 1.5: 0.75, 2.0: 0.75, 3.0: 0.75}


def test_deviations_that_are_right_cover_what_they_should(case: DenseCase) -> None:
    np.testing.assert_allclose(scored(case, SD).coverage, expected_coverage(), atol=0.02)
    assert (scored(case, SD / 2).coverage < expected_coverage() - 0.05).all()


def test_the_report_tells_it_of_methods_that_predict(case: DenseCase, tmp_path: Path) -> None:
    told, untold = scored(case, SD), scored(case, None)
    reference = score(case, "linear", fill(case, "linear", lambda stack, plan: (case.volume[None], None)), case.volume)
    summary = summarise([reference, told])["10/8"]["methods"]
    assert summary["made"]["within"]["1.0"] == pytest.approx(1 - np.exp(-np.sqrt(2)), abs=0.02)
    assert "within" not in summary["linear"]
    draw_figures([reference, untold], tmp_path)
    assert not (tmp_path / "reliability.png").exists()
    draw_figures([reference, told], tmp_path)
    assert (tmp_path / "reliability.png").stat().st_size > 1000
