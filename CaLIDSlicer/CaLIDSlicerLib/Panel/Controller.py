"""The panel: shows the state of its parameters and of what runs, and passes presses of buttons on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import slicer
import vtk
from slicer.util import VTKObservationMixin

from .Advanced import PanelAdvanced
from .Inputs import changesOf, chooseFirstVolume, firstInput, forgetStack, geometryOf, isPlayed
from .Labels import WholeText, say
from .Measure import PanelMeasure
from .Parameters import Align
from .Preparation import Preparation, phasesOf
from .Results import PanelResults
from .Run import PanelRun
from .Services import PanelServices
from .Shifts import PanelShifts, isMadeFrom, shiftsOf
from .State import Activity, PanelState, Plan, panelState, planFor
from .Studies import PanelStudies
from .Understanding import outputError


class Panel(VTKObservationMixin):
    """Behaviour of the widgets of ``CaLIDSlicer.ui``.

    :param ui: object with the named widgets as attributes.
    """

    def __init__(self, ui: Any, services: PanelServices) -> None:
        super().__init__()
        self.ui, self.services = ui, services
        self._widgets = _widgetsByParameter(ui)
        self._wholeText = WholeText(ui)
        self._parameters: Any = None
        self._guiTag: Any = None
        self._understanding: Any = None
        self._understoodNode: Any = None
        self._geometry: Any = None
        self._isPlayed = False
        self._earlierResult: Any = None
        preparation = Preparation(services)
        self._results = PanelResults(ui, services)
        self._advanced = PanelAdvanced(ui, services, preparation)
        self._shifts = PanelShifts(ui, self._onShiftsChosen)
        self._studies = PanelStudies(ui, services, self._onOpen, self._onStack)
        self._measure = PanelMeasure(ui, services, self._onMeasure)
        self.run = PanelRun(
            services,
            preparation,
            self._refresh,
            self._onVolume,
            self._results.takeBack,
            self._results.setReport,
            self._studies.take,
            self._measure.showMeasured,
        )
        ui.applyButton.clicked.connect(self.onApply)
        ui.selfCheckButton.clicked.connect(self._onSelfCheck)
        self._refresh()

    def setParameters(self, parameters: Any) -> None:
        """Connect the widgets with the ``Parameters`` of a scene; ``None`` disconnects them."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            self.removeObservers()
        self._parameters = parameters
        if parameters is not None:
            chooseFirstVolume(parameters)
            self._guiTag = parameters.connectParametersToGui(self._widgets)
            node = parameters.parameterNode
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self._onParametersModified)
            self.addObserver(node.GetScene(), slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, self._onNodeRemoval)
        self._understandAnew()

    @property
    def isConnected(self) -> bool:
        """Whether there are parameters to show: not from the end of a scene to the next :meth:`setParameters`."""
        return self._parameters is not None

    def enter(self) -> None:
        """Look at the input again: it may have been changed, or loaded, since the panel was left."""
        if self._parameters is not None:
            chooseFirstVolume(self._parameters)
            self._understandAnew()

    def close(self) -> None:
        """End what runs and let go of the scene."""
        self._results.forgetViews()  # they are going, with their scene or with the application
        self.run.close()
        self.setParameters(None)

    def onApply(self) -> None:
        """Start, or cancel what runs."""
        if self._parameters is None:
            return
        if self.run.activity is not Activity.NOTHING:
            self.run.cancel(self._parameters.keepPhases)
            return
        self._understandAnew()  # the voxels may have changed since the node was chosen
        plan = self._plan()
        if plan and plan.slices:
            self.run.reconstruct(self._parameters, self._understanding, plan)

    def _onMeasure(self) -> None:
        """Measure the dense volume; where there is none yet, reconstruct first."""
        parameters = self._parameters
        if parameters is None:
            return
        if parameters.result is not None:
            verdict = self._results.verdict if isMadeFrom(parameters.result, parameters.input) else ""
            self.run.measure(parameters, parameters.result, verdict)
            return
        self._understandAnew()
        plan = self._plan()
        if plan and plan.slices:
            measure = partial(self.run.measure, parameters)
            self.run.reconstruct(parameters, self._understanding, plan, then=measure)

    def _onSelfCheck(self) -> None:
        self._understandAnew()
        if self._understanding is not None and not self._understanding.error:
            self.run.selfCheck(self._parameters, self._understanding)

    def openStudy(self, paths: Sequence[str]) -> None:
        """Open the study in these folders, archives or files, and choose its short-axis cine as the input."""
        if self._parameters is not None:
            self._studies.open(paths)

    def _onOpen(self, paths: Sequence[str], stack: int | None) -> None:
        self.run.openStudy(paths, stack)

    def _onStack(self, volume: Any) -> None:
        if self._parameters is not None:
            self._parameters.input = volume
            forgetStack(self._parameters)  # a selector may have chosen it before all was known
            self._refresh()

    def onViews(self) -> None:
        """The views show something else than before: press the buttons that say so."""
        self._results.refresh()
        self._measure.refresh()

    def _onVolume(self, job: Any, wasShown: bool) -> None:
        if self._parameters is not None and self._parameters.result is not job.volume:
            self._earlierResult = self._parameters.result
            self._parameters.result = job.volume
        try:
            if job.finished:
                self._results.showFinished(job, wasShown)
            else:
                self._results.showFirstPhase(job)
        except Exception:  # a view that fails must not cost the result, which is in the scene
            logging.exception("CaLIDSlicer could not show its result")

    def _onParametersModified(self, _caller: Any = None, _event: Any = None) -> None:
        if self._parameters.input is not self._understoodNode:
            forgetStack(self._parameters)
            self._understandAnew()
        else:
            self._refresh()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoval(self, _scene: Any, _event: Any, node: Any) -> None:
        """Choose before the selector chooses the next node in its list.

        That one would be overwritten, or be a result of ours as an input. Slicer's selectors hear of a removal last
        (``qMRMLSceneModel::setMRMLScene``: priority -10).
        """
        if node is self._parameters.input:
            self._parameters.input = firstInput(but=node)
        if node is self._parameters.output:
            self._parameters.output = None
        if node is self._earlierResult:
            self._earlierResult = None
        if node is self._parameters.result:
            self._parameters.result, self._earlierResult = self._earlierResult, None

    def _onInputModified(self, _caller: Any = None, _event: Any = None) -> None:
        """Look again: a selector takes a node before it is loaded and plays a cine; not while a cine plays."""
        node = self._understoodNode
        if self._understanding.error or geometryOf(node) != self._geometry or isPlayed(node) != self._isPlayed:
            self._understandAnew()

    def _understandAnew(self) -> None:
        node = self._parameters.input if self._parameters is not None else None
        if node is not self._understoodNode:
            self._watchInput(node)
        self._geometry = geometryOf(node)
        self._isPlayed = isPlayed(node)
        self._understanding = self.services.understand(node) if node is not None else None
        self._refresh()

    def _watchInput(self, node: Any) -> None:
        self._results.setReport(None)
        self.removeObservers(self._onInputModified)
        for event in changesOf(node) if node is not None else ():
            self.addObserver(node, event, self._onInputModified)
        self._understoodNode = node

    def _plan(self) -> Plan | None:
        if self._parameters is None or self._understanding is None or self._understanding.error:
            return None
        parameters = self._parameters
        stack, thickness = self._understanding.stack, parameters.thickness or None
        inPlace = () if parameters.align is Align.OFF else parameters.inPlace
        plan = planFor(stack, parameters.spacing, parameters.isotropic, thickness, inPlace)
        refusal = outputError(parameters.input, parameters.output, parameters.phases.value)
        return replace(plan, slices=0, error=refusal) if refusal and not plan.error else plan

    def _savesPhases(self) -> bool:
        if self.run.activity is Activity.RECONSTRUCTION:
            return self.run.phases > 1
        return self._understanding is not None and phasesOf(self._parameters, self._understanding) > 1

    def _refresh(self) -> None:
        isotropic = self._parameters is not None and self._parameters.isotropic
        plan = self._plan()
        self._showState(panelState(self._understanding, plan, isotropic, self.run.activity, self._savesPhases()))
        self._showRun()
        parameters = self._parameters
        self._results.setVolume(parameters.result if parameters is not None else None)
        self._measure.show(
            parameters.result if parameters is not None else None,
            self.run.activity is Activity.NOTHING,
            bool(plan and plan.slices),
        )
        self._showShifts()
        self._advanced.showThickness(self._understanding.stack if self._understanding is not None else None)
        self._advanced.showDevice(parameters.device.value if parameters is not None else "auto")

    def _showState(self, state: PanelState) -> None:
        ui = self.ui
        say(ui.understoodLabel, state.understood)
        say(ui.inputWarningLabel, state.inputWarnings)
        say(ui.planLabel, state.plan)
        ui.phasesComboBox.setEnabled(state.phasesEnabled)
        ui.spacingSpinBox.setEnabled(state.spacingEnabled)
        for settings in (ui.inputSelector, ui.outputSection, ui.advancedSection):
            settings.setEnabled(state.settingsEnabled)
        ui.applyButton.setText(state.applyText)
        ui.applyButton.setToolTip(state.applyToolTip)
        ui.applyButton.setEnabled(state.applyEnabled)
        ui.keepPhasesCheckBox.setVisible(state.keepVisible)
        ui.selfCheckButton.setEnabled(state.selfCheckEnabled)
        parameters = self._parameters
        node = parameters.input if parameters is not None else None
        self._studies.show(node, state.settingsEnabled and parameters is not None)

    def _showShifts(self) -> None:
        if self._parameters is None:
            self._shifts.show([], None)
            return
        result, isIdle = self._parameters.result, self.run.activity is Activity.NOTHING
        isChoice = isMadeFrom(result, self._parameters.input)
        self._shifts.show(shiftsOf(result), self._parameters.inPlace if isChoice else None, isIdle)

    def _onShiftsChosen(self, inPlace: list[int]) -> None:
        self._parameters.inPlace = inPlace

    def _showRun(self) -> None:
        run = self.run
        self.ui.progressBar.setVisible(run.activity is not Activity.NOTHING)
        self.ui.progressBar.setValue(round(1000 * run.fraction))
        say(self.ui.statusLabel, run.status)
        say(self.ui.notesLabel, "\n".join(run.notes))


def _widgetsByParameter(ui: Any) -> dict[str, Any]:
    """Which widget shows which parameter, as the ``.ui`` says.

    Slicer's ``connectGui(ui)`` reads the same, but does not return the tag by which to disconnect. To be read once:
    among what ``ui`` names are inner widgets of others, and Qt may have replaced one of them by the next scene.
    """
    named = ((widget.property("SlicerParameterName"), widget) for widget in vars(ui).values())
    return {name: widget for name, widget in named if name}
