"""Which cases a tree holds, and under which ids they go."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import calid
from calid.batch.finding import find_cases
from calid.batch.roster import enrol, read_list, write_key
from calid.errors import UnusableInput
from calid.phantom.beating_heart import Phantom
from calid.stacks.stack import SliceStack

sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))  # for the scanner
from scanner import save, shoot


@pytest.fixture(scope="module")
def heart() -> SliceStack:
    return Phantom(phases=8, slices=4, gap=10.0, pixel=4.0, matrix=(24, 20)).sparse


def names(*arguments: object) -> list[str]:
    return [found.name for found in find_cases(*arguments)]  # type: ignore[arg-type]


def single_slice(stack: SliceStack, path: Path, write_slice, k: int = 0) -> None:
    affine = stack.frame.copy()
    affine[:3, 3] += stack.positions[k] * affine[:3, 2]
    write_slice(path, stack.voxels[0, k], affine)


def test_files_studies_archives_and_folders_of_slices_in_any_mix(heart, tmp_path, write_slice):
    top = tmp_path / "in"
    for name in ("flat.nii.gz", "patient 1/sax.nrrd", "patiënt 2/cine.seq.nrrd", "pair.mha"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        calid.write_stack(heart.phase(0) if "cine" not in name else heart, top / name)
    (top / "slices").mkdir()
    for k in range(4):
        single_slice(heart, top / "slices" / f"s{k}.nii", write_slice, k)
    for k, shots in enumerate((shoot(heart, 1)[:16], shoot(heart, 1)[16:])):  # one series in two folders
        save(shots, top / "dicom" / "study a" / f"series {k}")
    save(shoot(heart, 2, StudyInstanceUID="1.2.3"), top / "dicom" / "study b")
    with zipfile.ZipFile(top / "packed.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    (top / "readme.txt").write_text("no case")
    (top / ".hidden.nii").touch()
    assert names(top) == [
        "dicom/study a",
        "dicom/study b",
        "flat.nii.gz",
        "packed.zip",
        "pair.mha",
        "patient 1/sax.nrrd",
        "patiënt 2/cine.seq.nrrd",
        "slices",
    ]


def test_a_study_among_others_in_one_folder_is_all_of_its_folders(heart, tmp_path):
    shots = shoot(heart, 1)
    save(shots[:16], tmp_path / "one")
    save(shots[16:], tmp_path / "two")
    save(shoot(heart, 5, StudyInstanceUID="1.2.3"), tmp_path / "other")
    assert sorted(names(tmp_path)) == ["one+two", "other"]


def test_long_axes_beside_a_stack_are_no_cases(heart, tmp_path, write_slice):
    calid.write_stack(heart, tmp_path / "sa.nii.gz")
    for name in ("la_2ch.nii.gz", "la_4ch.nii.gz"):
        single_slice(heart, tmp_path / name, write_slice)
    assert names(tmp_path) == ["sa.nii.gz"]


def test_results_are_no_cases_wherever_they_lie(heart, tmp_path, small_cohort):
    cohort = small_cohort("a.nrrd", out="in/results")
    cohort.run()
    assert names(cohort.top) == ["a.nrrd"]
    assert names(cohort.top, cohort.out) == ["a.nrrd"]


def test_a_pattern_takes_what_it_matches(heart, tmp_path):
    for name in ("p1/sax.nii", "p1/lax.nii", "p2/sax.nii"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        calid.write_stack(heart.phase(0), tmp_path / name)
    assert names(tmp_path, None, "*/sax.nii") == ["p1/sax.nii", "p2/sax.nii"]
    with pytest.raises(UnusableInput, match="nothing matches"):
        names(tmp_path, None, "*/nothing")
    with pytest.raises(UnusableInput, match="cannot be used"):
        names(tmp_path, None, "/absolute")


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_what_holds_no_case_is_refused(tmp_path, make):
    make(tmp_path / "in")
    with pytest.raises(UnusableInput, match="in"):
        names(tmp_path / "in")


def test_ids_are_numbers_that_stay_when_cases_are_added(tmp_path, small_cohort):
    cohort = small_cohort("b.nii", "d.nii")
    first = enrol(find_cases(cohort.top), tmp_path)
    write_key(first, tmp_path)
    cohort.add("a.nii", "c.nii")
    later = {case.name: case.id for case in enrol(find_cases(cohort.top), tmp_path)}
    assert later == {"a.nii": "00003", "b.nii": "00001", "c.nii": "00004", "d.nii": "00002"}


def test_ids_of_names_are_letters_and_digits_and_differ(tmp_path, small_cohort):
    cohort = small_cohort("p_1.nii", "p-1.nrrd", "ü/x.seq.nrrd", "B.nii.gz", "b.mha")
    ids = {case.name: case.id for case in enrol(find_cases(cohort.top), tmp_path, keep_names=True)}
    assert ids == {"B.nii.gz": "B", "b.mha": "bx2", "p-1.nrrd": "p1", "p_1.nii": "p1x2", "ü/x.seq.nrrd": "x"}


def test_a_list_names_ids_stacks_and_bodies(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("id,path,stack,height_cm,rr_ms\nA1,x/a.nii,,172,\nsub-B,b,2,,880\n", encoding="utf-8-sig")
    first, second = read_list(path)
    assert (first.id, first.paths, first.stack, first.body) == (
        "A1",
        (str(tmp_path / "x/a.nii"),),
        None,
        {"height_cm": 172},
    )
    assert (second.id, second.stack, second.body) == ("B", 2, {"rr_ms": 880})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lists no cases"),
        ("name\nx\n", "lists no cases"),
        ("id,path\na b,x\n", "line 2: 'a b' is no id"),
        ("id,path\na,\n", "line 2: there is no path"),
        ("id,path\na,x\nA,y\n", "line 3: there are two cases A"),
        ("id,path,stack\na,x,one\n", "line 2"),
        ("id,path,height_cm\na,x,1.72\n", "line 2: the height is 1.72 cm"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_with_the_line(tmp_path, text, words):
    path = tmp_path / "cases.csv"
    path.write_text(text)
    with pytest.raises(UnusableInput, match=words):
        read_list(path)


def test_ten_thousand_cases_are_found_and_numbered(tmp_path):
    for n in range(10_000):
        folder = tmp_path / f"{n // 100:02}"
        folder.mkdir(exist_ok=True)
        (folder / f"{n}.zip").touch()
    cases = enrol(find_cases(tmp_path), tmp_path)
    assert np.unique([case.id for case in cases]).size == 10_000
