"""The quick way through a header finds what pydicom finds, or leaves it to pydicom."""

from __future__ import annotations

import io

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from scanner import dataset_of, shoot, write

from calid.dicom import elements
from calid.dicom.headers import _LAST_TAG, _TAGS


@pytest.fixture
def dataset(heart):
    made = dataset_of(shoot(heart, SeriesDescription="odd", ImageComments="RR 800 +/- 20")[0])
    made.add_new((0x0009, 0x0010), "LO", "A VENDOR")
    made.add_new((0x0009, 0x1001), "UN", b"\1\2\3\4" * 5)
    made.add_new((0x0008, 0x1140), "SQ", [Dataset()])
    return made


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_it_finds_what_pydicom_finds(syntax, dataset, tmp_path):
    write(dataset, tmp_path / "one", syntax)
    content = (tmp_path / "one").read_bytes()
    quick = elements._walk(content, _TAGS, _LAST_TAG)
    slow = elements._by_pydicom(io.BytesIO(content), _TAGS, _LAST_TAG)
    assert quick is not None
    assert quick.values == slow.values
    assert quick.syntax == slow.syntax == syntax
    assert len(quick.values) > 20
    assert abs(quick.end - slow.end) <= 12  # pydicom has looked at the next tag


def test_sequences_without_a_length_are_left_to_pydicom(dataset, tmp_path):
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2"
    dataset.ReferencedImageSequence = Sequence([item])
    dataset["ReferencedImageSequence"].is_undefined_length = True
    write(dataset, tmp_path / "one")
    with (tmp_path / "one").open("rb") as file:
        assert elements._walk(file.read(), _TAGS, _LAST_TAG) is None
        found = elements.read_elements(file, _TAGS, _LAST_TAG)
    assert found.values[0x0008103E].strip() == b"odd"


@pytest.mark.parametrize("cut", [10, 140, 300, 700])
def test_a_file_that_ends_is_not_plain(cut, dataset, tmp_path):
    write(dataset, tmp_path / "one")
    assert elements._walk((tmp_path / "one").read_bytes()[:cut], _TAGS, _LAST_TAG) is None
