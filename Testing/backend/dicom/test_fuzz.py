"""Whatever bytes a header holds: an answer or an error with a remedy, never a crash."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scanner import dataset_of, save, save_enhanced, shoot, write

from calid.dicom.headers import _NAMES, read_pictures
from calid.dicom.pictures import Picture
from calid.dicom.quiet import quiet
from calid.dicom.report import as_json, as_text
from calid.dicom.slices import slices_of
from calid.dicom.sources import LeftOut, Source
from calid.dicom.study import read_study
from calid.dicom.views import views_of
from calid.errors import CalidError

NO_VECTORS = (b"inf\\inf\\inf", b"1\\0\\0\\0\\1\\0", b"1\\2\\3", b"0\\0\\0\\0\\0\\0", b"\\")
NO_NUMBERS = (b"", b" ", b"0", b"-1", b"1e308", b"1e999", b"nan", b"65535", b"9" * 20, b"235959.9", b"\x00" * 8)
NO_TEXT = (b"\xff\xfe\x00", b"%s%n{0}", b"../../etc")
ODD = st.sampled_from((*NO_VECTORS, *NO_NUMBERS, *NO_TEXT))
VALUE = st.one_of(ODD, st.binary(max_size=24))
SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def shots(heart):
    return shoot(heart)


def read(content: bytes):
    with quiet():
        return read_pictures(io.BytesIO(content), Source(Path("one")), set())


@pytest.fixture(scope="module")
def whole(shots, tmp_path_factory):
    """A file of one picture."""
    path = tmp_path_factory.mktemp("whole") / "one"
    write(dataset_of(shots[0]), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def enhanced(shots, tmp_path_factory):
    """A file of many."""
    path = tmp_path_factory.mktemp("enhanced") / "many"
    save_enhanced(shots, path)
    return path.read_bytes()


def with_values(content: bytes, changed: dict[int, bytes]) -> bytes:
    """A file of explicit little endian whose elements have other bytes."""
    dataset = pydicom.dcmread(io.BytesIO(content), defer_size=0)
    out = io.BytesIO(content[:132])
    out.seek(132)
    out.write(content[132 : content.index(b"\x08\x00", 140)])
    for element in sorted({*map(int, dataset.keys()), *changed}):
        if element == 0x7FE00010:
            continue
        value = changed.get(element)
        if value is None:
            raw = dataset.get_item(pydicom.tag.Tag(element)).value
            value = raw if isinstance(raw, bytes) else b""
        value += b" " * (len(value) % 2)
        vr = b"US" if element in (0x00280002, 0x00280010, 0x00280011, 0x00280100) else b"LO"
        out.write(element.to_bytes(4, "little")[2:] + element.to_bytes(4, "little")[:2])
        out.write(vr + len(value).to_bytes(2, "little") + value)
    out.write(b"\xe0\x7f\x10\x00OW\0\0" + (7168).to_bytes(4, "little") + bytes(7168))
    return out.getvalue()


@SETTINGS
@given(changed=st.dictionaries(st.sampled_from(sorted(_NAMES.values())), VALUE, max_size=12))
def test_values_of_a_header(changed, whole):
    content = with_values(whole, changed)
    found = read(content)
    assert isinstance(found, LeftOut) or all(isinstance(each, Picture) for each in found)
    if not isinstance(found, LeftOut):
        views_of(slices_of([picture for picture in found if picture.kind.is_usable], []))


@SETTINGS
@given(at=st.integers(0, 2000), junk=st.binary(min_size=1, max_size=12))
def test_bytes_of_a_file(at, junk, whole):
    content = bytearray(whole)
    content[at : at + len(junk)] = junk
    found = read(bytes(content))
    assert isinstance(found, (LeftOut, list))


@SETTINGS
@given(at=st.integers(0, 6000), junk=st.binary(min_size=1, max_size=12))
def test_bytes_of_an_enhanced_file(at, junk, enhanced):
    content = bytearray(enhanced)
    content[at : at + len(junk)] = junk
    found = read(bytes(content))
    assert isinstance(found, (LeftOut, list))


NUMBERS = st.one_of(st.none(), st.sampled_from(["", "0", "-5", "1e9", "800", "3"]))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_studies_of_any_attributes(data, shots, tmp_path):
    """Whole studies, a third of whose pictures say something odd."""
    folder = tmp_path / str(abs(hash(data)))
    odd = []
    for shot in shots[:24]:
        says = dict(shot.says)
        for name in ("TriggerTime", "NominalInterval", "SliceThickness", "RescaleSlope", "AcquisitionNumber"):
            if data.draw(st.integers(0, 2)) == 0:
                value = data.draw(NUMBERS)
                says[name] = value if name != "AcquisitionNumber" or value != "1e9" else "7"
        if data.draw(st.integers(0, 9)) == 0:
            says["ImagePositionPatient"] = ["1e9", "0", str(data.draw(st.integers(-5, 5)))]
        odd.append(type(shot)(shot.k, shot.t, shot.pixels, says))
    with pydicom.config.disable_value_validation():
        save(odd, folder)
    study = read_study(folder)
    as_json(study)
    with suppress(CalidError):
        as_text(study, study.assemble(1))
