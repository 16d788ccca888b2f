"""The page of a measured heart: whole in one file, safe with any title, and nothing on it that is not known."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import calid
from calid.measurement.charts import Line, bullseye, volume_curve
from calid.measurement.report import to_html
from calid.options import Options
from calid.phantom.beating_heart import Phantom

COARSE = Options(spacing=4.0, device="cpu")


@pytest.fixture(scope="module")
def heart() -> calid.Measurement:
    stack = Phantom(phases=3, slices=14, gap=4.0, thickness=4.0, matrix=(80, 80), pixel=2.2).sparse
    acquired = [k // 2 if k % 2 == 0 else None for k in range(13)]
    part = type(stack)(stack.voxels[:, :13], stack.frame, stack.positions[:13])
    return calid.measure(part, body=calid.Body(180, 80, 900), acquired=acquired, options=COARSE)


@pytest.fixture(scope="module")
def page(heart) -> str:
    return to_html(heart, "case 7", "The model is better on 5 of 6 slices.")


class Tags(HTMLParser):
    """Which tags are open, and all addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img", "path", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("path", "polyline"):
            assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(page):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.addresses
    assert all(address.startswith("data:image/png;base64,") for address in tags.addresses)


def test_numbers_intervals_and_words_are_there(page, heart):
    low, high = heart.to_dict()["intervals"]["lv"]["edv_ml"]
    for part in (
        f"{heart.lv['edv_ml']:.1f}",
        f"({low:.1f} to {high:.1f})",
        "Research use only",
        "The model is better on 5 of 6 slices.",
        "R-R interval 900 ms",
        "/m²",
        "Simpson",
        "calid-seg-2",
        *heart.notes[:1],
    ):
        assert part in page, part


def test_the_title_cannot_break_out(heart):
    assert "<script>" not in to_html(heart, "<script>alert(1)</script>")


def test_pictures_show_the_borders_of_the_chambers(page):
    pictures = [base64.b64decode(found) for found in re.findall(r"base64,([^\"]+)", page)]
    assert len(pictures) == 4  # two planes at end-diastole and end-systole
    for png in pictures:
        picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
        assert (np.ptp(picture, axis=2) > 60).mean() > 0.003  # coloured
        assert picture.std() > 20


def test_one_phase_has_no_curve_and_no_fraction():
    stack = Phantom(phases=1, slices=14, gap=4.0, thickness=4.0, matrix=(80, 80), pixel=2.2).sparse
    page = to_html(calid.measure(stack, options=COARSE), "still")
    assert "polyline" not in page
    assert "ejection fraction, %" not in page
    assert page.count("<img") == 2


def test_charts_are_pictures_of_their_own():
    curve = ElementTree.fromstring(volume_curve([Line([1, 2, 3], "#f00")], None, {"ED": 2}))
    assert len([line for line in curve.iter() if line.tag.endswith("polyline")]) == 1
    eye = ElementTree.fromstring(bullseye({1: 8.0, 17: 5.0}, 4, 14))
    texts = [text.text for text in eye.iter() if text.tag.endswith("text")]
    assert len(texts) == 17
    assert (texts[0], texts[16], texts[1]) == ("8.0", "5.0", "–")
