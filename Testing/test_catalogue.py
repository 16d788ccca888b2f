"""The catalogue entry, the description file and CMake agree, and pass what the index of Slicer extensions checks.

The facts: ``Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json`` of 3D Slicer, and of its ExtensionsIndex
``scripts/check_description_files.py`` and the list of accepted categories.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NAME = "CaLIDSlicer"
PATH = ROOT / f"{NAME}.json"
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
RAW = "https://raw.githubusercontent.com/calid/SlicerCaLID/main/"
REPOSITORY_PREFIXES = ("Slicer", "Slicer-", "Slicer_", "SlicerExtension-", "SlicerExtension_")


def isText(value: object) -> bool:
    return isinstance(value, str)


FIELDS: dict[str, Callable[[Any], bool]] = {
    "$schema": isText,
    "category": isText,
    "scm_url": isText,
    "scm_revision": isText,
    "scm_type": lambda value: value in ("git", "local"),
    "build_dependencies": lambda value: isinstance(value, list) and all(map(isText, value)),
    "build_subdirectory": isText,
    "dicom_support_rule": isText,
    "enabled": lambda value: isinstance(value, bool),
    "tier": lambda value: type(value) is int and 1 <= value <= 5,
}
REQUIRED = {"$schema", "category", "scm_url"}


def problems(entry: dict[str, Any]) -> list[str]:
    """What the schema does not allow: the names of missing, unknown and wrong fields."""
    missing = [f"{name} is missing" for name in sorted(REQUIRED - entry.keys())]
    unknown = [f"{name} is unknown" for name in sorted(entry.keys() - FIELDS.keys())]
    wrong = [f"{name} is {value!r}" for name, value in entry.items() if name in FIELDS and not FIELDS[name](value)]
    return missing + unknown + wrong


@pytest.fixture
def entry() -> dict[str, Any]:
    return json.loads(PATH.read_text(encoding="utf-8"))


@pytest.fixture
def cmake(package) -> Callable[[str], str]:
    def value(name: str) -> str:
        (found,) = package.cmake_list(name, ROOT / "CMakeLists.txt")
        return found

    return value


@pytest.fixture
def description() -> dict[str, str]:
    lines = (ROOT / f"{NAME}.s4ext").read_text().splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def test_the_entry_is_valid(entry):
    assert problems(entry) == []
    assert entry["$schema"] == SCHEMA
    assert b"\r" not in PATH.read_bytes()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"category": None}, "category is None"),
        ({"tier": 6}, "tier is 6"),
        ({"tier": True}, "tier is True"),
        ({"build_dependencies": "PyTorch"}, "build_dependencies is 'PyTorch'"),
        ({"scm_type": "svn"}, "scm_type is 'svn'"),
        ({"homepage": "x"}, "homepage is unknown"),
    ],
)
def test_an_invalid_entry_is_found(entry, change, expected):
    assert problems(entry | change) == [expected]


def test_a_missing_field_is_found(entry):
    del entry["scm_url"]
    assert problems(entry) == ["scm_url is missing"]


def test_the_names_are_those_that_the_index_accepts(entry):
    repository = entry["scm_url"].rsplit("/", 1)[1].removesuffix(".git")
    project = re.search(r"^project\((\w+)\)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert project[1] == PATH.stem
    assert not PATH.stem.startswith("Slicer")
    assert repository.startswith(REPOSITORY_PREFIXES)
    assert entry["category"] == "Cardiac"
    assert (ROOT / "LICENSE.txt").is_file()


def test_the_three_descriptions_agree(entry, cmake, description):
    assert entry["category"] == cmake("EXTENSION_CATEGORY") == description["category"]
    assert " ".join(entry["build_dependencies"]) == cmake("EXTENSION_DEPENDS") == description["depends"]
    assert entry["build_subdirectory"] == cmake("EXTENSION_BUILD_SUBDIRECTORY") == description["build_subdirectory"]
    assert entry["scm_url"] == description["scmurl"] == cmake("EXTENSION_HOMEPAGE") + ".git"
    assert entry["scm_revision"] == description["scmrevision"]
    assert description["scm"] == "git"


def test_the_module_says_the_same_category_and_homepage(entry, cmake):
    module = (ROOT / NAME / f"{NAME}.py").read_text(encoding="utf-8")
    assert f'translate("qSlicerAbstractCoreModule", "{entry["category"]}")' in module
    assert cmake("EXTENSION_HOMEPAGE") in module


def test_icon_and_screenshots_are_pictures_of_this_repository(cmake):
    urls = [cmake("EXTENSION_ICONURL"), *cmake("EXTENSION_SCREENSHOTURLS").split()]
    assert len(urls) > 1
    for url in urls:
        assert url.startswith(RAW)
        assert (ROOT / url.removeprefix(RAW)).read_bytes().startswith((b"\x89PNG", b"\xff\xd8", b"GIF8"))


def test_the_index_can_read_the_quoted_fields():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS"):
        assert re.search(rf'set\(EXTENSION_{name} "[^"\n]+"\)', text), name


def test_the_description_names_purpose_limits_and_the_licence_of_the_weights(cmake):
    text = cmake("EXTENSION_DESCRIPTION")
    assert "short-axis" in text
    assert "esearch use only" in text
    assert "CC BY-NC-SA 4.0" in text
