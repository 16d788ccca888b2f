"""The sections "Results" and "How far to trust it": buttons that show what was made, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from ..Scene.Provenance import INPUT_ROLE, MASK_ROLE, UNCERTAINTY_ROLE
from .Services import PanelServices


class PanelResults:
    """Connects the buttons of both sections to the display."""

    def __init__(self, ui: Any, services: PanelServices) -> None:
        self._ui, self._display = ui, services.display
        self._volume: Any = None
        self._report: Any = None
        ui.beforeAfterButton.clicked.connect(self._onBeforeAfter)
        ui.fadeSlider.valueChanged.connect(self._onFade)
        ui.uncertaintyButton.toggled.connect(self._onUncertainty)
        ui.synthesisedButton.toggled.connect(self._onSynthesised)
        ui.renderingButton.toggled.connect(self._onRendering)
        ui.playButton.toggled.connect(self._onPlay)
        ui.showSelfCheckButton.clicked.connect(self._onShowReport)

    def setVolume(self, volume: Any) -> None:
        """Choose the dense volume that the buttons act on; ``None`` or any other volume disables them."""
        if volume is not self._volume:
            self._volume = volume
            self._uncheck()
        self.refresh()

    def showFirstPhase(self, job: Any) -> None:
        """Show a result as soon as there is something to see."""
        self.setVolume(job.volume)
        self._show(job.volume)

    def showFinished(self, job: Any) -> None:
        """Show a result that is complete; a cine starts to play."""
        self.setVolume(job.volume)
        isShown = self._show(job)
        self._check(self._ui.playButton, isShown and browserOf(job.volume) is not None)

    def setReport(self, report: Any) -> None:
        """Show what a self-check found; ``None`` before there was one."""
        self._report = report
        if report:
            self._onShowReport()
        self.refresh()

    def refresh(self) -> None:
        """Enable what can be shown of the chosen volume."""
        ui, volume = self._ui, self._volume
        isResult = volume is not None and volume.GetNodeReference(INPUT_ROLE) is not None
        for control in (ui.beforeAfterButton, ui.fadeSlider, ui.beforeCaption, ui.afterCaption, ui.renderingButton):
            control.setEnabled(isResult)
        ui.uncertaintyButton.setEnabled(isResult and volume.GetNodeReference(UNCERTAINTY_ROLE) is not None)
        ui.synthesisedButton.setEnabled(isResult and volume.GetNodeReference(MASK_ROLE) is not None)
        ui.playButton.setEnabled(isResult and browserOf(volume) is not None)
        ui.showSelfCheckButton.setEnabled(self._report is not None)
        ui.verdictLabel.setText(self._report.verdict if self._report else _("This stack was not checked yet."))

    def _onBeforeAfter(self) -> None:
        self._show(self._volume)

    def _show(self, result: Any) -> bool:
        """Show a result alone: what lies over it would be taken out of the views, but not out of these controls."""
        ui = self._ui
        ui.uncertaintyButton.setChecked(False)
        ui.synthesisedButton.setChecked(False)
        ui.fadeSlider.setValue(100)
        isShown = self._display.showResult(result)
        self._check(ui.renderingButton, isShown)
        return isShown

    def _onFade(self, percent: int) -> None:
        self._ui.uncertaintyButton.setChecked(False)  # both are shown in the foreground of the same views
        if self._volume is not None:
            self._display.showBeforeAfter(self._volume, percent / 100)

    def _onUncertainty(self, visible: bool) -> None:
        self._toggle(self._display.showUncertainty, visible)

    def _onSynthesised(self, visible: bool) -> None:
        self._toggle(self._display.showSynthesised, visible)

    def _onRendering(self, visible: bool) -> None:
        self._toggle(self._display.showVolumeRendering, visible)

    def _onPlay(self, playing: bool) -> None:
        self._display.play(browserOf(self._volume), playing)

    def _onShowReport(self) -> None:
        self._display.showReport(self._report)

    def _toggle(self, show: Callable[[Any, bool], Any], visible: bool) -> None:
        if self._volume is not None:
            show(self._volume, visible)

    def _uncheck(self) -> None:
        ui = self._ui
        for button in (ui.uncertaintyButton, ui.synthesisedButton, ui.renderingButton, ui.playButton):
            self._check(button, False)

    def _check(self, button: Any, checked: bool) -> None:
        button.blockSignals(True)  # it says what is shown already
        button.setChecked(bool(checked))
        button.blockSignals(False)


def browserOf(volume: Any) -> Any:
    """The vtkMRMLSequenceBrowserNode that plays a cine's proxy volume, or ``None``."""
    scene = volume.GetScene() if volume is not None else None
    if scene is None:
        return None
    className = "vtkMRMLSequenceBrowserNode"
    browsers = (scene.GetNthNodeByClass(n, className) for n in range(scene.GetNumberOfNodesByClass(className)))
    return next((browser for browser in browsers if browser.GetSequenceNode(volume)), None)
