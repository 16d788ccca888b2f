"""CaLIDSlicer: the scripted module of 3D Slicer that turns a sparse short-axis stack into a dense volume.

Module, widget, logic and test; the work is done in :mod:`CaLIDSlicerLib` and, in a child process, by :mod:`calid`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
from slicer.util import VTKObservationMixin

from calid.errors import telling_in
from calid.protocol import Event, HeartFacts
from CaLIDSlicerLib import Host
from CaLIDSlicerLib.Dicom.Opening import StudyOpening
from CaLIDSlicerLib.Display import Showing
from CaLIDSlicerLib.Display.Layout import registerLayouts
from CaLIDSlicerLib.Jobs.Errors import CONSOLE
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Measurement.Measuring import Measuring
from CaLIDSlicerLib.Panel.Controller import Panel
from CaLIDSlicerLib.Panel.Dropping import Dropping
from CaLIDSlicerLib.Panel.Parameters import Parameters
from CaLIDSlicerLib.Panel.Services import PanelServices
from CaLIDSlicerLib.Panel.Wiring import realServices
from CaLIDSlicerLib.Scene import SampleData
from CaLIDSlicerLib.SelfCheck.Check import SelfCheck
from CaLIDSlicerLib.SelfTest import SelfTest

OWN_PACKAGES = ("CaLIDSlicerLib", "calid")


class CaLIDSlicer(ScriptedLoadableModule):
    """Name, place and credits of the module."""

    def __init__(self, parent) -> None:
        super().__init__(parent)
        parent.title = _("CaLID Cardiac Reconstruction")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Cardiac")]
        parent.dependencies = []
        parent.contributors = ["CaLID contributors"]
        parent.helpText = _(
            "Fills the gaps between the slices of a short-axis cardiac MR stack, or of all phases of a cine, with "
            "slices synthesised by a conditional latent diffusion model. Choose the stack and the distance between "
            "slices that you want, and press Apply. Acquired slices are kept as they are. Synthesised slices are a "
            "model's estimate: for research use only, not for diagnosis. "
            'See <a href="https://github.com/calid/SlicerCaLID">the documentation</a>.'
        )
        parent.acknowledgementText = _(
            'The method follows CaLID, cardiac latent interpolation diffusion (<a href="https://arxiv.org/abs/2508.13826">'
            "arXiv:2508.13826</a>). The bundled model was trained on data "
            "of the Automated Cardiac Diagnosis Challenge (O. Bernard et al., IEEE TMI 37(11):2514-2525, 2018), "
            "so its weights are under CC BY-NC-SA 4.0; the code is under Apache-2.0."
        )
        _offerToDicom()
        app = Host.application()
        if app:
            app.startupCompleted.connect(self._onStartupCompleted)

    def _onStartupCompleted(self) -> None:
        registerLayouts(slicer.mrmlScene)
        Showing.begin(slicer.mrmlScene)
        Host.application().aboutToQuit.connect(Showing.end)  # the panel may never be opened, and Python ends first
        SampleData.registerSampleData(self.resourcePath(""))


def _offerToDicom() -> None:
    """Let Slicer's module *DICOM* load short-axis cines, in a Slicer that was built with it."""
    try:
        from CaLIDSlicerLib.Dicom.Plugin import registerPlugin
    except ImportError:
        return
    registerPlugin()


class CaLIDSlicerLogic(ScriptedLoadableModuleLogic):
    """Reconstruct stacks and cines from the console or a script; needs no widget and shows no window.

    >>> dense = CaLIDSlicerLogic().reconstruct(node, spacing=2.0, mask=True)
    >>> mask = dense.GetNodeReference("CaLID.synthesised")
    >>> job = CaLIDSlicerLogic().start(node, spacing=2.0, onFinished=lambda job: print(job.error or job.volume))
    >>> job.cancel()

    :param workerCommand: replaces the worker program; the job folder is appended.
    """

    def __init__(self, workerCommand: Sequence[str] | None = None) -> None:
        super().__init__()
        self._workerCommand = workerCommand

    def getParameterNode(self) -> Parameters:
        """The panel's parameters, in the scene."""
        return Parameters(super().getParameterNode())  # type: ignore[call-arg]  # Slicer's decorator makes it

    def reconstruct(self, node, spacing: float | None = None, **options: Any):
        """Return the dense volume node of ``node``; blocks until it is there.

        :param node: a volume; or a cine by its proxy volume, its sequence or its sequence browser node, and then the
            proxy of the dense sequence is returned.
        :param spacing: largest distance in mm between slices of the result; 2 if it is left out.
        :param options: ``phases``, ``output``, ``mask`` and others of
            :class:`CaLIDSlicerLib.Jobs.Reconstruction.Reconstruction`; ``uncertainty``, ``samples``, ``seed``,
            ``device`` and others of :class:`calid.options.Options`, one by one or as ``options=Options(...)``.
        :raises CalidError: of one type for each remedy, from :mod:`calid.errors`.
        """
        return self.start(node, spacing, **options).wait()

    def start(
        self,
        node,
        spacing: float | None = None,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[Reconstruction], None] | None = None,
        **options: Any,
    ) -> Reconstruction:
        """Start in the background and return the job, which has ``cancel()``, ``finished``, ``volume``, ``error``.

        :raises UnusableInput: at once, if the node or the spacing cannot be used.
        """
        with telling_in(CONSOLE):
            return Reconstruction(node, spacing, onProgress, onFinished, workerCommand=self._workerCommand, **options)

    def openStudy(
        self,
        paths: str | Path | Sequence[str | Path],
        stack: int | None = None,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[StudyOpening], None] | None = None,
    ) -> StudyOpening:
        """Start to look for the short-axis cine of a study; ``wait()`` returns its volume node.

        :param paths: a folder of any depth, a zip archive, or files of DICOM.
        :param stack: its number among several, as the report counts; ``None`` takes the short-axis cine.
        """
        with telling_in(CONSOLE):
            return StudyOpening(paths, stack, onProgress, onFinished, workerCommand=self._workerCommand)

    def selfCheck(
        self,
        node,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[SelfCheck], None] | None = None,
        **options: Any,
    ) -> SelfCheck:
        """Start to predict the inner slices of ``node`` from their neighbours; ``wait()`` returns the report.

        :raises UnusableInput: at once, if the node cannot be used.
        """
        with telling_in(CONSOLE):
            return SelfCheck(node, onProgress, onFinished, workerCommand=self._workerCommand, **options)

    def measure(
        self,
        node,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[Measuring], None] | None = None,
        *,
        height_cm: float | None = None,
        weight_kg: float | None = None,
        rr_ms: float | None = None,
        papillary: str = "cavity",
        verdict: str = "",
        **options: Any,
    ) -> Measuring:
        """Start to measure a dense volume or cine; ``wait()`` returns its measures.

        >>> measures = CaLIDSlicerLogic().measure(dense, rr_ms=880).wait()
        >>> measures.numbers["lv"]["ef_percent"]

        :param height_cm: of the patient, with ``weight_kg`` for what is given per body surface.
        :param rr_ms: from one heart beat to the next, for cardiac output and rates.
        :param papillary: ``"cavity"`` or ``"wall"``, where papillary muscles are counted.
        :param verdict: of a self-check of the same stack, for the report.
        :raises UnusableInput: at once, if the node or what is said of the patient cannot be used.
        """
        heart = HeartFacts(height_cm, weight_kg, rr_ms, papillary, verdict=verdict)
        with telling_in(CONSOLE):
            return Measuring(node, onProgress, onFinished, heart=heart, workerCommand=self._workerCommand, **options)


class CaLIDSlicerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel in Slicer: its life cycle, and all windows that it opens.

    :param makeServices: as :func:`CaLIDSlicerLib.Panel.Wiring.realServices`, for tests.
    """

    def __init__(self, parent=None, makeServices: Callable[..., PanelServices] = realServices) -> None:
        self._makeServices = makeServices
        self._isImportedInto = False
        super().__init__(parent)

    def setup(self) -> None:
        super().setup()
        self.logic = CaLIDSlicerLogic()
        widget = slicer.util.loadUI(self.resourcePath("UI/CaLIDSlicer.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        services = self._makeServices(
            self.logic,
            self._ask,
            self._tell,
            self._chooseFile,
            self._chooseStudy,
            self._chooseOutput,
            self._open,
            self._read,
            self._isInFront,
        )
        self.panel, self._display = Panel(self.ui, services), services.display
        self._dropping = Dropping(widget, self.panel.openStudy)
        self._display.begin(slicer.mrmlScene)
        self._display.listen(self.panel.onViews)
        scene = slicer.mrmlScene
        for event, method in (
            (scene.StartCloseEvent, self._onSceneStartClose),
            (scene.EndCloseEvent, self._onSceneEndClose),
            (scene.StartImportEvent, self._onSceneStartImport),
            (scene.EndImportEvent, self._onSceneEndImport),
        ):
            self.addObserver(scene, event, method)
        self._onQuit = self.panel.close  # one object, so that it can be disconnected
        slicer.app.aboutToQuit.connect(self._onQuit)
        self.panel.setParameters(self.logic.getParameterNode())

    def cleanup(self) -> None:
        slicer.app.aboutToQuit.disconnect(self._onQuit)
        self.removeObservers()
        self.panel.close()
        self._display.end()

    def enter(self) -> None:
        if not self.panel.isConnected:
            self.panel.setParameters(self.logic.getParameterNode())
        self.panel.enter()

    def onReload(self) -> None:
        """Reload the packages too: Slicer reloads this file only."""
        for name in [name for name in sys.modules if name.partition(".")[0] in OWN_PACKAGES]:
            del sys.modules[name]
        super().onReload()

    def _onSceneStartClose(self, _caller: Any, _event: Any) -> None:
        self.panel.close()

    def _onSceneEndClose(self, _caller: Any, _event: Any) -> None:
        if self._isInFront():  # else enter() does it; a module that nobody looks at adds nothing to the new scene
            self.panel.setParameters(self.logic.getParameterNode())

    def _onSceneStartImport(self, _caller: Any, _event: Any) -> None:
        """Keep the selectors from choosing among the nodes that come: the scene was saved with a choice."""
        self._isImportedInto = self.panel.isConnected
        self.panel.setParameters(None)

    def _onSceneEndImport(self, _caller: Any, _event: Any) -> None:
        if self._isImportedInto:  # else enter() does it
            self.panel.setParameters(self.logic.getParameterNode())

    def _isInFront(self) -> bool:
        return self.parent.isEntered

    def _ask(self, question: str) -> bool:
        return slicer.util.confirmOkCancelDisplay(question, windowTitle=_("CaLID"))

    def _tell(self, error: str) -> None:
        slicer.util.errorDisplay(error, windowTitle=_("CaLID"))

    def _chooseStudy(self) -> str:
        return qt.QFileDialog.getExistingDirectory(self.parent, _("Open study"))

    def _chooseOutput(self, name: str, kind: str) -> str:
        chosen = qt.QFileDialog.getSaveFileName(self.parent, _("Save"), name, kind)
        return chosen + Path(name).suffix if chosen and not Path(chosen).suffix else chosen

    def _open(self, path: str) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(path))

    def _read(self, text: str) -> None:
        slicer.util.infoDisplay(_("This is what the study holds."), windowTitle=_("CaLID"), detailedText=text)

    def _chooseFile(self) -> str:
        return qt.QFileDialog.getOpenFileName(self.parent, _("Import weights"), "", _("Published model (*.zip)"))


class CaLIDSlicerFileReader:
    """How Slicer loads the sample data, by a file that names a sample; Slicer finds it by the name of this class."""

    def __init__(self, parent) -> None:
        self.parent = parent

    def description(self) -> str:
        return _("CaLID phantom")

    def fileType(self) -> str:
        return SampleData.FILE_TYPE

    def extensions(self) -> list[str]:
        return [f"{self.description()} (*{SampleData.SUFFIX})"]

    def load(self, properties: dict[str, Any]) -> bool:
        volumes = SampleData.loadSample(properties["fileName"])
        if volumes is None:
            return False
        self.parent.loadedNodes = [volume.GetID() for volume in volumes]
        return True


class CaLIDSlicerTest(SelfTest, ScriptedLoadableModuleTest):
    """Self-test: a phantom becomes a dense, beating cine; see :mod:`CaLIDSlicerLib.SelfTest`."""

    def makeLogic(self) -> CaLIDSlicerLogic:
        return CaLIDSlicerLogic()
