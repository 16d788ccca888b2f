"""Every layout in which scanners export a short-axis cine becomes the same stack, voxel for voxel."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np
import pytest
from scanner import RR, Shot, clock, save, save_enhanced, shoot, uid

from calid.dicom.remarks import Level, Topic
from calid.dicom.slices import Content
from calid.dicom.study import read_study
from calid.dicom.views import Role

TIMES = np.arange(8) / 8 * np.median(RR[:6])


def siemens(heart, **says):
    return shoot(heart, series=7, each_its_own=True, **says)


def ge(heart, **says):
    """One series, timed at the middle of each phase; SliceLocation means something else."""
    shots = shoot(heart, series=300, offset=0.5, ImageType=["ORIGINAL", "PRIMARY", "CARDIAC", "NONE"], **says)
    for shot in shots:
        shot.says |= {"SliceLocation": f"{-6.7 * shot.k:.3f}", "FrameOfReferenceUID": uid("frame", shot.k, shot.t)}
    return shots


def philips(heart, **says):
    """One series, instance numbers in no order, one slope for all."""
    shots = shoot(heart, series=401, ImageType=["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"], **says)
    for shot, number in zip(shots, np.random.default_rng(0).permutation(len(shots)), strict=True):
        shot.says |= {"InstanceNumber": int(number) + 1, "TemporalPositionIdentifier": shot.t + 1}
        shot.says |= {"RescaleSlope": "2.5", "RescaleIntercept": "0"}
    return shots


def is_same(stack, heart):
    np.testing.assert_array_equal(stack.voxels, heart.voxels)
    assert stack.voxels.dtype == heart.voxels.dtype
    np.testing.assert_allclose(stack.frame, heart.frame, atol=1e-5)
    np.testing.assert_allclose(stack.positions, heart.positions, atol=1e-4)


@pytest.mark.parametrize(("vendor", "offset"), [(siemens, 0), (ge, 0.5), (philips, 0)])
def test_a_vendors_series_become_the_stack(vendor, offset, heart, tmp_path):
    save(vendor(heart), tmp_path / "of" / "any" / "depth")
    study = read_study(tmp_path)
    made = study.assemble()
    is_same(made.stack, heart)
    np.testing.assert_allclose(made.stack.times, (TIMES + offset * TIMES[1]) / 1000, rtol=1e-4)
    assert made.stack.thickness == 6.0
    (view,) = study.views
    assert (view.role, view.content) == (Role.SHORT_AXIS, Content.CINE)
    assert not study.left_out
    assert {remark.level for remark in made.remarks} == {Level.NOTE}


def test_one_enhanced_file_holds_the_stack(heart, tmp_path):
    shots = shoot(heart)
    order = np.random.default_rng(1).permutation(len(shots))
    save_enhanced([shots[n] for n in order], tmp_path / "stack.dcm")
    is_same(read_study(tmp_path).assemble().stack, heart)
    is_same(read_study(tmp_path / "stack.dcm").assemble().stack, heart)


@pytest.mark.parametrize("shared_plane", [True, False])
def test_an_enhanced_file_for_each_slice(shared_plane, heart, tmp_path):
    shots = shoot(heart, each_its_own=True)
    for k in range(6):
        own = [shot for shot in shots if shot.k == k]
        save_enhanced(own, tmp_path / f"{k}.dcm", shared_plane=shared_plane)
    made = read_study(tmp_path).assemble()
    is_same(made.stack, heart)
    np.testing.assert_allclose(made.stack.times, TIMES / 1000, rtol=1e-4)


def test_an_archive_and_a_list_of_files_are_studies_too(heart, tmp_path):
    files = save(siemens(heart), tmp_path / "study")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for file in files:
            archive.write(file, f"deep/../../down/{file.name}")
        archive.writestr("__MACOSX/._IM0", b"rubbish")
    is_same(read_study(tmp_path / "study.zip").assemble().stack, heart)
    is_same(read_study(files).assemble().stack, heart)


def test_orientations_that_differ_in_the_seventh_digit_are_one_stack(heart, tmp_path):
    shots = siemens(heart)
    for shot in shots:
        row = [float(x) for x in shot.says["ImageOrientationPatient"]]
        shot.says["ImageOrientationPatient"] = [f"{x + 2e-7 * shot.k:.9f}" for x in row]
    save(shots, tmp_path)
    is_same(read_study(tmp_path).assemble().stack, heart)


def test_positions_rounded_by_the_scanner_are_even(heart, tmp_path):
    """As on GE, whose gaps are 9.996 to 10.006 mm."""
    shots = ge(heart)
    for shot in shots:
        shot.says["ImagePositionPatient"] = [f"{float(x):.2f}" for x in shot.says["ImagePositionPatient"]]
    save(shots, tmp_path)
    stack = read_study(tmp_path).assemble().stack
    np.testing.assert_allclose(np.diff(stack.positions), 10, atol=0.005)
    assert np.ptp(np.diff(stack.positions)) < 1e-9


def others(heart, long_axis) -> list[Shot]:
    """All else that a cardiac study holds."""
    four_chamber = [shot for shot in shoot(long_axis, series=50, start=-300) if shot.k == 0]
    localiser = [shot for shot in shoot(heart, series=1, start=-500) if shot.t == 0]
    for shot in localiser:
        shot.says |= {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "TriggerTime": None}
    flow = [shot for shot in shoot(heart, series=60) if shot.k == 2]
    for shot in flow:
        shot.says["ImageType"] = ["DERIVED", "PRIMARY", "P", "ND"]
    t1_map = [shot for shot in shoot(heart, series=70) if shot.t == 0]
    for shot in t1_map:
        shot.says["ImageType"] = ["ORIGINAL", "PRIMARY", "T1 MAP", "NONE"]
    enhancement = [shot for shot in shoot(heart, series=80, start=900) if shot.t == 0]
    for shot in enhancement:
        shot.says |= {"TriggerTime": "600", "CardiacNumberOfImages": 1}
    perfusion = shoot(heart, series=90, start=600)
    for shot in perfusion:
        shot.says |= {"TriggerTime": "150", "CardiacNumberOfImages": 1, "AcquisitionTime": clock(600 + 0.9 * shot.t)}
    screen = [replace(shot, says={**shot.says, "Modality": "SR"}) for shot in shoot(heart, series=99)[:2]]
    return four_chamber + localiser + flow + t1_map + enhancement + perfusion + screen


def test_the_cine_is_found_among_all_else(heart, long_axis, tmp_path):
    save(siemens(heart) + others(heart, long_axis), tmp_path)
    study = read_study(tmp_path)
    made = study.assemble()
    is_same(made.stack, heart)
    found = [(view.role, view.content, len(view.slices)) for view in study.stacks]
    assert found == [
        (Role.SHORT_AXIS, Content.CINE, 6),
        (Role.SHORT_AXIS, Content.STILL, 6),
        (Role.SHORT_AXIS, Content.DYNAMIC, 6),
    ]
    (four_chamber,) = study.long_axes(made.view)
    assert len(four_chamber.slices[0].pictures) == 8
    reasons = {each.reason for each in study.left_out}
    assert reasons == {"a localiser", "a phase image, of flow or of the signal", "a map of a quantity", "not MR but SR"}


def test_names_of_series_decide_nothing(heart, long_axis, tmp_path):
    shots = siemens(heart, SeriesDescription="localizer") + others(heart, long_axis)
    save(shots, tmp_path)
    is_same(read_study(tmp_path).assemble().stack, heart)


@pytest.mark.parametrize("each_its_own", [True, False])
def test_a_stack_that_was_acquired_again_is_another_stack(each_its_own, heart, tmp_path):
    rest = shoot(heart, series=10, each_its_own=each_its_own)
    stress = shoot(replace(heart, voxels=heart.voxels + 7), series=30, each_its_own=each_its_own, start=1000)
    save(rest + stress, tmp_path)
    study = read_study(tmp_path)
    assert [len(view.slices) for view in study.stacks] == [6, 6]
    made = study.assemble()
    is_same(made.stack, replace(heart, voxels=heart.voxels + 7))
    assert "Stack 1 was taken of 2 short-axis cines" in str(made.told[0])
    is_same(study.assemble(2).stack, heart)


def test_a_stack_that_was_planned_in_two_series_is_one(heart, tmp_path):
    shots = shoot(heart, series=10)
    for shot in shots:
        if shot.k >= 3:
            shot.says |= {"SeriesInstanceUID": uid("series", 11), "SeriesNumber": 11}
    save(shots, tmp_path)
    is_same(read_study(tmp_path).assemble().stack, heart)


@pytest.mark.parametrize(
    ("gone", "order"),
    [
        (("TriggerTime",), "temporal position"),
        (("TriggerTime", "TemporalPositionIdentifier"), "content time"),
        (("TriggerTime", "TemporalPositionIdentifier", "ContentTime"), "instance number"),
    ],
)
def test_without_trigger_times_the_next_best_orders_the_phases(gone, order, heart, tmp_path):
    shots = siemens(heart)
    for shot in shots:
        shot.says |= {"TemporalPositionIdentifier": shot.t + 1, "ContentTime": clock(20 * shot.k + 0.05 * shot.t)}
        shot.says |= dict.fromkeys(gone)
    save(shots, tmp_path)
    study = read_study(tmp_path)
    made = study.assemble()
    is_same(made.stack, heart)
    (said,) = [remark for remark in made.remarks if remark.topic is Topic.ORDER]
    assert str(said) == f"Trigger times are missing; phases are ordered by {order} (6 slices)."
    np.testing.assert_allclose(made.stack.times, TIMES / 1000, rtol=1e-4)


def test_content_times_that_a_scanner_wrote_out_of_order_are_seen_through(heart, tmp_path):
    """GE finishes pictures in pairs, the second of each first; instance numbers are right."""
    shots = ge(heart)
    for shot in shots:
        shot.says |= {"TriggerTime": None, "ContentTime": clock(20 * shot.k + 0.05 * (shot.t ^ 1))}
    save(shots, tmp_path)
    made = read_study(tmp_path).assemble()
    is_same(made.stack, heart)
    assert any("disagree" in str(remark) for remark in made.told)


def test_without_any_heart_rate_phases_are_parts_of_the_cycle(heart, tmp_path):
    shots = siemens(heart)
    for shot in shots:
        shot.says |= {"TriggerTime": None, "NominalInterval": None}
    save(shots, tmp_path)
    stack = read_study(tmp_path).assemble().stack
    is_same(stack, heart)
    assert stack.times is None
    assert stack.index is not None
    assert (stack.index.values[:3], stack.index.unit) == (("0", "12.5", "25"), "%")
