"""The report of a run: complete in one file, failures first, and nothing in it that names a patient."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image

from calid.batch.histogram import histogram


def page_of(cohort) -> str:
    return (cohort.out / "report.html").read_text(encoding="utf-8")


def test_each_case_has_a_row_and_a_picture_and_failures_come_first(small_cohort):
    cohort = small_cohort("a.nii", "b.nrrd", "broken.nii", "z.nii")
    cohort.run()
    page = page_of(cohort)
    assert re.findall(r"<tr class=(\w+)>.*?<td>(sub-\d+)", page) == [
        ("failed", "sub-00003"),
        ("done", "sub-00001"),
        ("done", "sub-00002"),
        ("done", "sub-00004"),
    ]
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == 3
    with Image.open(io.BytesIO(base64.b64decode(pictures[0]))) as picture:
        assert min(picture.size) > 1
    assert "<b>3</b> of 4 cases done" in page
    assert "Acquired slices" in page
    assert page.rstrip().endswith("</html>")


def test_it_opens_without_a_network_and_names_nobody(small_cohort):
    cohort = small_cohort("Roe_Richard/broken<b>.nii")
    cohort.run()
    page = page_of(cohort)
    assert re.findall(r"(?:src|href)\s*=\s*\"(?!data:)|https?://|@import|url\(", page) == []
    assert "Roe" not in page


def test_what_is_told_is_text_and_no_markup(small_cohort, tmp_path):
    cohort = small_cohort("broken<i>.nii")
    cohort.run(keep_ids=True)
    assert "broken&lt;i&gt;" in page_of(cohort)
    assert "broken<i>" not in page_of(cohort)


@pytest.mark.parametrize("values", [[1.0, 1.0], [0.0, 5.0, 5.0], [float(n) for n in range(1000)]])
def test_a_histogram_counts_every_value(values):
    counts = re.findall(r"to [^:]+: (\d+)<", histogram(values, "s"))
    assert sum(map(int, counts)) == len(values)
