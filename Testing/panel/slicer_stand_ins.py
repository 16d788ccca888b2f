"""What 3D Slicer's application adds to MRML, as small as the panel needs it: Qt by PySide6, and some of its own.

``install`` makes the names importable that module files import. MRML nodes and ``slicer.util`` stay the real ones of
slicer-core.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import TestCase

import pytest
import slicer
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from widget_stand_ins import CUSTOM_WIDGETS, qMRMLNodeComboBox, qMRMLWidget
from wrapper_stand_in import WithinRange, parameterNodeWrapper

MODULE_FOLDER = Path(__file__).resolve().parents[2] / "CaLIDSlicer"


class Application(QtCore.QObject):
    """``slicer.app``."""

    startupCompleted = QtCore.Signal()
    aboutToQuit = QtCore.Signal()
    temporaryPath = None
    slicerUserSettingsFilePath = "settings/Slicer.ini"

    def processEvents(self) -> None:
        QtWidgets.QApplication.processEvents()

    def layoutManager(self) -> None:
        return None

    def topLevelWidgets(self) -> list[object]:
        """No main window."""
        return []


class ModuleParent:
    """What Slicer gives to a module."""

    path = str(MODULE_FOLDER / "CaLIDSlicer.py")


class Module:
    def __init__(self, parent: ModuleParent) -> None:
        self.parent, self.moduleName = parent, type(self).__name__

    def resourcePath(self, name: str) -> str:
        return str(MODULE_FOLDER / "Resources" / name)


class ModuleWidget:
    def __init__(self, parent=None) -> None:
        super().__init__()
        self.parent = parent or qMRMLWidget()
        self.parent.isEntered = True
        self.layout = QtWidgets.QVBoxLayout(self.parent)
        self.reloaded = 0

    def resourcePath(self, name: str) -> str:
        return str(MODULE_FOLDER / "Resources" / name)

    def setup(self) -> None:
        pass

    def onReload(self) -> None:
        self.reloaded += 1


class ModuleLogic:
    moduleName = "CaLIDSlicer"

    def getParameterNode(self):
        """The one of the scene, as Slicer makes it."""
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ModuleTest(TestCase):
    __test__ = False


class UiLoader(QtUiTools.QUiLoader):
    """Knows Slicer's widgets, as the one of Slicer does through its designer plugins."""

    def __init__(self) -> None:
        super().__init__()
        for widget in CUSTOM_WIDGETS:
            self.registerCustomWidget(widget)


def childWidgetVariables(widget: QtWidgets.QWidget) -> SimpleNamespace:
    """``slicer.util.childWidgetVariables``, which asks for PythonQt's property ``name``."""
    named = {child.objectName(): child for child in widget.findChildren(QtCore.QObject)}
    named.pop("", None)
    return SimpleNamespace(**named)


def keepConstantsAlive() -> None:
    """PySide6 6.12 gives away references to these that it does not own; before Python 3.12 they can run out."""
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 2**40


def startQt() -> QtWidgets.QApplication:
    """The one Qt application of this process, without a screen."""
    keepConstantsAlive()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication([])


def install(monkeypatch: pytest.MonkeyPatch) -> Application:
    """Put the stand-ins in place; returns ``slicer.app``."""
    app = Application()
    for name, module in _modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    values = {"app": app, "qMRMLNodeComboBox": qMRMLNodeComboBox, "qMRMLWidget": qMRMLWidget}
    for name, value in values.items():
        monkeypatch.setattr(slicer, name, value, raising=False)
    monkeypatch.setattr(slicer.util, "childWidgetVariables", childWidgetVariables)
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: dict(os.environ))
    return app


def _modules() -> dict[str, ModuleType]:
    qt = {name: getattr(part, name) for part in (QtCore, QtGui, QtWidgets) for name in dir(part) if name[0] == "Q"}
    bases = {"": Module, "Widget": ModuleWidget, "Logic": ModuleLogic, "Test": ModuleTest}
    return {
        "qt": _module("qt", **qt, QUiLoader=UiLoader),
        "slicer.i18n": _module("slicer.i18n", tr=str, translate=lambda _context, text: text),
        "slicer.parameterNodeWrapper": _module(
            "slicer.parameterNodeWrapper", parameterNodeWrapper=parameterNodeWrapper, WithinRange=WithinRange
        ),
        "slicer.ScriptedLoadableModule": _module(
            "slicer.ScriptedLoadableModule",
            **{f"ScriptedLoadableModule{suffix}": base for suffix, base in bases.items()},
        ),
    }


def _module(name: str, **members) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(members)
    return module
