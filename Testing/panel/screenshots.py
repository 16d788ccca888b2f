"""Pictures of the panel in its states, for the README: ``python Testing/panel/screenshots.py``.

The panel is the real one; Slicer's own widgets are stand-ins and what runs is scripted, so that the pictures are the
same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import slicer
import slicer_stand_ins
from PIL import Image
from PySide6 import QtGui, QtWidgets
from scripted_services import ScriptedModels, ScriptedServices

from calid.errors import OutOfResources
from calid.protocol import Progress, Started

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "Resources" / "Screenshots"
WIDTH = 440
GAP = 12
COLOURS = 128
LAPTOP = SimpleNamespace(
    device="cpu", name="CPU with 8 cores", freeBytes=None, halfPrecision=True, cores=8,
    text="CPU with 8 cores (cpu), PyTorch 2.13.0",
)  # fmt: skip
VERDICT = (
    "On this patient the model predicts hidden slices better than linear interpolation on 6 of 6 slices (+1.9 dB on "
    "average). Slice 6 (near the apex) is predicted worst: treat synthesised slices next to it with caution."
)


def main() -> None:
    """Write ``panel_*.png`` and say how large they are."""
    application = slicer_stand_ins.startQt()
    slicer_stand_ins.install(pytest.MonkeyPatch())
    application.setStyle("Fusion")
    application.setFont(QtGui.QFont("DejaVu Sans", 9))
    for theme, palette in (("", lightPalette()), ("_dark", darkPalette())):
        application.setPalette(palette)
        for name, states in PICTURES.items():
            if not theme or name == "result":
                save(f"panel_{name}{theme}.png", [picture(state) for state in states])


class Stage:
    """The panel over an empty scene of its own."""

    def __init__(self) -> None:
        from CaLIDSlicer import CaLIDSlicerWidget
        from CaLIDSlicerLib.Panel.Understanding import understand
        from CaLIDSlicerLib.Setup.Preflight import preflight

        slicer.mrmlScene = slicer.vtkMRMLScene()
        self.sequences = slicer.vtkSlicerSequencesLogic()  # makes sequence nodes known to the scene
        self.sequences.SetMRMLScene(slicer.mrmlScene)
        self.services = ScriptedServices(understand, ScriptedModels(str(ROOT / "Resources" / "Models")))
        self.services.findDevice = lambda _wanted: LAPTOP
        self.services.preflight = preflight
        self.services.answers = [True]
        self.widget: Any = CaLIDSlicerWidget(makeServices=lambda *_: self.services)
        self.widget.setup()
        self.ui = self.widget.ui
        self.ui.weightsLabel.setText("…/Resources/Models")  # the same on every machine

    def loadSample(self) -> Any:
        from CaLIDSlicerLib.Scene.SampleData import addCine

        proxy = addCine()
        self.widget.enter()
        return proxy


def empty(stage: Stage) -> None:
    """Nothing is loaded."""


def ready(stage: Stage) -> None:
    """A cine is loaded and understood."""
    stage.loadSample()


def running(stage: Stage) -> None:
    """The third phase is being made."""
    stage.loadSample()
    stage.ui.applyButton.click()
    stage.services.logic.job.say(Started("calid-sax-5", "cpu", 12, 8, 36))
    stage.services.logic.job.say(Progress(2, 12, 20, 100, 0.21, 14.0))


def failed(stage: Stage) -> None:
    """Memory ran out."""
    running(stage)
    remedy = "close other programs, or ask for a larger spacing or fewer samples"
    killed = "the system killed the worker process, most often because memory ran out"
    stage.services.logic.job.end(OutOfResources(killed, remedy))


def done(stage: Stage) -> None:
    """The dense cine is there, and was checked."""
    from CaLIDSlicerLib.Panel.Results import browserOf
    from CaLIDSlicerLib.Scene.Provenance import INPUT_ROLE, MASK_ROLE, UNCERTAINTY_ROLE
    from CaLIDSlicerLib.Scene.SampleData import addCine

    sparse = stage.loadSample()
    stage.ui.selfCheckButton.click()
    stage.services.logic.job.result = SimpleNamespace(verdict=VERDICT)
    stage.services.logic.job.end()
    stage.ui.applyButton.click()
    dense = addCine()
    dense.SetName(f"{sparse.GetName()} CaLID")
    stage.ui.resultSelector.setMRMLScene(slicer.mrmlScene)  # the stand-in does not follow new names
    for role in (INPUT_ROLE, MASK_ROLE, UNCERTAINTY_ROLE):
        dense.SetNodeReferenceID(role, sparse.GetID())
    job = stage.services.logic.job
    job.volume, job.browser = dense, browserOf(dense)
    job.end()


def advanced(stage: Stage) -> None:
    """The section "Advanced" is open, and the rest is folded."""
    stage.loadSample()
    for section in ("inputSection", "outputSection", "resultsSection", "selfCheckSection"):
        getattr(stage.ui, section).setProperty("collapsed", True)
    stage.ui.advancedSection.setProperty("collapsed", False)
    stage.ui.deviceButton.click()
    stage.ui.verifyWeightsButton.click()


PICTURES: dict[str, tuple[Callable[[Stage], None], ...]] = {
    "start": (empty, ready),
    "run": (running, failed),
    "result": (done, advanced),
}


def picture(state: Callable[[Stage], None]) -> QtGui.QImage:
    """The panel in a state, as wide as Slicer shows it, as tall as it needs to be."""
    stage = Stage()
    state(stage)
    panel = stage.widget.parent
    panel.setFixedWidth(WIDTH)
    panel.show()
    for _ in range(3):  # labels that wrap ask for their height once they know their width
        QtWidgets.QApplication.processEvents()
        panel.resize(WIDTH, panel.layout().totalHeightForWidth(WIDTH))
    image = panel.grab().toImage()
    stage.widget.cleanup()
    panel.close()
    return image


def save(name: str, images: list[QtGui.QImage]) -> None:
    """Write pictures side by side."""
    size = (sum(image.width() + GAP for image in images) - GAP, max(image.height() for image in images))
    canvas = QtGui.QImage(*size, QtGui.QImage.Format_RGB32)
    canvas.fill(QtWidgets.QApplication.palette().color(QtGui.QPalette.Window))
    painter = QtGui.QPainter(canvas)
    for number, image in enumerate(images):
        painter.drawImage(number * (WIDTH + GAP), 0, image)
    painter.end()
    path = SCREENSHOTS / name
    canvas.save(str(path))
    with Image.open(path) as full:
        small = full.quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def lightPalette() -> QtGui.QPalette:
    return QtWidgets.QStyleFactory.create("Fusion").standardPalette()


def darkPalette() -> QtGui.QPalette:
    """The colours of Slicer's dark style."""
    palette = QtGui.QPalette(QtGui.QColor(50, 50, 50), QtGui.QColor(50, 50, 50))
    palette.setColor(QtGui.QPalette.Base, QtGui.QColor(35, 35, 35))
    palette.setColor(QtGui.QPalette.Highlight, QtGui.QColor(42, 130, 218))
    return palette


if __name__ == "__main__":
    main()
