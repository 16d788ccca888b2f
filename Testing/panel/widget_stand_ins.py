"""The three widgets of Slicer and CTK that ``CaLIDSlicer.ui`` names, on plain Qt."""

from __future__ import annotations

import slicer
from PySide6 import QtCore, QtGui, QtWidgets


class qMRMLWidget(QtWidgets.QWidget):
    mrmlSceneChanged = QtCore.Signal("vtkMRMLScene*")

    def setMRMLScene(self, scene) -> None:
        for selector in self.findChildren(qMRMLNodeComboBox):  # the .ui connects a signal, which only C++ can emit
            selector.setMRMLScene(scene)


class qMRMLNodeComboBox(QtWidgets.QComboBox):
    """Lists the nodes of ``nodeTypes`` in a scene; its other properties are Qt's dynamic ones, from the ``.ui``."""

    currentNodeChanged = QtCore.Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._scene, self._nodes, self._types, self._isFilling = None, [], [], False
        self.currentIndexChanged.connect(self._onIndexChanged)

    @QtCore.Slot("vtkMRMLScene*")
    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
            scene.AddObserver(event, lambda *_: self._fill(self.currentNode()))
        self._fill(None)

    def setNodeTypes(self, types) -> None:
        self._types = list(types)
        self._fill(self.currentNode())

    def currentNode(self):
        return self._nodes[self.currentIndex()] if self.currentIndex() >= 0 else None

    def setCurrentNode(self, node) -> None:
        self.setCurrentIndex(self._nodes.index(node) if node in self._nodes else -1)

    def _fill(self, current) -> None:
        before, self._isFilling = self.currentNode(), True
        found = [slicer.util.getNodesByClass(name, self._scene) for name in self._types] if self._scene else []
        nodes = [node for each in found for node in each if node.GetClassName() in self._types]
        self._nodes = [*([None] if self.property("noneEnabled") else []), *nodes]
        self.clear()
        self.addItems([node.GetName() if node else self.property("noneDisplay") or "None" for node in self._nodes])
        self.setCurrentNode(current)
        self._isFilling = False
        if self.currentNode() is not before:
            self.currentNodeChanged.emit(self.currentNode())

    def _onIndexChanged(self, _index: int) -> None:
        if not self._isFilling:
            self.currentNodeChanged.emit(self.currentNode())


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
