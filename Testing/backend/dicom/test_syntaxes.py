"""Compressed pixels: what pydicom cannot decode, SimpleITK does."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless
from scanner import dataset_of, save, shoot, write

from calid.dicom.study import read_study


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_uncompressed_syntaxes(syntax, heart, tmp_path):
    for n, shot in enumerate(shoot(heart)):
        dataset = dataset_of(shot)
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = shot.pixels.astype(">i2").tobytes()
        write(dataset, tmp_path / f"{n}.dcm", syntax)
    np.testing.assert_array_equal(read_study(tmp_path).assemble().stack.voxels, heart.voxels)


def test_run_lengths(heart, tmp_path):
    for n, shot in enumerate(shoot(heart)):
        dataset = dataset_of(shot)
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.compress(RLELossless, shot.pixels)
        write(dataset, tmp_path / f"{n}.dcm", RLELossless)
    np.testing.assert_array_equal(read_study(tmp_path).assemble().stack.voxels, heart.voxels)


@pytest.mark.parametrize(
    ("compressor", "syntax"), [("JPEG", "1.2.840.10008.1.2.4.70"), ("JPEG2000", "1.2.840.10008.1.2.4.90")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_lossless_jpeg_as_archives_have_it(compressor, syntax, packed, heart, tmp_path):
    folder = tmp_path / "study"
    for file in save(shoot(heart), folder):
        image = sitk.ReadImage(str(file), imageIO="GDCMImageIO")
        writer = sitk.ImageFileWriter()
        writer.SetFileName(str(file.with_suffix(".dcm")))
        writer.KeepOriginalImageUIDOn()
        writer.UseCompressionOn()
        writer.SetCompressor(compressor)
        writer.Execute(image)
        file.unlink()
    written = pydicom.dcmread(next(folder.iterdir()))
    assert written.file_meta.TransferSyntaxUID == syntax
    if packed:
        import shutil

        folder = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    np.testing.assert_array_equal(read_study(folder).assemble().stack.voxels, heart.voxels)
