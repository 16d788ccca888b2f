"""What is wrong with an input is said with what was found; the good part is used where that is safe."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from scanner import dataset_of, save, shoot, uid, write

from calid.dicom.remarks import Topic
from calid.dicom.sources import find_sources
from calid.dicom.study import read_study
from calid.errors import UnusableInput


@pytest.fixture
def shots(heart):
    return shoot(heart, series=300)


def refused(path, *words, stack=None):
    with pytest.raises(UnusableInput) as caught:
        read_study(path).assemble(stack)
    message = f"{caught.value} | {caught.value.remedy}"
    assert str(path) in message
    for word in words:
        assert word in message
    return message


def test_an_empty_folder(tmp_path):
    refused(tmp_path, "there is no file in it")


def test_a_folder_that_is_not_there(tmp_path):
    refused(tmp_path / "nowhere", "there is no such file or folder")


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear colleague")
    refused(tmp_path, "no short-axis cine", "among 1 files", "1 left out: not DICOM")


def test_a_ct_study(shots, tmp_path):
    for shot in shots:
        shot.says["Modality"] = "CT"
    save(shots, tmp_path)
    refused(tmp_path, "no short-axis cine", "48 left out: not MR but CT")


def test_one_slice(shots, tmp_path):
    save([shot for shot in shots if shot.k == 2], tmp_path)
    refused(tmp_path, "no short-axis cine", "1 views of one or two slices")


def test_one_phase_is_taken_where_it_is_all_there_is(heart, shots, tmp_path):
    """As whoever sends end-diastole alone means it."""
    save([shot for shot in shots if shot.t == 0], tmp_path)
    made = read_study(tmp_path).assemble()
    np.testing.assert_array_equal(made.stack.voxels, heart.voxels[:1])
    (told,) = [str(remark) for remark in made.told if remark.topic is Topic.VIEW]
    assert (
        told == "There is no short-axis cine; the only stack was taken, a short-axis single-phase, 6 slices x 1 phase."
    )


def test_one_phase_is_not_taken_where_there_is_more(heart, shots, tmp_path):
    """A choice between late enhancement and a map is nobody's but the user's."""
    other = [shot for shot in shoot(heart, series=80, start=900, EchoTime=9.0) if shot.t == 3]
    for shot in other:
        shot.says["ImagePositionPatient"] = [float(at) + 400 for at in shot.says["ImagePositionPatient"]]
    save([shot for shot in shots if shot.t == 0] + other, tmp_path)
    refused(tmp_path, "no short-axis cine", "stack 1 is a short-axis single-phase", "stack number N")


def test_a_refusal_names_the_file_but_not_the_patient(heart, tmp_path):
    """Of three phases, one slice has lost one: a heart cycle that nobody can resample."""
    three = replace(heart, voxels=heart.voxels[:3], times=None, index=None)
    save([each for each in shoot(three, PatientName="Roe^Jane") if (each.k, each.t) != (4, 2)], tmp_path, "Roe")
    message = refused(tmp_path, " has 2 phases, but ", " has 3, and fewer than 5")
    assert "…0" in message
    assert "Roe" not in message


def test_a_transverse_stack_is_taken_only_when_asked_for(heart, shots, tmp_path):
    for shot in shots:
        shot.says["ImageOrientationPatient"] = [1, 0, 0, 0, 1, 0]
        shot.says["ImagePositionPatient"] = [0, 0, 10 * shot.k]
    save(shots, tmp_path)
    refused(tmp_path, "stack 1 is a transverse cine, 6 slices x 8 phases", "stack number N")
    refused(tmp_path, "there is no stack 4", "choose stack number 1", stack=4)
    np.testing.assert_array_equal(read_study(tmp_path).assemble(1).stack.voxels, heart.voxels)


def test_two_patients_are_never_mixed_nor_chosen_between(heart, shots, tmp_path):
    save(shots, tmp_path / "one")
    other = shoot(heart, series=300, PatientID="815", StudyInstanceUID=uid("other"))
    for shot in other:
        shot.says["SeriesInstanceUID"] = shots[0].says["SeriesInstanceUID"]
    save(other, tmp_path / "two")
    refused(tmp_path, "2 patients are in it", "stack number 1 or stack number 2")
    made = read_study(tmp_path).assemble(2)
    np.testing.assert_array_equal(made.stack.voxels, heart.voxels)
    assert any(remark.topic is Topic.IDENTITY for remark in made.told)


def test_good_files_among_bad_ones_are_used(heart, shots, tmp_path):
    files = save(shots, tmp_path)
    whole = files[0].read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "start").write_bytes(whole[:150])
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "._IM00001").write_bytes(b"\0\5\x16\7")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    study = read_study(tmp_path)
    np.testing.assert_array_equal(study.assemble().stack.voxels, heart.voxels)
    assert len(study.left_out) == 5


def test_a_picture_that_ends_too_early_is_a_missing_phase(heart, shots, tmp_path):
    files = save(shots, tmp_path)
    spoilt = files[10]
    spoilt.write_bytes(spoilt.read_bytes()[:-2000])
    study = read_study(tmp_path)
    made = study.assemble()
    assert study.left_out[0].reason == "truncated: it ends before its picture does"
    np.testing.assert_array_equal(np.delete(made.stack.voxels[:, 1], 2, 0), np.delete(heart.voxels[:, 1], 2, 0))


def test_pictures_without_a_place_are_left_out(heart, shots, tmp_path):
    for shot, value in zip(shots[:3], (None, [1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0]), strict=True):
        shot.says["ImageOrientationPatient"] = value
    save(shots, tmp_path)
    study = read_study(tmp_path)
    reasons = sorted(each.reason for each in study.left_out)
    assert reasons == ["with an orientation that is none"] * 2 + ["without a position and an orientation"]
    assert study.assemble().stack.voxels.shape == heart.voxels.shape


def test_links_in_a_circle_end(shots, heart, tmp_path):
    save(shots, tmp_path / "study" / "deep")
    os.symlink(tmp_path / "study", tmp_path / "study" / "deep" / "again")
    os.symlink("myself", tmp_path / "study" / "myself")
    os.symlink("nothing", tmp_path / "study" / "dangling")
    study = read_study(tmp_path / "study")
    assert study.files == 48
    np.testing.assert_array_equal(study.assemble().stack.voxels, heart.voxels)


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may read everything")
def test_what_may_not_be_read_is_named(shots, tmp_path):
    files = save(shots, tmp_path)
    files[0].chmod(0)
    assert "it cannot be read" in read_study(tmp_path).left_out[0].reason


def test_names_with_odd_characters(shots, heart, tmp_path):
    folder = tmp_path / "Jürgen %s {0} \n ☃"
    save(shots, folder, prefix="% {x} ü\t")
    np.testing.assert_array_equal(read_study(folder).assemble().stack.voxels, heart.voxels)


def test_a_name_of_bytes_that_are_no_text(shots, heart, tmp_path):
    files = save(shots, tmp_path)
    try:
        os.rename(os.fsencode(files[0]), os.fsencode(tmp_path) + b"/\xff\xfe")
    except OSError:
        pytest.skip("this file system takes text only")
    np.testing.assert_array_equal(read_study(tmp_path).assemble().stack.voxels, heart.voxels)


def test_header_text_is_neither_a_path_nor_a_format(shots, heart, tmp_path):
    nasty = "../../%s{0.__class__}\x1b[2J"
    for shot in shots:
        shot.says |= {"SeriesDescription": nasty, "ImageComments": nasty, "PatientID": nasty}
    save(shots, tmp_path)
    study = read_study(tmp_path)
    from calid.dicom.report import as_text

    text = as_text(study, study.assemble())
    assert "\x1b" not in text
    assert sorted(path.name for path in tmp_path.iterdir())[0] == "IM00000"


def test_a_damaged_archive(tmp_path):
    (tmp_path / "study.zip").write_bytes(b"PK\x03\x04" + b"\0" * 100)
    refused(tmp_path / "study.zip", "the archive is damaged")


def test_a_damaged_member_of_an_archive(shots, heart, tmp_path):
    files = save(shots, tmp_path / "study")
    packed = tmp_path / "study.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in files:
            archive.write(file, file.name)
        spoilt = archive.getinfo(files[5].name)
    content = bytearray(packed.read_bytes())
    content[spoilt.header_offset + 400 : spoilt.header_offset + 440] = b"x" * 40
    packed.write_bytes(content)
    study = read_study(packed)
    assert len(study.left_out) == 1
    assert study.assemble().stack.voxels.shape == heart.voxels.shape


def test_ten_thousand_files_are_walked_through(tmp_path):
    for n in range(10_000):
        os.close(os.open(tmp_path / f"{n}.txt", os.O_CREAT))
    assert sum(1 for _ in find_sources([tmp_path], [])) == 10_000


def test_of_a_stack_whose_pixels_nobody_decodes_the_syntax_is_named(shots, tmp_path):
    """HTJ2K, which neither pydicom without a plugin nor GDCM reads."""
    from pydicom.encaps import encapsulate

    for n, shot in enumerate(shots):
        dataset = dataset_of(shot)
        dataset.PixelData = encapsulate([b"\xff\x4f\xff\x51" + b"\0" * 60])
        dataset["PixelData"].is_undefined_length = True
        write(dataset, tmp_path / f"{n}.dcm", "1.2.840.10008.1.2.4.201")
    refused(tmp_path, "neither pydicom nor SimpleITK decodes", "High-Throughput JPEG 2000", "gdcmconv --raw")
