"""One run at a time, from the press of a button to its end: what is happening, in words and as a fraction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slicer.i18n import tr as _

from calid.errors import CalidError, Cancelled
from calid.options import Options
from calid.protocol import Event, Progress, Started, Warned

from ..Scene.Provenance import FINISHED_PHASES, factOf
from .Preparation import Preparation, Ready, phasesOf
from .Services import PanelServices
from .State import Activity, Plan, openedText, progressText
from .Words import errorText, sentence, warningText

DOUBLE_CLICK_SECONDS = 0.5
"""The second click of a double click on Apply must not cancel what the first one started."""


class PanelRun:
    """A reconstruction, a self-check, a measurement or the opening of a study, with its preparation.

    :param onChange: called when ``activity``, ``status``, ``notes`` or ``fraction`` changed.
    :param onVolume: called with the job when its first phase is in the scene, and when it ended and left a volume;
        and with whether it was called with it before.
    :param onTakenBack: called when a job ended that left no volume, after ``onVolume`` was called with it.
    :param onReport: called with the report of a self-check that succeeded.
    :param onStudy: called with what a study that was opened has brought into the scene.
    :param onMeasured: called with the dense volume that was measured.
    """

    def __init__(
        self,
        services: PanelServices,
        preparation: Preparation,
        onChange: Callable[[], None],
        onVolume: Callable[[Any, bool], None],
        onTakenBack: Callable[[], None],
        onReport: Callable[[Any], None],
        onStudy: Callable[[Any], None],
        onMeasured: Callable[[Any], None],
    ) -> None:
        self._services, self._preparation = services, preparation
        preparation.say = self._say
        self._onChange, self._onReport, self._onStudy, self._onMeasures = onChange, onReport, onStudy, onMeasured
        self._onVolume, self._onTakenBack = onVolume, onTakenBack
        self.activity = Activity.NOTHING
        self.status = ""
        self._expected: list[str] = []
        self._warnings: list[str] = []
        self.fraction = 0.0
        self.phases = 1
        self._job: Any = None
        self._startedAt = 0.0
        self._isShown = False
        self._then: Callable[[Any], None] | None = None

    @property
    def notes(self) -> list[str]:
        """What was expected of a run that is not over, and what it warned of."""
        isOver = self.activity is Activity.NOTHING
        return [*([] if isOver else self._expected), *self._warnings]

    def reconstruct(
        self, parameters: Any, understanding: Any, plan: Plan, then: Callable[[Any], None] | None = None
    ) -> None:
        """Prepare and start a reconstruction; does nothing while something else runs.

        :param then: called with the dense volume after success.
        """
        self._then = then
        node, output, phases = parameters.input, parameters.output, parameters.phases.value

        def launch(options: Options) -> Any:
            return self._services.logic.start(
                node,
                onProgress=self._onProgress,
                onFinished=self._onReconstructed,
                onPhase=self._onPhase,
                phases=phases,
                output=output,
                mask=True,
                options=options,
            )

        def prepare() -> Ready | None:
            return self._preparation.forReconstruction(parameters, understanding, plan)

        self._start(Activity.RECONSTRUCTION, phasesOf(parameters, understanding), prepare, launch)

    def selfCheck(self, parameters: Any, understanding: Any) -> None:
        """Prepare and start a self-check of the input; does nothing while something else runs."""
        node = parameters.input

        def launch(options: Options) -> Any:
            return self._services.logic.selfCheck(node, self._onProgress, self._onChecked, options=options)

        def prepare() -> Ready | None:
            return self._preparation.forSelfCheck(parameters, understanding)

        self._start(Activity.SELF_CHECK, 1, prepare, launch)

    def measure(self, parameters: Any, volume: Any, verdict: str = "") -> None:
        """Prepare and start a measurement of a dense volume; does nothing while something else runs.

        :param verdict: of a self-check of its input, for the report.
        """
        facts = {
            "height_cm": parameters.height or None,
            "weight_kg": parameters.weight or None,
            "rr_ms": parameters.rr or None,
            "papillary": parameters.papillary.value,
            "verdict": verdict,
        }

        def launch(options: Options) -> Any:
            return self._services.logic.measure(volume, self._onProgress, self._onMeasured, options=options, **facts)

        self._start(Activity.MEASUREMENT, 1, lambda: self._preparation.forMeasurement(parameters), launch)

    def openStudy(self, paths: Sequence[str], stack: int | None = None) -> None:
        """Start to open a study, which needs nothing to be installed; does nothing while something else runs.

        :param stack: that is wanted of it, from 1; ``None`` for its short-axis cine.
        """

        def launch(_options: Options) -> Any:
            return self._services.logic.openStudy(paths, stack, onProgress=self._onProgress, onFinished=self._onOpened)

        self._start(Activity.STUDY, 0, lambda: Ready(Options(), []), launch)

    def cancel(self, keep: bool) -> None:
        """End what runs, unless it was started a moment ago.

        :param keep: leave the finished phases of a cine in the scene.
        """
        if self._job and self._services.clock() - self._startedAt > DOUBLE_CLICK_SECONDS:
            self._end(keep)

    def close(self) -> None:
        """End whatever runs, and forget what was said about it."""
        self._isShown = False  # the scene is going, and with it the views
        if self._job:
            self._end(keep=False)
        self._warnings = []
        self._set(Activity.NOTHING, "")

    def _end(self, keep: bool) -> None:
        if keep and self.activity is Activity.RECONSTRUCTION:
            self._job.cancel(keep=True)
        else:
            self._job.cancel()

    def _start(
        self,
        activity: Activity,
        phases: int,
        prepare: Callable[[], Ready | None],
        launch: Callable[[Options], Any],
    ) -> None:
        if self.activity is not Activity.NOTHING:
            return
        self._expected, self._warnings, self.phases, self._isShown = [], [], phases, False
        self._set(Activity.PREPARING, _("Preparing ..."))
        try:
            ready = prepare()
            if self.activity is not Activity.PREPARING:  # the scene was closed while a question was open
                return
            if ready is None:
                self._set(Activity.NOTHING, _("Nothing was started."))
                return
            self._job = launch(ready.options)
        except CalidError as error:
            self._fail(error)
            return
        except BaseException:
            self._set(Activity.NOTHING, _("Error: see the Python console."))
            raise
        self._expected, self._startedAt = ready.notes, self._services.clock()
        self._set(activity, _("Starting ..."))

    def _say(self, status: str) -> None:
        self.status = status
        self._onChange()

    def _onProgress(self, event: Event) -> None:
        if isinstance(event, Started):
            self.phases = event.phases
        if isinstance(event, Warned):
            self._warnings.append(warningText(event.message))
        elif isinstance(event, Progress):
            self.fraction = event.fraction
            if self.activity is Activity.MEASUREMENT:
                self.phases = event.phases
        self.status = progressText(event, self.phases) or self.status
        self._onChange()

    def _onPhase(self, job: Any, _number: int) -> None:
        if not self._isShown:
            self._isShown = True
            self._onVolume(job, False)

    def _onReconstructed(self, job: Any) -> None:
        if job.volume is not None and job.volume.GetScene():  # a cancel may have kept it, a failure has removed it
            self._onVolume(job, self._isShown)
        elif self._isShown:
            self._onTakenBack()
        self._finish(job, lambda: _("{name} is ready.").format(name=job.volume.GetName()))
        then, self._then = self._then, None
        if then and job.error is None:
            then(job.volume)

    def _onChecked(self, job: Any) -> None:
        self._finish(job, lambda: _("The self-check is done."))
        if job.error is None:
            self._onReport(job.result)

    def _onMeasured(self, job: Any) -> None:
        self._finish(job, lambda: _("{name} is measured.").format(name=job.volume.GetName()))
        if job.error is None:
            self._onMeasures(job.volume)

    def _onOpened(self, job: Any) -> None:
        if job.error is None:
            self._warnings = [sentence(remark) for remark in job.result.read.remarks]
        self._finish(job, lambda: openedText(job.result))
        if job.error is None:
            self._onStudy(job.result)

    def _finish(self, job: Any, success: Callable[[], str]) -> None:
        self._job = None
        if job.error:
            self._fail(job.error, _kept(job))
        else:
            self._set(Activity.NOTHING, success(), 1.0)
        if not self._services.isInFront():
            self._services.notify(self.status)

    def _fail(self, error: CalidError, kept: str = "") -> None:
        self._job = None
        text = " ".join(filter(None, (errorText(error), kept)))
        isCancel = isinstance(error, Cancelled)
        self._set(Activity.NOTHING, text if isCancel else _("Error: {text}").format(text=text))
        if not isCancel:
            self._services.tell(text)

    def _set(self, activity: Activity, status: str, fraction: float = 0.0) -> None:
        self.activity, self.status, self.fraction = activity, status, fraction
        self._onChange()


def _kept(job: Any) -> str:
    """How much a job that was cancelled has left; empty if nothing."""
    isLeft = job.volume is not None and job.volume.GetScene() is not None
    count = factOf(job.volume, FINISHED_PHASES) if isLeft else None
    return _("{count} phases were kept.").format(count=count) if count else ""
