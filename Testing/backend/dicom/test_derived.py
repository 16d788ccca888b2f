"""A dense result as a derived series: it is the same study, says what was synthesised, and loads again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from scanner import save, save_enhanced, shoot, uid

from calid.dicom.derived import SeriesWriter
from calid.dicom.study import read_study
from calid.errors import UnusableInput
from calid.stacks.plan import plan_slices


def densified(made, plan):
    """Acquired slices where they belong, the mean of the neighbours between them."""
    source = [target.below for target in plan.targets]
    for voxels in made.stack.voxels:
        dense = np.empty((len(plan.positions), *voxels.shape[1:]), voxels.dtype)
        dense[plan.known] = voxels
        for target, below in zip(plan.targets, source, strict=True):
            dense[target.index] = (voxels[below].astype(int) + voxels[below + 1]) // 2
        yield dense


def write(made, folder, spacing=5.0):
    plan = plan_slices(made.stack.positions, spacing)
    voxels = list(densified(made, plan))
    with SeriesWriter(folder, made.stack, made.view, plan) as writer:
        for phase, dense in enumerate(voxels):
            writer.add(phase, dense)
        writer.finish({"model": "tiny"})
    return plan, np.stack(voxels)


@pytest.fixture
def made(heart, tmp_path):
    save(shoot(heart, 7, each_its_own=True, PatientBirthDate="19010203"), tmp_path / "study")
    return read_study(tmp_path / "study").assemble()


def test_it_loads_again_with_the_same_geometry(made, tmp_path):
    plan, dense = write(made, tmp_path / "dense")
    again = read_study(tmp_path / "dense").assemble()
    np.testing.assert_array_equal(again.stack.voxels, dense)
    assert again.stack.voxels.dtype == dense.dtype
    np.testing.assert_allclose(again.stack.frame, made.stack.frame, atol=2e-6)
    np.testing.assert_allclose(again.stack.positions, plan.positions, atol=2e-6)
    np.testing.assert_allclose(again.stack.times, made.stack.times, atol=1e-6)
    assert "derived" in str(again.told[0])


def test_slicers_own_reader_finds_the_same_geometry(made, tmp_path):
    import SimpleITK as sitk

    plan, dense = write(made, tmp_path / "dense")
    files = [str(tmp_path / "dense" / f"{k * 8 + 3 + 1:06d}.dcm") for k in range(len(plan.positions))]
    image = sitk.ReadImage(files)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), dense[3])
    np.testing.assert_allclose(image.GetOrigin(), made.stack.frame[:3, 3], atol=1e-6)
    np.testing.assert_allclose(image.GetSpacing(), [2.5, 2.5, 5.0], atol=1e-6)


def test_it_is_of_the_same_patient_and_study(made, tmp_path):
    write(made, tmp_path / "dense")
    source = pydicom.dcmread(made.view.slices[0].first.source.path)
    files = sorted((tmp_path / "dense").glob("*.dcm"))
    assert len(files) == 11 * 8
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
    for name in ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert {str(header[name].value) for header in headers} == {str(source[name].value)}
    assert len({header.SOPInstanceUID for header in headers}) == len(headers)
    assert {header.SeriesInstanceUID for header in headers} != {source.SeriesInstanceUID}
    assert {tuple(header.ImageType[:2]) for header in headers} == {("DERIVED", "SECONDARY")}
    assert [header.InstanceNumber for header in headers] == list(range(1, len(headers) + 1))


def test_synthesised_slices_are_marked_and_sources_named(made, tmp_path):
    plan, _ = write(made, tmp_path / "dense")
    for k, acquired in enumerate(plan.acquired):
        header = pydicom.dcmread(tmp_path / "dense" / f"{k * 8 + 2 + 1:06d}.dcm", stop_before_pixels=True)
        said = "Synthesised slice" if acquired is None else "Acquired slice, unchanged"
        assert header.DerivationDescription.startswith(said)
        assert header.ImageComments == f"{said}. Research use only."
        assert header.SliceThickness == (5 if acquired is None else 6)
        sources = [item.ReferencedSOPInstanceUID for item in header.SourceImageSequence]
        used = [acquired] if acquired is not None else [k // 2, k // 2 + 1]
        assert sources == [made.view.slices[n].pictures[2].instance for n in used]


def test_beside_its_study_the_acquired_cine_is_still_the_one_to_take(made, heart, tmp_path):
    write(made, tmp_path / "study" / "dense")
    study = read_study(tmp_path / "study")
    assert [len(view.slices) for view in study.stacks] == [6, 11]
    np.testing.assert_array_equal(study.assemble().stack.voxels, heart.voxels)


def test_of_an_enhanced_file_frames_are_named(heart, tmp_path):
    save_enhanced(shoot(heart), tmp_path / "stack.dcm")
    made = read_study(tmp_path / "stack.dcm").assemble()
    write(made, tmp_path / "dense")
    header = pydicom.dcmread(tmp_path / "dense" / "000004.dcm")
    (source,) = header.SourceImageSequence
    assert source.ReferencedFrameNumber == 4
    np.testing.assert_array_equal(read_study(tmp_path / "dense").assemble().stack.voxels[:, ::2], heart.voxels)


def test_where_an_anonymiser_broke_the_frame_of_reference_there_is_one_new(heart, tmp_path):
    shots = shoot(heart)
    for shot in shots:
        shot.says["FrameOfReferenceUID"] = uid("frame", shot.k, shot.t)
    save(shots, tmp_path / "study")
    write(read_study(tmp_path / "study").assemble(), tmp_path / "dense")
    files = list((tmp_path / "dense").glob("*.dcm"))
    assert len({pydicom.dcmread(file, stop_before_pixels=True).FrameOfReferenceUID for file in files}) == 1


@pytest.mark.parametrize("slope", [1.0, 2.5])
def test_values_are_those_of_the_source(slope, heart, tmp_path):
    save(shoot(heart, RescaleSlope=str(slope), RescaleIntercept="0"), tmp_path / "study")
    write(read_study(tmp_path / "study").assemble(), tmp_path / "dense")
    header = pydicom.dcmread(tmp_path / "dense" / "000001.dcm")
    assert float(header.RescaleSlope) == slope
    np.testing.assert_array_equal(header.pixel_array, heart.voxels[0, 0])


def test_real_numbers_are_stored_in_sixty_thousand_steps(made, tmp_path):
    real = replace(made, stack=replace(made.stack, voxels=made.stack.voxels.astype(np.float32) / 1000))
    _, dense = write(real, tmp_path / "dense")
    again = read_study(tmp_path / "dense").assemble().stack.voxels
    np.testing.assert_allclose(again, dense, atol=np.ptp(real.stack.voxels) / 60000)


def test_a_run_that_ends_early_leaves_nothing(made, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted(made, tmp_path / "dense")
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


def interrupted(made, folder):
    plan = plan_slices(made.stack.positions, 5.0)
    with SeriesWriter(folder, made.stack, made.view, plan) as writer:
        writer.add(0, next(densified(made, plan)))
        raise KeyboardInterrupt


def test_other_files_are_not_mixed_with(made, tmp_path):
    with pytest.raises(UnusableInput, match="is not empty"):
        write(made, tmp_path / "study")
