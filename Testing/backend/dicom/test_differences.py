"""What differs between the slices of real studies is handled, and each of it is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scanner import Shot, clock, save, shoot, uid

from calid.dicom.remarks import Level, Topic
from calid.dicom.study import read_study
from calid.phantom.beating_heart import Phantom

PHANTOM = Phantom(phases=8, slices=6, gap=10.0, pixel=2.5, matrix=(64, 56), seed=3)


@pytest.fixture
def shots(heart):
    """One series per slice."""
    return shoot(heart, series=7, each_its_own=True)


def assembled(shots, folder):
    save(shots, folder)
    return read_study(folder).assemble()


def said(made, topic):
    """The one remark on a topic."""
    (remark,) = [remark for remark in made.remarks if remark.topic is topic]
    return remark


def of_slice(shots: list[Shot], k: int) -> list[Shot]:
    return [shot for shot in shots if shot.k == k]


def test_a_slice_with_more_phases_is_resampled_and_keeps_its_end_systole(tmp_path):
    fine = replace(PHANTOM, phases=11, noise=0).sparse
    coarse = replace(PHANTOM, noise=0).sparse
    shots = [shot for shot in shoot(coarse, 7, True) if shot.k != 3] + of_slice(shoot(fine, 7, True), 3)
    made = assembled(shots, tmp_path)
    kept = [k for k in range(6) if k != 3]
    np.testing.assert_array_equal(made.stack.voxels[:, kept], coarse.voxels[:, kept])
    # Systole ends at 0.36 of the cycle: phase 3 of 8 and phase 4 of 11 are nearest to it.
    np.testing.assert_array_equal(made.stack.voxels[3, 3], fine.voxels[4, 3])
    np.testing.assert_array_equal(made.stack.voxels[0, 3], fine.voxels[0, 3])
    truth = coarse.voxels[:, 3].astype(float)
    error = np.abs(made.stack.voxels[:, 3] - truth).mean()
    assert error < 0.4 * np.abs(fine.voxels[:8, 3] - truth).mean()
    remark = said(made, Topic.PHASES)
    assert (remark.slices, remark.level) == ((3,), Level.CORRECTED)
    assert str(remark).startswith("Slice 4 has 11 phases, not 8: it was resampled over the heart cycle")


def test_two_missing_phases_are_interpolated(heart, shots, tmp_path):
    made = assembled([shot for shot in shots if (shot.k, shot.t) not in ((2, 5), (2, 6))], tmp_path)
    there = [t for t in range(8) if t not in (5, 6)]
    np.testing.assert_array_equal(made.stack.voxels[there], heart.voxels[there])
    low, high = (heart.voxels[t, 2].astype(float) for t in (4, 7))
    np.testing.assert_allclose(made.stack.voxels[5, 2], low + (high - low) / 3, atol=0.6)
    assert "6 phases, not 8, 2 missing among them" in str(said(made, Topic.PHASES))


def test_a_missing_last_phase_is_found_by_the_heart_rate(heart, shots, tmp_path):
    made = assembled([shot for shot in shots if (shot.k, shot.t) != (4, 7)], tmp_path)
    np.testing.assert_array_equal(made.stack.voxels[:7], heart.voxels[:7])
    np.testing.assert_array_equal(np.delete(made.stack.voxels[7], 4, axis=0), np.delete(heart.voxels[7], 4, axis=0))


def test_heart_beats_of_other_lengths_are_matched_phase_by_phase(heart, shots, tmp_path):
    for shot in of_slice(shots, 1):
        shot.says |= {"NominalInterval": 1100, "TriggerTime": f"{shot.t * 1100 / 8:.4f}"}
    made = assembled(shots, tmp_path)
    np.testing.assert_array_equal(made.stack.voxels, heart.voxels)
    np.testing.assert_allclose(made.stack.times, np.arange(8) / 8 * 0.8025, rtol=1e-3)
    remarks = [str(remark) for remark in made.remarks if remark.topic is Topic.INTERVAL]
    assert remarks[0].startswith("R-R intervals are 770 to 1100 ms")
    assert remarks[1] == "The heart beat differently in slices 2: 1100 ms instead of 802 ms."


def test_an_arrhythmia_is_told_of(shots, tmp_path):
    for shot in shots:
        shot.says["ImageComments"] = "RR 800 +/- 190; 7 heartbeats"
    made = assembled(shots, tmp_path)
    assert any("± 190 ms" in str(remark) and remark.level is Level.SUSPICIOUS for remark in made.remarks)


@pytest.mark.parametrize("own_series", [True, False])
def test_of_a_repeated_slice_the_later_one_is_kept(own_series, heart, shots, tmp_path):
    again = [replace(shot, pixels=shot.pixels + 5, says=dict(shot.says)) for shot in of_slice(shots, 2)]
    for shot in again:
        shot.says |= {"AcquisitionTime": clock(400), "AcquisitionNumber": 2}
        if own_series:
            shot.says |= {"SeriesInstanceUID": uid("again"), "SeriesNumber": 99}
    made = assembled(shots + again, tmp_path)
    expected = heart.voxels.copy()
    expected[:, 2] += 5
    np.testing.assert_array_equal(made.stack.voxels, expected)
    assert str(said(made, Topic.REPEATED)) == "Slice 3 was acquired twice: the later one is kept."


def test_a_repetition_that_was_given_up_is_not(heart, shots, tmp_path):
    again = [replace(shot, says=dict(shot.says)) for shot in of_slice(shots, 2) if shot.t < 3]
    for shot in again:
        shot.says |= {"AcquisitionTime": clock(400), "SeriesInstanceUID": uid("again"), "SeriesNumber": 99}
    made = assembled(shots + again, tmp_path)
    np.testing.assert_array_equal(made.stack.voxels, heart.voxels)
    assert "the later one was given up (8 and 3 phases)" in str(said(made, Topic.REPEATED))


def test_copies_of_files_are_left_out(heart, shots, tmp_path):
    save(shots, tmp_path / "one")
    save(shots[:20], tmp_path / "other")
    study = read_study(tmp_path)
    np.testing.assert_array_equal(study.assemble().stack.voxels, heart.voxels)
    assert [each.reason for each in study.left_out] == ["a copy of another file"] * 20


def test_a_missing_slice_is_an_unequal_gap(heart, shots, tmp_path):
    made = assembled([shot for shot in shots if shot.k != 3], tmp_path)
    np.testing.assert_allclose(made.stack.positions, [0, 10, 20, 40, 50], atol=1e-4)
    np.testing.assert_array_equal(made.stack.voxels, np.delete(heart.voxels, 3, axis=1))
    remark = said(made, Topic.MISSING)
    assert remark.level is Level.SUSPICIOUS
    assert str(remark) == "A slice is missing between slices 3 and 4, which are 20 mm apart."


def test_a_tilted_slice_stays_in_its_place(heart, shots, tmp_path):
    """By 2 degrees about the middle of the picture, as when the patient moves."""
    angle = np.radians(2.0)
    row, column, normal = (heart.frame[:3, n] / np.linalg.norm(heart.frame[:3, n]) for n in range(3))
    turned = np.cos(angle) * column + np.sin(angle) * normal
    middle = (64 - 1) / 2 * 2.5
    for shot in of_slice(shots, 4):
        position = np.array([float(x) for x in shot.says["ImagePositionPatient"]])
        position = position + middle * (column - turned)
        shot.says["ImagePositionPatient"] = [f"{x:.6f}" for x in position]
        shot.says["ImageOrientationPatient"] = [f"{x:.9f}" for x in (*row, *turned)]
    made = assembled(shots, tmp_path)
    np.testing.assert_allclose(made.stack.positions, heart.positions, atol=0.02)
    assert "tilted by 2.0 degrees" in str(said(made, Topic.TILTED))
    inner = made.stack.voxels[:, :, 8:-8, 8:-8].astype(float)
    assert np.abs(inner - heart.voxels[:, :, 8:-8, 8:-8]).mean() < 2


def test_a_slice_planned_elsewhere_keeps_its_place_in_the_patient(heart, shots, tmp_path):
    """Moved by three columns, with a larger matrix: whole pixels, so exactly."""
    step = heart.frame[:3, 0]
    for shot in of_slice(shots, 1):
        wide = np.zeros((64, 62), np.int16)
        wide[:, 3:59] = shot.pixels
        shot.pixels = wide
        position = np.array([float(x) for x in shot.says["ImagePositionPatient"]]) - 3 * step
        shot.says["ImagePositionPatient"] = [f"{x:.6f}" for x in position]
    made = assembled(shots, tmp_path)
    np.testing.assert_array_equal(made.stack.voxels, heart.voxels)
    assert "62 x 64 pixels, not 56 x 64" in str(said(made, Topic.GRID))


def test_a_slice_with_other_pixels_is_interpolated(heart, shots, tmp_path):
    """Acquired with pixels of half the size and, so that the truth is known, of something smooth."""
    rows, columns = np.mgrid[:64, :56].astype(float)

    def smooth(row, column):
        return 800 + 300 * np.sin(row / 6) * np.cos(column / 7)

    for shot in of_slice(shots, 1):
        fine = np.mgrid[:128, :112] / 2 - 0.25
        shot.pixels = np.rint(smooth(*fine)).astype(np.int16)
        corner = np.array([float(x) for x in shot.says["ImagePositionPatient"]])
        corner = corner - (heart.frame[:3, 0] + heart.frame[:3, 1]) / 4
        shot.says["ImagePositionPatient"] = [f"{x:.6f}" for x in corner]
        shot.says["PixelSpacing"] = ["1.25", "1.25"]
    made = assembled(shots, tmp_path)
    assert "pixels of 1.25 mm, not 2.5" in str(said(made, Topic.GRID))
    inner = (slice(None), slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(
        made.stack.voxels[:, 1][inner], np.broadcast_to(smooth(rows, columns), (8, 64, 56))[inner], atol=1.5
    )


def test_rescale_slopes_that_differ_are_applied(heart, shots, tmp_path):
    for shot in shots:
        shot.says |= {"RescaleSlope": f"{1 + shot.k}", "RescaleIntercept": "0"}
        shot.pixels = (shot.pixels // (1 + shot.k)).astype(np.int16)
    made = assembled(shots, tmp_path)
    divided = 1 + np.arange(6)[:, None, None]
    np.testing.assert_array_equal(made.stack.voxels, heart.voxels // divided * divided)
    assert str(said(made, Topic.SCALE)).startswith("Rescale slopes of 1 to 6")


def test_a_slice_on_another_scale_is_brought_to_that_of_the_others(heart, shots, tmp_path):
    for shot in of_slice(shots, 3):
        shot.pixels = (shot.pixels * 10).astype(np.int16)
    made = assembled(shots, tmp_path)
    remark = said(made, Topic.BRIGHTNESS)
    assert remark.slices == (3,)
    ratio = made.stack.voxels[:, 3].sum() / heart.voxels[:, 3].sum()
    assert 0.7 < ratio < 1.4


def test_an_honest_stack_keeps_its_brightness(heart):
    from calid.dicom import brightness

    assert brightness.factors(list(heart.voxels.transpose(1, 0, 2, 3))) == [1.0] * 6


def test_thicknesses_that_differ_are_told_of(shots, tmp_path):
    for shot in of_slice(shots, 0):
        shot.says["SliceThickness"] = 8
    made = assembled(shots, tmp_path)
    assert made.stack.thickness == 6.0
    assert str(said(made, Topic.THICKNESS)) == "Slices are 6 to 8 mm thick; 6 mm is taken for all."
