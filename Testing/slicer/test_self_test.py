"""The self-test of the module, run here on real MRML: its own logic paths, with a worker that only repeats slices."""

from __future__ import annotations

import logging
import unittest
from pathlib import Path
from types import SimpleNamespace

import pytest

from CaLIDSlicerLib import SelfTest as selfTestFile
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.SelfTest import SelfTest

# In Slicer the Sequences module lets proxies follow the selected phase.
pytestmark = pytest.mark.usefixtures("sequencesLogic")

TESTS = sorted(name for name in dir(SelfTest) if name.startswith("test_"))


def logicWith(workerCommand):
    """What :class:`CaLIDSlicerLogic` is to the self-test."""

    def start(node, spacing=2.0, onProgress=None, onFinished=None, **options):
        return Reconstruction(node, spacing, onProgress, onFinished, workerCommand=workerCommand, **options)

    return SimpleNamespace(start=start)


@pytest.fixture
def makeTest(repeatingWorker):
    """The test class as the module file makes it, in this process or, without a command, with the real worker."""

    def make(name: str = "runTest", workerCommand=repeatingWorker) -> unittest.TestCase:
        class CaLIDSlicerTest(SelfTest, unittest.TestCase):
            def makeLogic(self):
                return logicWith(workerCommand)

        return CaLIDSlicerTest(name)

    return make


@pytest.mark.parametrize("name", TESTS)
def test_each_test_passes_as_slicer_add_python_unittest_runs_it(makeTest, name):
    result = makeTest(name).run(unittest.TestResult())
    assert [text for _, text in result.errors + result.failures] == []
    assert result.skipped == []


def test_the_real_worker_passes_the_test_of_the_cine(makeTest):
    result = makeTest("test_cineBecomesDense", workerCommand=None).run(unittest.TestResult())
    assert [text for _, text in result.errors + result.failures] == []


def test_without_torch_the_model_is_skipped_with_the_reason_and_the_rest_runs(makeTest, monkeypatch, caplog):
    monkeypatch.setattr(selfTestFile, "find_spec", lambda name: None if name == "torch" else object())
    caplog.set_level(logging.INFO)
    makeTest().runTest()
    skipped = [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()]
    assert len(skipped) == 3
    assert all(text.endswith("not installed: torch") for text in skipped)


def test_a_worker_that_changes_acquired_slices_fails_the_self_test(makeTest, repeatingWorker):
    script = Path(repeatingWorker[-1])
    changed = "import numpy as np\nsave = np.save\nnp.save = lambda path, voxels: save(path, voxels + 1)"
    script.write_text(script.read_text(encoding="utf-8").replace("import numpy as np", changed, 1), encoding="utf-8")
    result = makeTest("test_stillBecomesDense").run(unittest.TestResult())
    assert "Mismatched elements" in result.failures[0][1]
