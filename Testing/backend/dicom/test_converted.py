"""What dcm2niix makes of a study becomes the same stack; what it got wrong is noticed or not believed."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest

from calid.dicom.opening import is_study, open_input
from calid.dicom.remarks import Topic
from calid.dicom.study import read_study
from calid.errors import UnusableInput

THICKNESS, TR = 6.0, 0.0033


def nifti(path, voxels, affine, step=TR, thickness=None, **sidecar):
    """Voxels (phases, slices, rows, columns) with an affine in LPS, as dcm2niix would write them."""
    ras = np.diag([-1.0, -1, 1, 1]) @ affine
    if thickness is not None:  # of a single slice it writes the thickness as the distance
        ras[:3, 2] *= thickness / np.linalg.norm(ras[:3, 2])
    image = nibabel.Nifti1Image(voxels.transpose(3, 2, 1, 0) if len(voxels) > 1 else voxels[0].transpose(2, 1, 0), ras)
    image.header.set_xyzt_units("mm", "sec")
    if len(voxels) > 1:
        image.header["pixdim"][4] = step
    nibabel.save(image, path)
    said = {"SliceThickness": THICKNESS, "RepetitionTime": step, "ImageType": ["ORIGINAL", "PRIMARY", "M"], **sidecar}
    path.with_name(path.name.split(".")[0] + ".json").write_text(json.dumps(said))


def affine_at(heart, k):
    affine = heart.frame.copy()
    affine[:3, 3] += heart.positions[k] * affine[:3, 2]
    return affine


def is_same(made, heart):
    np.testing.assert_array_equal(made.stack.voxels, heart.voxels)
    np.testing.assert_allclose(made.stack.frame, heart.frame, atol=1e-4)
    np.testing.assert_allclose(made.stack.positions, heart.positions, atol=1e-3)
    assert made.stack.thickness == THICKNESS


def test_one_file_for_each_slice(heart, tmp_path):
    for k in range(6):
        name = f"cine_trufi_retro_{9998 + k}.nii.gz"  # so that the order of names is not that of the slices
        nifti(tmp_path / name, heart.voxels[:, k : k + 1], affine_at(heart, k), 0.034, THICKNESS)
    assert is_study(tmp_path)
    made = read_study(tmp_path).assemble()
    is_same(made, heart)
    assert made.stack.times is None
    assert made.stack.index is not None
    assert made.stack.index.unit == "%"


@pytest.mark.parametrize(("phases", "fewer"), [(3, 2), (4, 3), (8, 4), (2, 4)])
def test_too_few_phases_to_resample_are_refused_by_name(heart, tmp_path, phases, fewer):
    for k in range(6):
        few = heart.voxels[: fewer if k == 4 else phases, k : k + 1]
        nifti(tmp_path / f"series_{k}.nii.gz", few, affine_at(heart, k), thickness=THICKNESS)
    low, high = sorted((phases, fewer))
    with pytest.raises(UnusableInput) as caught:
        read_study(tmp_path).assemble()
    message = str(caught.value)
    assert "series_4.nii.gz has" in message
    assert f"has {low} phases, but" in message
    assert f"has {high}, and fewer than 5" in message
    assert "calid reconstruct" in caught.value.remedy


def test_a_4d_file(heart, tmp_path):
    nifti(tmp_path / "300.nii", heart.voxels, heart.affine)
    made = read_study(tmp_path).assemble()
    is_same(made, heart)
    assert made.stack.times is None


def test_a_3d_file_for_each_phase(heart, tmp_path):
    for t in range(8):
        nifti(tmp_path / f"300_t{100 * t + 20}.nii.gz", heart.voxels[t : t + 1], heart.affine)
    made = read_study(tmp_path).assemble()
    is_same(made, heart)
    np.testing.assert_allclose(np.diff(made.stack.times), 0.1, rtol=1e-6)


def test_a_file_for_each_trigger_time(heart, tmp_path):
    """As of a scanner whose slices had other heart rates: most files are one picture."""
    for k in range(6):
        for t in range(8):
            name = f"300_t{t * (100 + k) + k}.nii.gz"
            nifti(tmp_path / name, heart.voxels[t : t + 1, k : k + 1], affine_at(heart, k), thickness=THICKNESS)
    made = read_study(tmp_path).assemble()
    is_same(made, heart)


def test_slices_that_share_a_trigger_time_by_chance_are_not_believed(heart, tmp_path):
    """dcm2niix spaces such three evenly, wherever they were."""
    for k in range(6):
        for t in range(1, 8):
            name = f"300_t{t * (100 + k)}.nii.gz"
            nifti(tmp_path / name, heart.voxels[t : t + 1, k : k + 1], affine_at(heart, k), thickness=THICKNESS)
    nifti(tmp_path / "300_t0.nii.gz", heart.voxels[:1, [0, 1, 3]], heart.affine)
    study = read_study(tmp_path)
    assert len(study.left_out) == 1
    assert study.left_out[0].reason == "3 slices that share a trigger time, spaced evenly wherever they were"
    np.testing.assert_allclose(study.assemble().stack.positions, heart.positions, atol=1e-3)


def test_phases_stacked_as_slices_are_refused(heart, tmp_path):
    stacked = heart.voxels.reshape(1, 48, *heart.voxels.shape[2:])[:, :46]
    nifti(tmp_path / "300.nii.gz", stacked, heart.affine)
    with pytest.raises(UnusableInput, match="46 slices over 460 mm: dcm2niix stacks phases like this"):
        read_study(tmp_path).assemble()


def test_a_gap_that_was_hidden_is_noticed(heart, tmp_path):
    """Of slices 10 mm apart one is missing, and the others were spread over its gap."""
    affine = heart.affine
    affine[:3, 2] *= 5 / 4
    nifti(tmp_path / "300.nii.gz", np.delete(heart.voxels, 3, axis=1), affine, SpacingBetweenSlices=10)
    made = read_study(tmp_path).assemble()
    (remark,) = [remark for remark in made.told if remark.topic is Topic.CONVERTED]
    assert "slices 12.5 mm apart, and the scanner says 10 mm" in str(remark)


def test_views_in_one_folder_are_apart(heart, long_axis, tmp_path):
    nifti(tmp_path / "sax.nii.gz", heart.voxels, heart.affine)
    nifti(tmp_path / "lax.nii.gz", long_axis.voxels[:, :1], affine_at(long_axis, 0), thickness=THICKNESS)
    study = read_study(tmp_path)
    made = study.assemble()
    is_same(made, heart)
    assert len(study.long_axes(made.view)) == 1


def test_a_sidecar_may_be_anything(heart, tmp_path):
    nifti(tmp_path / "300.nii", heart.voxels, heart.affine)
    for content in ("[1, 2]", "{", '{"SliceThickness": "thick", "ImageType": 3, "SeriesNumber": 1e400}', "\0"):
        (tmp_path / "300.json").write_text(content)
        assert read_study(tmp_path).assemble().stack.voxels.shape == heart.voxels.shape


def test_folders_of_slices_by_others_are_read_as_before(heart, tmp_path, write_slice):
    for k in range(6):
        write_slice(tmp_path / f"{k}.nii.gz", heart.voxels[0, k], affine_at(heart, k))
    assert not is_study(tmp_path)
    assert open_input(tmp_path).study is None
