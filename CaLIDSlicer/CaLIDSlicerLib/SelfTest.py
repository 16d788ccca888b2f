"""What *Reload and Test* and ``slicer_add_python_unittest`` check inside Slicer: phantom in, dense heart out.

No test opens a window. Those that need the model are skipped, with the reason in the log, where it cannot run.
"""
# ruff: noqa: PT009, PT027  (Slicer's test base class is a unittest.TestCase)

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from unittest import SkipTest

import numpy as np
import slicer

from calid.errors import Cancelled, UnusableInput
from calid.protocol import Progress

from .Scene.SampleData import SampleShape, addCine, addStill
from .Scene.VolumeBridge import voxelsOf

SMALL = SampleShape(phases=3, slices=3, gap=8.0, pixel=3.0, matrix=(40, 48))
STEPS_PER_GAP = 2
SPACING = SMALL.gap / STEPS_PER_GAP
QUICK = {"steps": 1, "samples": 1, "device": "cpu"}
NEEDED = ("torch", "diffusers", "safetensors")

if TYPE_CHECKING:
    from unittest import TestCase as Base
else:  # unittest runs every TestCase that a module file names, so this base must not be one
    Base = object


class SelfTest(Base):
    """The tests of the module, as a base class beside Slicer's; :meth:`makeLogic` is all that is left to give.

    >>> class CaLIDSlicerTest(SelfTest, ScriptedLoadableModuleTest):
    ...     def makeLogic(self):
    ...         return CaLIDSlicerLogic()
    """

    def makeLogic(self) -> Any:
        """The logic under test, with ``start`` and ``reconstruct``."""
        raise NotImplementedError

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all tests, as *Reload and Test* does; a skipped one is logged."""
        for name in sorted(name for name in dir(self) if name.startswith("test_")):
            self.setUp()
            try:
                getattr(self, name)()
            except SkipTest as reason:
                logging.info("%s skipped: %s", name, reason)

    def test_unusableInputIsRefused(self) -> None:
        """One slice, a label map, nothing to fill in, no node: each is refused at once and adds nothing."""
        labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
        oneSlice = slicer.util.addVolumeFromArray(np.arange(12, dtype=np.int16).reshape(1, 3, 4))
        still = addStill(SMALL)
        before = nodeNames()
        for node, spacing in (
            (oneSlice, SPACING),
            (labels, SPACING),
            (None, SPACING),
            (still, SMALL.gap),
            (still, 0.0),
        ):
            with self.assertRaises(UnusableInput):
                self.makeLogic().start(node, spacing)
        self.assertEqual(nodeNames(), before)

    def test_cancelLeavesTheSceneAsItWas(self) -> None:
        still = addStill(SMALL)
        before = nodeNames()
        ended: list[Any] = []
        job = self.makeLogic().start(still, SPACING, onFinished=ended.append, **QUICK)
        self.assertFalse(job.finished)
        job.cancel()
        self.assertEqual(ended, [job])
        self.assertIsInstance(job.error, Cancelled)
        self.assertEqual(nodeNames(), before)

    def test_stillBecomesDense(self) -> None:
        """The acquired slices stay where and as they are, and new ones lie between them."""
        self._skipWithoutModel()
        still = addStill(SMALL)
        fractions: list[float] = []

        def onProgress(event) -> None:
            if isinstance(event, Progress):
                fractions.append(event.fraction)

        dense = self.makeLogic().start(still, SPACING, onProgress, **QUICK).wait()
        self._checkGeometry(dense, still)
        np.testing.assert_array_equal(voxelsOf(dense)[::STEPS_PER_GAP], voxelsOf(still))
        self.assertEqual(fractions, sorted(fractions))
        self.assertTrue(fractions)

    def test_cineBecomesDense(self) -> None:
        """Every phase is filled in, at the same times, and both cines play together."""
        self._skipWithoutModel()
        proxy = addCine(SMALL)
        phases: list[int] = []
        job = self.makeLogic().start(proxy, SPACING, onPhase=lambda _job, index: phases.append(index), **QUICK)
        dense = job.wait()
        self.assertEqual(phases, list(range(SMALL.phases)))
        self._checkGeometry(dense, proxy)
        sparse = job.browser.GetSequenceNode(proxy)
        self.assertEqual(timeAxis(job.sequence), timeAxis(sparse))
        self.assertIs(job.browser.GetProxyNode(job.sequence), dense)
        for phase in reversed(range(SMALL.phases)):
            job.browser.SetSelectedItemNumber(phase)
            np.testing.assert_array_equal(voxelsOf(dense), voxelsOf(job.sequence.GetNthDataNode(phase)))
            np.testing.assert_array_equal(voxelsOf(proxy), voxelsOf(sparse.GetNthDataNode(phase)))
            np.testing.assert_array_equal(voxelsOf(dense)[::STEPS_PER_GAP], voxelsOf(proxy))
        self.assertFalse(dense.GetDisplayNode().GetAutoWindowLevel())

    def test_cancelKeepsTheFinishedPhasesWhenAsked(self) -> None:
        self._skipWithoutModel()
        proxy = addCine(SMALL)
        job = self.makeLogic().start(proxy, SPACING, onPhase=lambda job, _index: job.cancel(keep=True), **QUICK)
        with self.assertRaises(Cancelled):
            job.wait()
        self.assertEqual(job.sequence.GetNumberOfDataNodes(), 1)
        np.testing.assert_array_equal(
            voxelsOf(job.sequence.GetNthDataNode(0))[::STEPS_PER_GAP], voxelsOf(proxy), "the first phase"
        )

    def _checkGeometry(self, dense, sparse) -> None:
        self.assertEqual(voxelsOf(dense).shape, ((SMALL.slices - 1) * STEPS_PER_GAP + 1, *SMALL.matrix))
        self.assertEqual(voxelsOf(dense).dtype, voxelsOf(sparse).dtype)
        np.testing.assert_allclose(dense.GetOrigin(), sparse.GetOrigin(), atol=1e-6)
        np.testing.assert_allclose(dense.GetSpacing(), (SMALL.pixel, SMALL.pixel, SPACING), atol=1e-6)

    def _skipWithoutModel(self) -> None:
        missing = [name for name in NEEDED if find_spec(name) is None]
        if missing:
            self.skipTest(f"not installed: {', '.join(missing)}")


def nodeNames() -> list[str]:
    """The names of all nodes in the scene, in order."""
    nodes = slicer.mrmlScene.GetNodes()
    return [nodes.GetItemAsObject(index).GetName() or "" for index in range(nodes.GetNumberOfItems())]


def timeAxis(sequence) -> tuple[str, str, list[str]]:
    """Name, unit and values of the index of a sequence node."""
    values = [sequence.GetNthIndexValue(index) for index in range(sequence.GetNumberOfDataNodes())]
    return sequence.GetIndexName(), sequence.GetIndexUnit(), values
