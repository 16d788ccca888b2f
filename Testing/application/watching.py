"""What the application says and how long it is silent."""

from __future__ import annotations

import time
from typing import Any

import qt
import slicer

OURS = ("calid", "Traceback")
BAD = ("Warning", "Error", "Critical", "Fatal")


class Log:
    """What is written to Slicer's log from now on."""

    def __init__(self) -> None:
        self._model = slicer.app.errorLogModel()
        self._seen = self._texts()

    def ours(self) -> list[str]:
        """The warnings and errors that name our files, nodes or messages, or are Python's."""
        new = {row: text[len(self._seen.get(row, "")) :] for row, text in self._texts().items()}
        return [text for text in new.values() if any(mark.lower() in text.lower() for mark in OURS)]

    def check(self) -> None:
        """:raises AssertionError: if something of ours was written."""
        assert not self.ours(), "in the log of Slicer:\n" + "\n".join(self.ours())

    def _texts(self) -> dict[int, str]:
        """Rows of warnings and errors; Slicer appends what follows at once to the row before."""
        model = self._model
        rows = range(model.rowCount())
        return {row: model.logEntryDescription(row) for row in rows if self._level(row) in BAD}

    def _level(self, row: int) -> str:
        return self._model.data(self._model.index(row, 2))


class Silence:
    """How long the window does not answer, by a timer that should fire every few milliseconds.

    >>> with Silence() as silence:
    ...     ui().applyButton.click()
    ...     waitForRun()
    >>> assert silence.cpu < 0.2

    ``cpu`` is the longest time that the window's thread computed between two events of the timer: what counts on a busy
    machine. ``wall`` is the longest time by the clock. Both are in seconds.
    """

    def __init__(self, milliseconds: int = 10) -> None:
        self.cpu = self.wall = 0.0
        self._timer: Any = qt.QTimer()
        self._timer.setInterval(milliseconds)
        self._timer.timeout.connect(self._onTimeout)

    def __enter__(self) -> Silence:
        self._last = (time.thread_time(), time.monotonic())
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.stop()
        self._onTimeout()

    def _onTimeout(self) -> None:
        now = (time.thread_time(), time.monotonic())
        self.cpu = max(self.cpu, now[0] - self._last[0])
        self.wall = max(self.wall, now[1] - self._last[1])
        self._last = now
