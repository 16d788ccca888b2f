"""What all tests share: repeatable property tests, and a said skip of Slicer's tests where its parts are missing."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

WITHOUT_MRML = (
    "needs slicer-core (real MRML), not installed here: it has wheels for Python 3.11 and 3.12 on the platforms "
    f"that pyproject.toml names, this is {platform.python_version()} on {platform.system()} {platform.machine()}"
)

# Test processes run side by side, one for a core, and so do the workers they start: more threads wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A machine that is busy, or trains in the background, must not turn a slow example into a failure.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


class SkippedFolder(pytest.Collector):
    """A test folder that is reported as skipped, without importing its modules or its conftest."""

    reason = ""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        pytest.skip(self.reason)


def obstacle(folder: str) -> str:
    """Why the tests of a folder cannot run here; empty if they can."""
    if folder == "application":
        return "runs inside the Slicer application: make test-slicer"
    if folder not in ("slicer", "panel"):
        return ""
    if importlib.util.find_spec("slicer_core") is None:
        return WITHOUT_MRML
    if folder == "panel":
        try:
            importlib.import_module("PySide6.QtUiTools")
        except ImportError as error:  # PySide6 itself, or a system library such as libEGL
            return f"needs Qt by PySide6-Essentials, which cannot be loaded here: {error}"
    return ""


@pytest.fixture
def package(monkeypatch) -> ModuleType:
    """``scripts/package.py``, which reads the lists of the CMake files."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "scripts"))
    return importlib.import_module("package")


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Skip ``Testing/slicer`` and ``Testing/panel`` as a whole where slicer-core or Qt cannot be loaded.

    And ``Testing/application`` always: Slicer's own Python runs it.
    """
    reason = obstacle(path.name) if path.parent == Path(__file__).parent else ""
    if not reason:
        return None
    folder = SkippedFolder.from_parent(parent, name=path.name, path=path)
    folder.reason = reason
    return folder
