"""The study report says what is there, in words, as JSON and in a picture; and never who the patient is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scanner import save, shoot

from calid.dicom.report import as_json, as_text
from calid.dicom.sheet import draw_sheet, write_sheet
from calid.dicom.study import read_study

INTERVALS = (
    "noted: R-R intervals are 770 to 820 ms; phases are matched as fractions of each slice's own, and times are those "
    "of the median, 800 ms."
)


@pytest.fixture(scope="module")
def studied(heart, long_axis, tmp_path_factory):
    """A study with a missing slice, a long axis and a file that is none, and its stack."""
    folder = tmp_path_factory.mktemp("ROE_RICHARD")
    shots = [shot for shot in shoot(heart, 7, True, SeriesDescription="sax Roe cine") if shot.k != 3]
    save(shots, folder, prefix="Roe")
    save([shot for shot in shoot(long_axis, 50) if shot.k == 0], folder / "lax")
    (folder / "roe.txt").write_text("notes")
    study = read_study(folder)
    return study, study.assemble()


def test_the_text(studied):
    assert as_text(*studied).splitlines() == [
        "49 files, 1 patient",
        "",
        "stack 1: short-axis cine, 5 slices x 8 phases",
        "  56 x 64 pixels of 2.5 mm, slices 10 to 20 mm apart, 6 mm thick",
        "  phases by trigger time; R-R 770 to 820 ms",
        "  series 7, 8, 9, 11 …, sax … cine",
        "",
        "other views:",
        "  long-axis cine, 1 slice x 8 phases (series 50)",
        "",
        "left out:",
        "  1 x not DICOM: ….txt",
        "",
        "suspicious: A slice is missing between slices 3 and 4, which are 20 mm apart.",
        "noted: Phases are ordered by trigger time.",
        INTERVALS,
    ]


def test_the_json(studied):
    report = json.loads(json.dumps(as_json(*studied)))
    (stack,) = report["stacks"]
    assert stack["gaps_mm"] == pytest.approx([10, 10, 20, 10], abs=1e-3)
    assert stack["phases"] == [8] * 5
    assert stack["rr_ms"] == [800, 780, 820, 805, 770]
    assert stack["ordered_by"] == ["trigger time"]
    made = report["assembled"]
    assert made["times_ms"] == pytest.approx(list(np.arange(8) * 100))
    assert (made["shape"], made["thickness_mm"], made["long_axes"]) == ([8, 5, 64, 56], 6, 1)
    missing = [remark for remark in made["remarks"] if remark["topic"] == "missing slice"]
    assert missing[0]["slices"] == [2, 3]
    assert report["left_out"] == [{"reason": "not DICOM", "count": 1, "examples": ["….txt"]}]


def test_the_patient_is_nowhere(studied):
    study, made = studied
    told = as_text(study, made) + json.dumps(as_json(study, made))
    for word in ("roe", "richard", "4711"):
        assert word not in told.lower()


def test_the_sheet_shows_every_slice_in_six_phases(studied, tmp_path):
    _, made = studied
    write_sheet(made.stack, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    np.testing.assert_array_equal(sheet, np.asarray(draw_sheet(made.stack)))
    # Five rows and six columns of tiles that show something, between lines of background.
    is_line = (sheet[:, 80:] == 20).all(axis=1)
    assert ((~is_line[1:]) & is_line[:-1]).sum() == 6  # the head line and five rows
    tiles = sheet[24:, 76:]
    assert tiles.std() > 30


def test_a_blank_stack_has_a_sheet_too(heart):
    from dataclasses import replace

    blank = np.zeros_like(heart.voxels)
    blank[0, 0, 0, 0] = 1
    assert draw_sheet(replace(heart, voxels=blank)).size[0] > 100
