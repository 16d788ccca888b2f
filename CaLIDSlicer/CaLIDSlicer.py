"""CaLIDSlicer: the scripted module of 3D Slicer that turns a sparse short-axis stack into a dense volume.

Module, widget, logic and test; the work is done in :mod:`CaLIDSlicerLib` and, in a child process, by :mod:`calid`.
"""
# ruff: noqa: PT009, PT027  (Slicer's test base class is a unittest.TestCase)

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ctk
import numpy as np
import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from calid.errors import CalidError, Cancelled, UnusableInput
from calid.protocol import Event, Progress, Started, Warned
from CaLIDSlicerLib.Reconstruction import Reconstruction
from CaLIDSlicerLib.VolumeBridge import voxelsOf


class CaLIDSlicer(ScriptedLoadableModule):
    """Name, place and credits of the module."""

    def __init__(self, parent) -> None:
        super().__init__(parent)
        parent.title = _("CaLID Cardiac Reconstruction")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Cardiac")]
        parent.dependencies = []
        parent.contributors = ["CaLID contributors"]
        parent.helpText = _(
            "Fills the gaps between the slices of a short-axis cardiac MR stack with slices synthesised by a "
            "conditional latent diffusion model. Choose the stack and the distance between slices that you want, "
            "and press Apply. Acquired slices are kept as they are. Synthesised slices are a model's estimate: "
            "for research use only, not for diagnosis. "
            'See <a href="https://github.com/calid/SlicerCaLID">the documentation</a>.'
        )
        parent.acknowledgementText = _(
            "The method follows CaLID, cardiac latent interpolation diffusion. The bundled model was trained on data "
            "of the Automated Cardiac Diagnosis Challenge (O. Bernard et al., IEEE TMI 37(11):2514-2525, 2018), "
            "so its weights are under CC BY-NC-SA 4.0; the code is under Apache-2.0."
        )


class CaLIDSlicerLogic(ScriptedLoadableModuleLogic):
    """Reconstruct volumes from the console or a script; needs no widget and shows no window.

    >>> dense = CaLIDSlicerLogic().reconstruct(node, spacing=2.0, mask=True)
    >>> mask = dense.GetNodeReference("CaLID.synthesised")
    >>> job = CaLIDSlicerLogic().start(node, spacing=2.0, onFinished=lambda job: print(job.error or job.volume))
    >>> job.cancel()

    :param workerCommand: replaces the worker program; the job folder is appended.
    """

    def __init__(self, workerCommand: Sequence[str] | None = None) -> None:
        super().__init__()
        self._workerCommand = workerCommand

    def reconstruct(self, node, spacing: float = 2.0, **options: Any):
        """Return the dense volume node of ``node``; blocks until it is there.

        :param spacing: largest distance in mm between slices of the result.
        :param options: ``mask``, ``uncertainty``, ``samples``, ``steps``, ``seed``, ``device``, ...: see
            :class:`CaLIDSlicerLib.Reconstruction.Reconstruction`.
        :raises CalidError: of one type for each remedy, from :mod:`calid.errors`.
        """
        return self.start(node, spacing, **options).wait()

    def start(
        self,
        node,
        spacing: float = 2.0,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[Reconstruction], None] | None = None,
        **options: Any,
    ) -> Reconstruction:
        """Start in the background and return the job, which has ``cancel()``, ``finished``, ``volume``, ``error``.

        :raises UnusableInput: at once, if the node or the spacing cannot be used.
        """
        return Reconstruction(node, spacing, onProgress, onFinished, workerCommand=self._workerCommand, **options)


class CaLIDSlicerWidget(ScriptedLoadableModuleWidget):
    """A volume selector, a spacing, Apply, Cancel and a progress bar."""

    def setup(self) -> None:
        super().setup()
        self.logic = CaLIDSlicerLogic()
        self.job: Reconstruction | None = None
        section = ctk.ctkCollapsibleButton()
        section.text = _("Dense volume")
        self.layout.addWidget(section)
        self._addInputs(qt.QFormLayout(section))
        self._addButtons(self.layout)
        self.layout.addStretch(1)
        self._showState()

    def cleanup(self) -> None:
        if self.job:
            self.job.cancel()

    def onApply(self) -> None:
        node, spacing = self.inputSelector.currentNode(), self.spacingBox.value
        self.progressBar.setValue(0)
        self.status.setText(_("Starting ..."))
        try:
            self.job = self.logic.start(node, spacing, self.onProgress, self.onFinished)
        except CalidError as error:
            self._showError(error)
        self._showState()

    def onCancel(self) -> None:
        if self.job:
            self.job.cancel()

    def onProgress(self, event: Event) -> None:
        if isinstance(event, Started):
            self.status.setText(_("{model} on {device}").format(model=event.model, device=event.device))
        elif isinstance(event, Warned):
            self.status.setText(event.message)
        elif isinstance(event, Progress):
            self.progressBar.setValue(round(100 * event.fraction))
            if event.seconds_left is not None:
                self.status.setText(_("{seconds} s left").format(seconds=round(event.seconds_left)))

    def onFinished(self, job: Reconstruction) -> None:
        self.job = None
        self.progressBar.setValue(0 if job.error else 100)
        self._showState()
        if job.error:
            self._showError(job.error)
        else:
            self.status.setText(_("{name} is ready. Research use only.").format(name=job.volume.GetName()))
            slicer.util.setSliceViewerLayers(background=job.volume, fit=True, rotateToVolumePlane=True)

    def _addInputs(self, form) -> None:
        self.inputSelector = slicer.qMRMLNodeComboBox()
        self.inputSelector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self.inputSelector.addEnabled = self.inputSelector.removeEnabled = self.inputSelector.renameEnabled = False
        self.inputSelector.showChildNodeTypes = False
        self.inputSelector.setMRMLScene(slicer.mrmlScene)
        self.inputSelector.setToolTip(_("The sparse short-axis stack."))
        self.inputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._showState)
        self.spacingBox = qt.QDoubleSpinBox()
        self.spacingBox.setRange(0.5, 10.0)
        self.spacingBox.setSingleStep(0.5)
        self.spacingBox.setValue(2.0)
        self.spacingBox.setSuffix(" mm")
        self.spacingBox.setToolTip(_("The largest distance between slices of the result."))
        form.addRow(_("Short-axis stack:"), self.inputSelector)
        form.addRow(_("Slice spacing:"), self.spacingBox)

    def _addButtons(self, layout) -> None:
        self.applyButton, self.cancelButton = qt.QPushButton(_("Apply")), qt.QPushButton(_("Cancel"))
        self.applyButton.connect("clicked(bool)", lambda _checked: self.onApply())
        self.cancelButton.connect("clicked(bool)", lambda _checked: self.onCancel())
        self.progressBar, self.status = qt.QProgressBar(), qt.QLabel()
        self.status.setWordWrap(True)
        for widget in (self.applyButton, self.cancelButton, self.progressBar, self.status):
            layout.addWidget(widget)

    def _showState(self, _node=None) -> None:
        self.applyButton.setEnabled(self.job is None and self.inputSelector.currentNode() is not None)
        self.cancelButton.setEnabled(self.job is not None)

    def _showError(self, error: CalidError) -> None:
        self.status.setText(str(error))
        if not isinstance(error, Cancelled):
            slicer.util.errorDisplay(f"{error}\n\n{error.remedy}".strip(), windowTitle="CaLID")


class CaLIDSlicerTest(ScriptedLoadableModuleTest):
    """Self-test: what is refused, and that the path to the worker and back works where PyTorch is installed."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        for test in (self.test_oneSliceIsRefused, self.test_nothingToDoIsRefused, self.test_acquiredSlicesAreKept):
            self.setUp()
            test()

    def test_oneSliceIsRefused(self) -> None:
        with self.assertRaises(UnusableInput):
            CaLIDSlicerLogic().reconstruct(self._stack(slices=1))

    def test_nothingToDoIsRefused(self) -> None:
        with self.assertRaises(UnusableInput):
            CaLIDSlicerLogic().reconstruct(self._stack(), spacing=8.0)

    def test_acquiredSlicesAreKept(self) -> None:
        from importlib.util import find_spec

        if find_spec("torch") is None or find_spec("diffusers") is None:
            self.delayDisplay("Skipped: PyTorch and diffusers are not installed")
            return
        sparse = self._stack()
        dense = CaLIDSlicerLogic().reconstruct(sparse, spacing=4.0, steps=1)
        np.testing.assert_array_equal(voxelsOf(dense)[::2], voxelsOf(sparse))
        self.assertAlmostEqual(dense.GetSpacing()[2], 4.0)

    def _stack(self, slices: int = 3):
        voxels = np.random.default_rng(0).integers(0, 400, (slices, 64, 64)).astype(np.int16)
        node = slicer.util.addVolumeFromArray(voxels, name="sparse")
        node.SetSpacing(1.4, 1.4, 8.0)
        return node
