"""What all tests share: repeatable property tests, and a said skip of the MRML tests where MRML cannot be installed."""

from __future__ import annotations

import importlib
import importlib.util
import platform
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

WITHOUT_MRML = (
    "needs slicer-core (real MRML), not installed here: it has wheels for Python 3.11 and 3.12 on the platforms "
    f"that pyproject.toml names, this is {platform.python_version()} on {platform.system()} {platform.machine()}"
)

# A machine that is busy, or trains in the background, must not turn a slow example into a failure.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


class SkippedFolder(pytest.Collector):
    """A test folder that is reported as skipped, without importing its modules or its conftest."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        pytest.skip(WITHOUT_MRML)


@pytest.fixture
def package(monkeypatch) -> ModuleType:
    """``scripts/package.py``, which reads the lists of the CMake files."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "scripts"))
    return importlib.import_module("package")


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Skip ``Testing/slicer`` as a whole where slicer-core is not installed."""
    if path == Path(__file__).parent / "slicer" and importlib.util.find_spec("slicer_core") is None:
        return SkippedFolder.from_parent(parent, name=path.name, path=path)
    return None
