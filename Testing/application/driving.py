"""Using the application as a user does: the window, the module's panel, samples, runs, and time that passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import SkipTest

import qt
import slicer

MODULE = "CaLIDSlicer"
NEEDED = ("torch", "diffusers", "safetensors")

messages: list[str] = []
"""What message boxes said, and asked, since the test began."""

answers: list[bool] = []
"""What the next questions are answered with; with *OK* where nothing is left."""

_session: dict[str, Any] = {"size": (0, 0), "pictures": None, "test": ""}


def startSession(size: str, pictures: str | None) -> None:
    """Once after the start: messages do not wait for an answer, and the window is as large as the screen.

    Not in Slicer's testing mode: in that ``confirmOkCancelDisplay`` takes no *OK* for an answer (it compares it with
    true), and ``--testing`` ends the application after its script.
    """
    slicer.util.messageBox = _answer  # what all messages and questions of slicer.util end in
    _session.update(size=tuple(map(int, size.split("x"))), pictures=Path(pictures) if pictures else None)
    fillScreen()


def startTest(name: str) -> None:
    """An empty scene, Slicer's four views, and the module in front."""
    _session["test"] = name.replace("::", "_")
    messages.clear()
    answers.clear()
    if slicer.util.selectedModule() == MODULE:
        panel().run.close()
    slicer.mrmlScene.Clear()
    fillScreen()
    layoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.util.selectModule(MODULE)
    spin(0.3)


def _answer(text: str, *_arguments: Any, **_options: Any) -> int:
    messages.append(text)
    isAccepted = answers.pop(0) if answers else True
    return qt.QMessageBox.Ok if isAccepted else qt.QMessageBox.Cancel


def screenSize() -> tuple[int, int]:
    """Width and height that the session was started for."""
    return _session["size"]


def fillScreen() -> None:
    """Make the main window, with the frame that a window manager gives it, as large as the screen.

    :raises AssertionError: if it is larger, since then no test could tell whether it has grown because of us.
    """
    window = slicer.util.mainWindow()
    if _fillsScreen():
        return
    window.showMaximized()
    if not _isSoon(_fillsScreen):  # a display without a window manager knows no "maximized"
        window.showNormal()
        spin(0.3)
        frame, inside = window.frameGeometry, window.geometry
        window.setGeometry(
            inside.x() - frame.x(),
            inside.y() - frame.y(),
            screenSize()[0] - (frame.width() - inside.width()),
            screenSize()[1] - (frame.height() - inside.height()),
        )
        spin(_fillsScreen, 10)


def _fillsScreen() -> bool:
    frame = slicer.util.mainWindow().frameGeometry
    missing = [side - size for side, size in zip(screenSize(), (frame.width(), frame.height()), strict=True)]
    return min(missing) >= 0 and missing[0] <= 8


def _isSoon(isDone: Callable[[], bool], seconds: float = 3) -> bool:
    """Whether it is true within some seconds: the window manager of a busy machine takes its time."""
    end = time.monotonic() + seconds
    while not isDone() and time.monotonic() < end:
        spin(0.05)
    return isDone()


def resizeWindow(width: int, height: int) -> None:
    """Give the main window another size than that of the screen, in its upper left corner."""
    window = slicer.util.mainWindow()
    window.showNormal()
    window.setGeometry(0, 0, width, height)
    spin(0.5)


def spin(until: float | Callable[[], Any], timeout: float = 60) -> Any:
    """Let the application live: for some seconds, or until something is true, which is returned.

    :raises AssertionError: if it is not true after ``timeout`` seconds.
    """
    isDone = until if callable(until) else None
    end = time.monotonic() + (timeout if isDone else float(until))  # type: ignore[arg-type]
    while True:
        slicer.app.processEvents()
        result = isDone() if isDone else None
        if result:
            return result
        if time.monotonic() > end:
            break
        time.sleep(0.01)
    assert isDone is None, f"not true after {timeout:g} s: {getattr(isDone, '__name__', isDone)}"
    return None


def widget() -> Any:
    """The module's ``CaLIDSlicerWidget``."""
    return slicer.util.getModuleWidget(MODULE)


def panel() -> Any:
    """Its controller, ``CaLIDSlicerLib.Panel.Controller.Panel``."""
    return widget().panel


def ui() -> Any:
    """The named widgets of the panel."""
    return widget().ui


def parameters() -> Any:
    """What the panel's widgets are connected with, ``CaLIDSlicerLib.Panel.Parameters.Parameters``."""
    return widget().logic.getParameterNode()


def layoutNode() -> Any:
    return slicer.app.layoutManager().layoutLogic().GetLayoutNode()


def loadSample(phases: int = 0, **shape: Any) -> Any:
    """Load the phantom as the module *Sample Data* does, and have it chosen as the input.

    :param phases: 0 for the still, 2 or more for a cine.
    :param shape: of :class:`CaLIDSlicerLib.Scene.SampleData.SampleShape`, for one that is smaller or larger.
    :return: the volume node; of a cine, its proxy.
    """
    from CaLIDSlicerLib.Scene import SampleData

    if phases:
        shape["phases"] = phases
    made = (SampleData.addCine if phases else SampleData.addStill)(SampleData.SampleShape(**shape))
    volume = SampleData.show(made)
    panel().enter()
    spin(0.2)
    assert parameters().input is not None
    return volume


def loadFromSampleData(name: str) -> Any:
    """Press the button of a sample in the module *Sample Data*, come back, and return the panel's input.

    :param name: such as ``"CaLID phantom (cine)"``.
    """
    slicer.util.selectModule("SampleData")
    spin(0.3)
    buttons = slicer.util.findChildren(slicer.util.getModuleWidget("SampleData").parent, className="QToolButton")
    next(button for button in buttons if button.text == name).click()
    slicer.util.selectModule(MODULE)
    spin(0.3)
    return parameters().input


def addResult(sparse: Any) -> Any:
    """Add a dense volume as a run leaves it, without a model: every slice of ``sparse`` twice; the panel chooses it."""
    from CaLIDSlicerLib.Scene.Provenance import INPUT_ROLE
    from CaLIDSlicerLib.Scene.VolumeBridge import copyWindowLevel

    dense = slicer.modules.volumes.logic().CloneVolume(sparse, f"{sparse.GetName()} CaLID")
    slicer.util.updateVolumeFromArray(dense, slicer.util.arrayFromVolume(sparse).repeat(2, axis=0)[:-1])
    dense.SetSpacing(*sparse.GetSpacing()[:2], sparse.GetSpacing()[2] / 2)
    dense.SetNodeReferenceID(INPUT_ROLE, sparse.GetID())
    copyWindowLevel(sparse, dense)
    parameters().result = dense
    spin(0.2)
    return dense


def needsModel() -> None:
    """:raises SkipTest: where Slicer's Python lacks what the worker computes with."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise SkipTest(f"not installed in this Slicer: {', '.join(missing)}")


def apply(spacing: float = 5.0, steps: int = 1, samples: int = 1, **settings: Any) -> None:
    """Press *Apply*, with settings that are quick, and return when the run has started.

    :param settings: other parameters of the panel.
    """
    needsModel()
    for name, value in {"spacing": spacing, "steps": steps, "samples": samples, **settings}.items():
        setattr(parameters(), name, value)
    spin(0.2)
    assert ui().applyButton.enabled, ui().applyButton.toolTip
    ui().applyButton.click()
    assert isRunning(), ui().statusLabel.text


def isRunning() -> bool:
    """Whether a reconstruction or a self-check runs or is prepared."""
    return panel().run.activity.name != "NOTHING"


def waitForViews() -> None:
    """Wait until a result that is being brought into the views is there."""
    spin(lambda: not panel()._results.isShowing)
    spin(0.3)


def waitForRun(timeout: float = 240) -> str:
    """Wait until what runs has ended and is shown; return the status that the panel shows."""
    spin(lambda: not isRunning(), timeout)
    waitForViews()
    return ui().statusLabel.text


def reconstruct(**settings: Any) -> Any:
    """Reconstruct the panel's input (see :func:`apply`) and return the dense volume node.

    :raises AssertionError: if there is none.
    """
    apply(**settings)
    status = waitForRun()
    assert parameters().result is not None, status
    return parameters().result


def picture(name: str, area: Any = None) -> Path | None:
    """Save the screen, or one widget, where ``run.py --pictures`` wants it, and return the file."""
    folder = _session["pictures"]
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    spin(0.5)
    path = folder / f"{_session['test']}_{name}_{'x'.join(map(str, screenSize()))}.png"
    pixels = area.grab() if area else slicer.util.mainWindow().screen().grabWindow(0)
    assert pixels.save(str(path)), f"{path} could not be written"
    return path


def visibleWindows() -> list[Any]:
    """The windows that are open beside the main window: dialogs and messages."""
    tops = slicer.app.topLevelWidgets()
    return [top for top in tops if top.visible and top.isWindow() and isinstance(top, qt.QDialog)]
