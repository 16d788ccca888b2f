"""The worker process as Slicer sees it: events come out, and it can be ended. Needs neither Qt nor MRML."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator, Sequence

from calid.errors import CalidError
from calid.protocol import Event, parse_event

from .ProcessTree import endTree, startTree

LAST_WORDS_BYTES = 4000


class Worker:
    """A running child process that speaks :mod:`calid.protocol`.

    Its stdin is held open and never written to: it is the life line, which breaks when this process dies.

    >>> worker = Worker(["PythonSlicer", "-m", "calid.worker", jobFolder], environment)
    >>> while worker.exitCode() is None:
    ...     for event in worker.events(): print(event)
    >>> worker.end()
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        try:
            self._process = startTree(command, environment)
        except OSError as error:
            raise CalidError(f"{command[0]} cannot be started: {error.strerror}", "reinstall Slicer") from error
        self._said: queue.SimpleQueue[Event | str] = queue.SimpleQueue()
        self._lastWords = b""
        self._isOver = False
        # A pipe that nobody reads fills up and stops the worker, so each has its reader.
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._readEvents, self._readErrors)]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Process id, and on POSIX the id of the process group."""
        return self._process.pid

    def exitCode(self) -> int | None:
        """The exit code, or ``None`` while the worker runs.

        Slicer's event loop holds the lock of Python: the readers get on while this asks the system.
        """
        return self._process.poll()

    def events(self) -> Iterator[Event]:
        """The events that came so far and were not taken yet; never waits for a running worker. For the main thread."""
        if self.exitCode() is not None:
            self.end()  # what it leaves behind would keep the pipes open, and the last lines unread
        while not self._said.empty():
            said = self._said.get()
            if isinstance(said, str):  # logged here, for Slicer's log is a Qt model of the main thread
                logging.debug("calid worker: %s", said)
            else:
                yield said

    def lastWords(self) -> str:
        """The end of what the worker wrote to stderr."""
        return self._lastWords.decode("utf-8", errors="replace").strip()

    def end(self) -> None:
        """Kill the worker and all processes it started, within 2 seconds; what it said stays readable."""
        if self._isOver:
            return
        self._isOver = True
        endTree(self._process)
        streams = (self._process.stdout, self._process.stderr)
        for reader, stream in zip(self._readers, streams, strict=True):
            reader.join(timeout=0.4)
            if stream and not reader.is_alive():  # closing a stream under its reader would block
                stream.close()
        if self._process.stdin:
            self._process.stdin.close()

    def _readEvents(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            text = line.decode("utf-8", errors="replace").rstrip()
            self._said.put(parse_event(text) or text)

    def _readErrors(self) -> None:
        assert self._process.stderr
        while chunk := self._process.stderr.read1(65536):  # type: ignore[attr-defined]
            self._lastWords = (self._lastWords + chunk)[-LAST_WORDS_BYTES:]
