"""``slicer.parameterNodeWrapper`` for the types that the panel uses: typed values on a real parameter node.

As in Slicer, values are stored as strings and nodes as references, ranges are checked, and
``connectParametersToGui`` connects the widgets given for parameters and returns the tag by which to disconnect them.
"""

from __future__ import annotations

import json
import typing
from dataclasses import dataclass
from enum import Enum

import slicer
import vtk
from PySide6 import QtWidgets
from widget_stand_ins import qMRMLNodeComboBox


@dataclass(frozen=True)
class WithinRange:
    minimum: float
    maximum: float


class Parameter:
    """One typed parameter of one name."""

    def __init__(self, name: str, hint, default) -> None:
        self.name = name
        kind, *annotations = typing.get_args(typing.Annotated[hint, None])[:-1]
        self.range = next((each for each in annotations if isinstance(each, WithinRange)), None)
        self.isList = typing.get_origin(kind) is list
        kinds = [each for each in typing.get_args(kind) or [kind] if each is not type(None)]
        self.kind, self.kinds = kinds[0], tuple(kinds)
        self.isNode = issubclass(self.kind, slicer.vtkMRMLNode)
        self.default = None if self.isNode else default
        if self.isList:
            self.kinds = (list,)

    def read(self, node):
        if self.isNode:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if self.isList:
            return json.loads(text or "[]")
        if not text:
            return self.default
        if issubclass(self.kind, Enum):
            return self.kind[text]
        return text == "True" if self.kind is bool else self.kind(text)

    def write(self, node, value) -> None:
        if not isinstance(value, (*self.kinds, *([type(None)] if self.isNode else [int]))):
            raise TypeError(f"{self.name}: {value!r}")
        if self.range and not self.range.minimum <= value <= self.range.maximum:
            raise ValueError(f"{self.name}: {value}")
        if self.isNode:
            node.SetNodeReferenceID(self.name, value.GetID() if value else None)
        elif self.isList:
            node.SetParameter(self.name, json.dumps(value))
        else:
            node.SetParameter(self.name, value.name if isinstance(value, Enum) else str(value))


class Connection:
    """A widget and its parameter: ``read`` and ``write`` are the widget's, ``changed`` its signal."""

    def __init__(self, widget, parameter: Parameter) -> None:
        self.parameter = parameter
        if type(widget) is QtWidgets.QCheckBox:
            self.read, self.write, self.changed = widget.isChecked, widget.setChecked, widget.stateChanged
        elif type(widget) in (QtWidgets.QSpinBox, QtWidgets.QDoubleSpinBox):
            widget.setRange(parameter.range.minimum, parameter.range.maximum)
            self.read, self.write, self.changed = widget.value, widget.setValue, widget.valueChanged
        elif type(widget) is QtWidgets.QComboBox:
            choices = list(parameter.kind)
            widget.clear()
            widget.addItems([choice.label() for choice in choices])
            self.read = lambda: choices[widget.currentIndex()]
            self.write = lambda value: widget.setCurrentIndex(choices.index(value))
            self.changed = widget.currentIndexChanged
        elif type(widget) is qMRMLNodeComboBox:
            widget.setNodeTypes([kind.__name__ for kind in parameter.kinds])
            self.read, self.write, self.changed = widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged
        else:
            raise RuntimeError(f"no connector of {type(widget)} and {parameter.kind}")


class Wrapper:
    """Base of the wrapped class."""

    allParameters: dict[str, Parameter]

    def __init__(self, parameterNode) -> None:
        self.parameterNode = parameterNode
        self._connections: dict[int, list] = {}
        self._isUpdating = False

    def connectParametersToGui(self, mapping) -> int:
        connections = [Connection(widget, self.allParameters[name]) for name, widget in mapping.items()]
        slots = []
        for connection in connections:
            connection.write(connection.parameter.read(self.parameterNode))
            slot = self._slot(connection)
            connection.changed.connect(slot)
            slots.append((connection, slot))
        tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._updateGui(connections))
        self._connections[tag] = slots
        return tag

    def disconnectGui(self, tag) -> None:
        self.parameterNode.RemoveObserver(tag)
        for connection, slot in self._connections.pop(tag, []):
            connection.changed.disconnect(slot)

    def _slot(self, connection: Connection):
        def changed(*_args) -> None:
            if not self._isUpdating:
                setattr(self, connection.parameter.name, connection.read())

        return changed

    def _updateGui(self, connections) -> None:
        if self._isUpdating:
            return
        self._isUpdating = True
        for connection in connections:
            connection.write(connection.parameter.read(self.parameterNode))
        self._isUpdating = False


def parameterNodeWrapper(wrapped: type) -> type:
    hints = typing.get_type_hints(wrapped, include_extras=True)
    parameters = {name: Parameter(name, hint, getattr(wrapped, name, None)) for name, hint in hints.items()}
    members = {name: _property(parameter) for name, parameter in parameters.items()}
    return type(wrapped.__name__, (Wrapper,), {**members, "allParameters": parameters, "__doc__": wrapped.__doc__})


def _property(parameter: Parameter) -> property:
    return property(
        lambda self: parameter.read(self.parameterNode),
        lambda self, value: parameter.write(self.parameterNode, value),
    )
