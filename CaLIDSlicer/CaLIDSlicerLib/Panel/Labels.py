"""Labels whose text is always seen whole.

A layout gives a word-wrapped label the height it has room for, which may be less than its lines need: then the panel is
to scroll, and the text not to be cut off.
"""

from __future__ import annotations

from typing import Any

import qt


class WholeText(qt.QObject):
    """Gives labels the height that their text needs, each time they become wider or narrower.

    >>> self._wholeText = WholeText(ui)  # to be kept: Qt does not own it

    :param ui: object with named widgets as attributes, of which the labels with word wrap are taken.
    """

    def __init__(self, ui: Any) -> None:
        super().__init__()
        self._labels = [each for each in vars(ui).values() if each.inherits("QLabel") and each.property("wordWrap")]
        for label in self._labels:
            label.installEventFilter(self)

    def eventFilter(self, label: Any, event: Any) -> bool:
        """Slicer's Qt calls this before the label hears of the event, but after it has its new size."""
        if event.type() == qt.QEvent.Resize:
            fit(label)
        return False


def say(label: Any, text: str) -> None:
    """Show a text; an empty label would leave a gap in the layout, so it is hidden."""
    label.setText(text)
    label.setVisible(bool(text))
    fit(label)


def fit(label: Any) -> None:
    """Make a label no lower than its text needs at its present width."""
    label.setMinimumHeight(0)  # Qt counts the minimum of before as needed
    label.setMinimumHeight(max(label.heightForWidth(label.contentsRect().width()), 0))


def bringIntoView(widget: Any) -> None:
    """Scroll the panel to a widget, in a window that has not room for all of it."""
    around = widget.parent()
    while around is not None and not around.inherits("QScrollArea"):
        around = around.parent()
    if around is not None:
        around.ensureWidgetVisible(widget)


def breakable(path: str) -> str:
    """A path that may be broken into lines between its folders: unbroken, it would make the whole panel wider."""
    return path.replace("/", "/\u200b").replace("\\", "\\\u200b")
