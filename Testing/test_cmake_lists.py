"""Slicer installs only what CaLIDSlicer/CMakeLists.txt lists, so the lists are compared with the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULE = ROOT / "CaLIDSlicer"


def filesBelow(folder: Path, relativeTo: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(relativeTo) for path in files]
    hidden = [name for name in names if any(part.startswith((".", "__pycache__")) for part in name.parts)]
    return sorted(name.as_posix() for name in set(names) - set(hidden))


def expectedLists() -> dict[str, list[str]]:
    inModule = [name for name in filesBelow(MODULE, MODULE) if name != "CMakeLists.txt"]
    return {
        "MODULE_PYTHON_SCRIPTS": [name for name in inModule if name.endswith(".py")],
        "MODULE_PYTHON_RESOURCES": [name for name in inModule if not name.endswith(".py")],
        "MODULE_WEIGHTS": filesBelow(ROOT / "Resources" / "Models", ROOT),
    }


@pytest.mark.parametrize("name", expectedLists())
def test_the_list_is_the_tree(name, package):
    expected = expectedLists()[name]
    listed = package.cmake_list(name)
    pasteable = "\n".join(f"  {file}" for file in expected)
    assert sorted(listed) == expected, f"{name} should be:\n{pasteable}"
    assert len(set(listed)) == len(listed)


def description() -> dict[str, str]:
    lines = (ROOT / "CaLIDSlicer.s4ext").read_text().splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        ("homepage", "EXTENSION_HOMEPAGE"),
        ("contributors", "EXTENSION_CONTRIBUTORS"),
        ("category", "EXTENSION_CATEGORY"),
        ("iconurl", "EXTENSION_ICONURL"),
        ("description", "EXTENSION_DESCRIPTION"),
        ("screenshoturls", "EXTENSION_SCREENSHOTURLS"),
        ("depends", "EXTENSION_DEPENDS"),
        ("build_subdirectory", "EXTENSION_BUILD_SUBDIRECTORY"),
    ],
)
def test_the_description_file_says_the_same_as_cmake(key, variable, package):
    assert [description()[key]] == package.cmake_list(variable, ROOT / "CMakeLists.txt")


def test_pictures_named_by_the_description_are_in_the_repository():
    urls = [description()["iconurl"], *description()["screenshoturls"].split()]
    paths = [ROOT / url.split("/main/", 1)[1] for url in urls]
    assert [path for path in paths if not path.is_file()] == []
