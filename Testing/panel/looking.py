"""What a person sees of a widget, whether its window is open or not."""

from __future__ import annotations

from PySide6 import QtWidgets


def isShown(widget: QtWidgets.QWidget) -> bool:
    return widget.isVisibleTo(widget.window())


def textOf(label: QtWidgets.QLabel) -> str:
    return label.text() if isShown(label) else ""
