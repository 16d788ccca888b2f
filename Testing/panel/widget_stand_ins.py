"""The three widgets of Slicer and CTK that ``CaLIDSlicer.ui`` names, on plain Qt."""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets


class qMRMLWidget(QtWidgets.QWidget):
    mrmlSceneChanged = QtCore.Signal("vtkMRMLScene*")

    def setMRMLScene(self, scene) -> None:
        for selector in self.findChildren(qMRMLNodeComboBox):  # the .ui connects a signal, which only C++ can emit
            selector.setMRMLScene(scene)


class qMRMLNodeComboBox(QtWidgets.QComboBox):
    """Lists the nodes of ``nodeTypes`` in a scene; its other properties are Qt's dynamic ones, from the ``.ui``.

    As in Slicer a row comes and goes with its node, and what is then selected is left to Qt: the first node of an
    empty list, and the neighbour of a node that is removed.
    """

    currentNodeChanged = QtCore.Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._scene, self._nodes, self._types = None, [], []
        self.currentIndexChanged.connect(lambda _index: self.currentNodeChanged.emit(self.currentNode()))

    @QtCore.Slot("vtkMRMLScene*")
    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        scene.AddObserver(scene.NodeAddedEvent, self._onNodeAdded, 10.0)  # priorities as in qMRMLSceneModel
        scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved, -10.0)
        scene.AddObserver(scene.EndImportEvent, lambda *_: self._appendAll())
        self._fill()

    def setNodeTypes(self, types) -> None:
        self._types = list(types)
        self._fill()

    def currentNode(self):
        return self._nodes[self.currentIndex()] if self.currentIndex() >= 0 else None

    def setCurrentNode(self, node) -> None:
        missing = 0 if self.property("noneEnabled") else -1
        self.setCurrentIndex(self._nodes.index(node) if node in self._nodes else missing)

    def _fill(self) -> None:
        current = self.currentNode()
        self._nodes = [None] if self.property("noneEnabled") else []
        self.clear()
        self.addItems([self.property("noneDisplay") or "None" for _none in self._nodes])
        self._appendAll()
        self.setCurrentNode(current)

    def _appendAll(self) -> None:
        for name in self._types if self._scene else []:
            for node in slicer.util.getNodesByClass(name, self._scene):
                self._append(node)

    def _append(self, node) -> None:
        isListed = node.GetClassName() in self._types and not node.GetHideFromEditors()
        if isListed and node not in self._nodes and not self._scene.IsImporting():
            self._nodes.append(node)
            self.addItem(node.GetName())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, _scene, _event, node) -> None:
        self._append(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, _scene, _event, node) -> None:
        if node in self._nodes:
            row = self._nodes.index(node)
            del self._nodes[row]
            self.removeItem(row)


class ctkCollapsibleButton(QtWidgets.QWidget):
    """A title that folds what is below it."""

    HEADER = 26

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._text, self._isCollapsed = "", False

    def _setText(self, text: str) -> None:
        self._text = text

    def _setCollapsed(self, collapsed: bool) -> None:
        self._isCollapsed = collapsed
        self.setMaximumHeight(self.HEADER if collapsed else 2**24 - 1)

    text = QtCore.Property(str, lambda self: self._text, _setText)
    collapsed = QtCore.Property(bool, lambda self: self._isCollapsed, _setCollapsed)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        if self.layout():
            self.layout().setContentsMargins(8, self.HEADER + 6, 8, 6)
            self.layout().setSizeConstraint(QtWidgets.QLayout.SetNoConstraint)
        super().childEvent(event)

    def paintEvent(self, _event) -> None:
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width(), self.HEADER)
        option.text = ("▸ " if self._isCollapsed else "▾ ") + self._text
        painter = QtWidgets.QStylePainter(self)
        painter.drawControl(QtWidgets.QStyle.CE_PushButton, option)
        painter.setPen(self.palette().color(QtGui.QPalette.Mid))
        if not self._isCollapsed:
            painter.drawRect(self.rect().adjusted(0, self.HEADER - 1, -1, -1))


CUSTOM_WIDGETS = (qMRMLWidget, qMRMLNodeComboBox, ctkCollapsibleButton)
