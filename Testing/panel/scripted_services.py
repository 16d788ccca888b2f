"""Collaborators of the panel that do what a test tells them, and remember what they were asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from types import SimpleNamespace
from typing import Any

from calid.errors import CalidError, Cancelled
from calid.options import Options


class ScriptedJob:
    """A job whose events, phases and end come from the test."""

    def __init__(self, node, onProgress, onFinished, options, onPhase=None, **others) -> None:
        self.node, self.options = node, {**asdict(options), **others}
        self.finished, self.error = False, None
        self.volume = self.sequence = self.browser = self.result = None
        self.kept: bool | None = None
        self.say, self._onFinished, self._onPhase = onProgress, onFinished, onPhase

    def finishPhase(self, index: int, volume) -> None:
        self.volume = volume
        self._onPhase(self, index)

    def end(self, error: CalidError | None = None) -> None:
        if not self.finished:
            self.finished, self.error = True, error
            self._onFinished(self)

    def cancel(self, keep: bool = False) -> None:
        self.kept = keep
        if not keep:
            self.volume = None
        self.end(Cancelled("the job was cancelled"))


class ScriptedLogic:
    """Starts scripted jobs, or refuses with ``refusal``."""

    def __init__(self) -> None:
        self.jobs: list[ScriptedJob] = []
        self.refusal: CalidError | None = None

    @property
    def job(self) -> ScriptedJob:
        return self.jobs[-1]

    def start(self, node, onProgress, onFinished, **options) -> ScriptedJob:
        if self.refusal:
            raise self.refusal
        self.jobs.append(ScriptedJob(node, onProgress, onFinished, **options))
        return self.job

    def openStudy(self, paths, stack, onProgress, onFinished) -> ScriptedJob:
        return self.start(paths, onProgress, onFinished, options=Options(), stack=stack)

    def selfCheck(self, node, onProgress, onFinished, **options) -> ScriptedJob:
        return self.start(node, onProgress, onFinished, **options)

    def measure(self, node, onProgress, onFinished, **facts) -> ScriptedJob:
        return self.start(node, onProgress, onFinished, **facts)


BUTTONS = {
    "showUncertainty": "uncertainty",
    "showSynthesised": "synthesised",
    "showVolumeRendering": "rendering",
    "play": "playing",
}
"""Function of the display -> what it shows."""


class ScriptedDisplay:
    """Views that show one result at a time: what they were told is in ``calls``, as (name, *arguments)."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []
        self.listeners: list = []
        self.volume: Any = None
        self.report: Any = None
        self.shown: dict[str, Any] = {}

    def begin(self, _scene) -> None:
        pass

    def listen(self, listener) -> None:
        self.listeners.append(listener)

    def shownOf(self, volume) -> SimpleNamespace:
        nothing = dict.fromkeys(("comparison", "measures", "longAxes", *BUTTONS.values()), False) | {"fraction": 1.0}
        return SimpleNamespace(**nothing | (self.shown if volume is not None and volume is self.volume else {}))

    def isReportShown(self, report) -> bool:
        return report is not None and report is self.report

    def change(self, **shown) -> None:
        """As somebody does who does not use the panel."""
        self.shown.update(shown)
        for listener in self.listeners:
            listener()

    def showResult(self, volume) -> bool:
        self.calls.append(("showResult", volume))
        self.volume, self.shown, self.report = volume, {"comparison": True, "rendering": True}, None
        return True

    def showInTurns(self, volume) -> SimpleNamespace:
        self.showResult(volume)
        return SimpleNamespace(isGoing=False, then=lambda follower: follower(), finish=lambda: None, stop=lambda: None)

    def showMeasures(self, volume) -> SimpleNamespace:
        self.showInTurns(volume)
        self.calls[-1] = ("showMeasures", volume)
        self.shown = {"measures": True}
        return SimpleNamespace(then=lambda follower: follower(), stop=lambda: None)

    def showLongAxes(self, volume) -> SimpleNamespace:
        showing = self.showInTurns(volume)
        self.calls[-1] = ("showLongAxes", volume)
        self.shown = {"longAxes": True}
        return showing

    def showBeforeAfter(self, volume, fraction: float) -> bool:
        self.calls.append(("showBeforeAfter", volume, fraction))
        self._bringUp(volume, fraction=fraction, uncertainty=False)
        return True

    def showReport(self, report) -> bool:
        self.calls.append(("showReport", report))
        self.report = report
        return True

    def remember(self) -> tuple:
        return self.volume, self.shown

    def putBack(self, before: tuple) -> bool:
        self.calls.append(("putBack",))
        self.volume, self.shown = before
        return True

    def leave(self) -> bool:
        self.calls.append(("leave",))
        self.volume, self.shown, self.report = None, {}, None
        return True

    def end(self) -> None:
        self.calls.append(("end",))

    def __getattr__(self, name: str):
        shown = BUTTONS[name]

        def show(volume, visible: bool = True) -> bool:
            self.calls.append((name, volume, visible))
            self._bringUp(volume, **{shown: visible})
            return True

        return show

    def _bringUp(self, volume, **shown) -> None:
        self.shown = {**(self.shown if volume is self.volume else {}), **shown}
        self.volume = volume


@dataclass
class ScriptedDependencies:
    """Nothing is missing unless the test says so."""

    missing: str | None = None
    error: CalidError | None = None
    installed: int = 0

    def question(self) -> str | None:
        return self.missing

    def install(self) -> None:
        if self.error:
            raise self.error
        self.installed, self.missing = self.installed + 1, None


@dataclass
class ScriptedModels:
    """A folder of models with a manifest."""

    folder: str
    imported: str | None = None
    error: CalidError | None = None

    @property
    def isBundled(self) -> bool:
        return self.imported is None

    def modelsFolder(self) -> str | None:
        return self.imported

    def location(self) -> str:
        return self.folder

    def card(self) -> str:
        return "# The card"

    def verify(self) -> str:
        if self.error:
            raise self.error
        return "all files are as they were published"

    def importFrom(self, path: str) -> str:
        self.imported = path
        return self.verify()

    def remove(self) -> None:
        self.imported = None


@dataclass
class ScriptedServices:
    """The fields of ``PanelServices``, with what was asked and told; ``answers`` are used up one by one."""

    understand: Any
    models: ScriptedModels
    logic: ScriptedLogic = field(default_factory=ScriptedLogic)
    dependencies: ScriptedDependencies = field(default_factory=ScriptedDependencies)
    display: ScriptedDisplay = field(default_factory=ScriptedDisplay)
    inFront: bool = True
    noticed: list[str] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    file: str = ""
    folder: str = ""
    texts: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    time: float = 0.0
    deviceError: CalidError | None = None
    devicesForgotten: int = 0
    question: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    preflights: list[tuple] = field(default_factory=list)

    def ask(self, question: str) -> bool:
        self.asked.append(question)
        return self.answers.pop(0)

    def tell(self, error: str) -> None:
        self.told.append(error)

    def chooseFile(self) -> str:
        return self.file

    def chooseStudy(self) -> str:
        return self.folder

    def chooseOutput(self, _name: str, _kind: str) -> str:
        return self.file

    def open(self, path: str) -> None:
        self.opened.append(path)

    def read(self, text: str) -> None:
        self.texts.append(text)

    def isInFront(self) -> bool:
        return self.inFront

    def notify(self, text: str) -> None:
        self.noticed.append(text)

    def clock(self) -> float:
        return self.time

    def findDevice(self, wanted: str) -> SimpleNamespace:
        if self.deviceError:
            raise self.deviceError
        return SimpleNamespace(device=wanted, text=f"found {wanted}")

    def freeMemory(self) -> int:
        return 8_000_000_000

    def freeDisk(self) -> int:
        return 50_000_000_000

    def forgetDevices(self) -> None:
        self.devicesForgotten += 1

    def preflight(self, *run) -> SimpleNamespace:
        self.preflights.append(run)
        return SimpleNamespace(question=self.question, lines=["This takes about 5 seconds."], changes=self.changes)
