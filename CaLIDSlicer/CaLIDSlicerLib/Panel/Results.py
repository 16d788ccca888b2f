"""The sections "Results" and "How far to trust it": buttons that show what was made, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slicer.i18n import tr as _

from ..Display.Playback import browserOf, isWhole
from ..Scene.LongAxes import longAxesOf
from ..Scene.Provenance import INPUT_ROLE, MASK_ROLE, UNCERTAINTY_ROLE
from ..Scene.Witnesses import Agreement, agreementsOf
from .Labels import bringIntoView, say
from .Services import PanelServices


class PanelResults:
    """Connects the buttons of both sections to the display.

    A button is down as long as the views show what it names, whoever brought it there; see ``Display.Shown``.
    """

    def __init__(self, ui: Any, services: PanelServices) -> None:
        self._ui, self._services, self._display = ui, services, services.display
        self._volume: Any = None
        self._report: Any = None
        self._before: Any = None
        self._showing: Any = None
        self._agreements: list[Agreement] = []
        ui.beforeAfterButton.clicked.connect(self._pressed(self._onBeforeAfter))
        ui.fadeSlider.valueChanged.connect(self._pressed(self._onFade))
        ui.longAxesButton.clicked.connect(self._pressed(self._onLongAxes))
        ui.uncertaintyButton.clicked.connect(self._pressed(self._onUncertainty))
        ui.synthesisedButton.clicked.connect(self._pressed(self._onSynthesised))
        ui.renderingButton.clicked.connect(self._pressed(self._onRendering))
        ui.playButton.clicked.connect(self._pressed(self._onPlay))
        ui.showSelfCheckButton.clicked.connect(self._pressed(self._onShowReport))

    def setVolume(self, volume: Any) -> None:
        """Choose the dense volume that the buttons act on; ``None`` or any other volume disables them."""
        self._volume = volume
        self.refresh()

    @property
    def isShowing(self) -> bool:
        """Whether a result is being brought into the views."""
        return self._showing is not None and self._showing.isGoing

    def showFirstPhase(self, job: Any) -> None:
        """Show a result as soon as there is something to see, unless the user is at work elsewhere."""
        self._before = self._display.remember() if self._services.isInFront() else None
        if self._before:
            self._show(job.volume)
        self.refresh()

    def showFinished(self, job: Any, wasShown: bool) -> None:
        """Show a result that is complete, unless the user is at work elsewhere; a whole cine starts to play.

        :param wasShown: whether its first phase was here before; then what the user has made of the views is kept.
        """
        if self._services.isInFront():
            bringIntoView(self._ui.resultsSection)  # what can be done with it is below the edge of a small window
            if not wasShown:
                self._show(job.volume)
            if self.isShowing or not wasShown:
                self._showing.then(lambda: self._playWhole(job.volume))
            elif self._display.shownOf(job.volume).comparison:
                self._playWhole(job.volume)
        self.refresh()

    def takeBack(self) -> None:
        """A result that was shown before its end is gone: the views show what they showed before it."""
        before = self._before
        self.forgetViews()
        if before:
            self._display.putBack(before)
        self.refresh()

    def forgetViews(self) -> None:
        """What the views showed before is of no use any more."""
        if self._showing is not None:
            self._showing.stop()
        self._before = self._showing = None

    def _show(self, volume: Any) -> None:
        self._follow(self._display.showInTurns(volume))

    def _follow(self, showing: Any) -> None:
        if self._showing is not None:
            self._showing.stop()
        self._showing = showing
        self._showing.then(self.refresh)

    def _playWhole(self, volume: Any) -> None:
        if isWhole(volume):
            self._display.play(volume, True)
            self.refresh()

    def _pressed(self, handler: Callable[[Any], None]) -> Callable[[Any], None]:
        """A handler of a control that acts on views which show all that they are about to show."""

        def handle(value: Any) -> None:
            if self._showing is not None:
                self._showing.finish()
            handler(value)

        return handle

    def setReport(self, report: Any) -> None:
        """Show what a self-check found; ``None`` before there was one."""
        self._report = report
        self.refresh()
        if report and self._services.isInFront():
            self._display.showReport(report)
            self.refresh()
            bringIntoView(self._ui.verdictLabel)  # it is below the edge of a small window

    @property
    def verdict(self) -> str:
        """Of the self-check of the input; empty before there was one."""
        return self._report.verdict if self._report else ""

    def refresh(self) -> None:
        """Enable what can be shown of the chosen volume, and press what is shown of it."""
        self._enable()
        ui, shown = self._ui, self._display.shownOf(self._volume)
        ui.beforeAfterButton.setChecked(shown.comparison)
        ui.longAxesButton.setChecked(shown.longAxes)
        say(ui.longAxesLabel, agreementText(self._agreements) if shown.longAxes else "")
        ui.uncertaintyButton.setChecked(shown.uncertainty)
        ui.synthesisedButton.setChecked(shown.synthesised)
        ui.renderingButton.setChecked(shown.rendering)
        ui.playButton.setChecked(shown.playing)
        ui.showSelfCheckButton.setChecked(self._display.isReportShown(self._report))
        ui.fadeSlider.blockSignals(True)  # it says what is shown already
        ui.fadeSlider.setValue(round(100 * shown.fraction))
        ui.fadeSlider.blockSignals(False)

    def _enable(self) -> None:
        ui, volume = self._ui, self._volume
        isResult = volume is not None and volume.GetNodeReference(INPUT_ROLE) is not None
        for control in (ui.beforeAfterButton, ui.fadeSlider, ui.beforeCaption, ui.afterCaption, ui.renderingButton):
            control.setEnabled(isResult)
        ui.longAxesButton.setEnabled(isResult and bool(longAxesOf(volume)))
        ui.uncertaintyButton.setEnabled(isResult and volume.GetNodeReference(UNCERTAINTY_ROLE) is not None)
        ui.synthesisedButton.setEnabled(isResult and volume.GetNodeReference(MASK_ROLE) is not None)
        ui.playButton.setEnabled(isResult and browserOf(volume) is not None)
        ui.showSelfCheckButton.setEnabled(self._report is not None)
        say(ui.verdictLabel, self._report.verdict if self._report else _("This stack was not checked yet."))

    def _onBeforeAfter(self, visible: bool) -> None:
        if visible:
            self._display.showResult(self._volume)
        else:
            self._display.leave()
        self.refresh()

    def _onLongAxes(self, visible: bool) -> None:
        if visible:
            self._follow(self._display.showLongAxes(self._volume))
            self._agreements = agreementsOf(self._volume)
        else:
            self._display.leave()
        self.refresh()

    def _onFade(self, percent: int) -> None:
        if self._volume is not None:
            self._display.showBeforeAfter(self._volume, percent / 100)
            self.refresh()

    def _onUncertainty(self, visible: bool) -> None:
        self._display.showUncertainty(self._volume, visible)
        self.refresh()

    def _onSynthesised(self, visible: bool) -> None:
        self._display.showSynthesised(self._volume, visible)
        self.refresh()

    def _onRendering(self, visible: bool) -> None:
        self._display.showVolumeRendering(self._volume, visible)
        self.refresh()

    def _onPlay(self, playing: bool) -> None:
        self._display.play(self._volume, playing)
        self.refresh()

    def _onShowReport(self, visible: bool) -> None:
        if visible:
            self._display.showReport(self._report)
        else:
            self._display.leave()
        self.refresh()


def agreementText(agreements: Sequence[Agreement]) -> str:
    """How a result agrees with long axes, beside its input; empty if there are none."""
    text = _("{name}: correlation {before:.3f} before, {after:.3f} after")
    lines = [text.format(**each._asdict()) for each in agreements]
    return "\n".join([*lines, _("Each long axis is another breath-hold.")] if lines else [])
