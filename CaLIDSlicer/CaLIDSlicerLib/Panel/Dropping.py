"""Folders and archives that are dropped onto the panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt


class Dropping(qt.QObject):
    """Hands on the paths of what is dropped onto a widget; Slicer's window, which takes all else, is not asked then.

    >>> self._dropping = Dropping(ui.inputSection, panel.openStudy)  # to be kept: Qt does not own it

    :param onPaths: called with the paths of folders and files, after the drop is over: whoever drags waits for its end.
    """

    def __init__(self, widget: Any, onPaths: Callable[[list[str]], None]) -> None:
        super().__init__()
        self._onPaths = onPaths
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, _widget: Any, event: Any) -> bool:
        if event.type() not in (qt.QEvent.DragEnter, qt.QEvent.DragMove, qt.QEvent.Drop):
            return False
        paths = pathsIn(event.mimeData())
        if not paths:
            return False
        event.acceptProposedAction()
        if event.type() == qt.QEvent.Drop:
            qt.QTimer.singleShot(0, lambda: self._onPaths(paths))
        return True


def pathsIn(mimeData: Any) -> list[str]:
    """The local files and folders that are dragged."""
    return [path for url in mimeData.urls() if (path := url.toLocalFile())] if mimeData.hasUrls() else []
