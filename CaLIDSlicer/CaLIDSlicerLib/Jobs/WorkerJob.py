"""The life of one worker process: started, watched from the main thread by polling, and always cleaned up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from calid.errors import CalidError, Cancelled, OutOfResources
from calid.protocol import Event, Failed, Job, StudyJob

from .. import Host
from .Errors import CONSOLE, errorFromEvent, errorFromExit
from .JobFolder import JobFolder
from .Worker import Worker

POLL_MILLISECONDS = 100
TURN_SECONDS = 0.05
"""What is left to do after so long waits for the next poll: the window lives in between."""


class WorkerJob:
    """A running worker process, to be derived from: a subclass reads its input and makes nodes of what it says.

    The constructor makes the job folder; :meth:`poll` does the rest in short turns, from the start of the worker on,
    called by Slicer's event loop or, without one, by :meth:`wait`. Whatever the end, no process and no temporary file
    is left. Afterwards ``finished`` is true and ``error`` is ``None`` or says what happened; a node of ``inputs`` that
    leaves the scene meanwhile is a cancel.

    A subclass gives :meth:`_receive` and :meth:`_outcome`, and may give :meth:`_settle`.

    :param inputs: the nodes that must stay in their scene, each by what it is called in a message.
    :param phases: voxels (k, j, i) of each phase, written to the job folder, with ``job``.
    :param onProgress: called with every event that :meth:`_receive` leaves.
    :param onFinished: called once with this object, after success, failure or cancel.
    :param workerCommand: replaces the worker program; the job folder is appended.
    :param others: name of a file of the job folder to arrays of one shape and type, a phase each, written to it too.
    """

    activity = "job"
    """What a message calls this job."""

    def __init__(
        self,
        inputs: Mapping[str, Any],
        phases: Sequence[np.ndarray],
        job: Job | StudyJob,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[Any], None] | None = None,
        workerCommand: Sequence[str] | None = None,
        others: Mapping[str, Sequence[np.ndarray]] | None = None,
    ) -> None:
        self.error: CalidError | None = None
        self.finished = False
        self._onProgress, self._onFinished = onProgress, onFinished
        self._watched: list[tuple[str, Any, Any, str]] = []
        self._isPolling = self._isComplete = False
        self._next: list[Callable[[], None]] = []  # what a result leads to, each in a turn of its own
        for what, node in inputs.items():
            self._watch(what, node)
        self._command = workerCommand or Host.workerCommand()
        self._worker: Worker | None = None
        self._folder = JobFolder(Host.temporaryFolder())
        self._writing = self._folder.write(phases, job, others or {})
        self._stopPolling = Host.callRegularly(self.poll, POLL_MILLISECONDS)

    def poll(self) -> None:
        """Handle what the worker said since the last call; call it often, from the main thread."""
        if self.finished or self._isPolling:  # a callback may let the event loop run, and that would poll again
            return
        self._isPolling = True
        try:
            self._advance()
        except CalidError as error:
            self._finish(error)
        except MemoryError:
            self._finish(OutOfResources("the result does not fit into memory", "ask for a larger spacing"))
        except BaseException as error:
            self._finish(CalidError(f"{type(error).__name__}: {error}"))
            raise
        finally:
            self._isPolling = False

    def cancel(self) -> None:
        """End the job, its processes and its temporary files within 2 seconds; the scene stays as it was."""
        self._finish(None if self._isComplete else Cancelled(f"the {self.activity} was cancelled"))

    def wait(self):
        """Block until the end and return what was made, or raise the error. Ctrl-C cancels."""
        try:
            while not self.finished:
                self.poll()
                Host.pause(0.02)
        finally:
            self.cancel()
        if self.error:
            raise self.error
        return self._outcome()

    def _receive(self, event: Event) -> bool | None:
        """Use an event that carries a result.

        :return: ``None`` for an event that carries none, else whether it was the last one.
        """
        raise NotImplementedError

    def _outcome(self):
        """What :meth:`wait` returns after success."""
        raise NotImplementedError

    def _settle(self) -> None:
        """Called once at the end, with ``error`` set, before ``onFinished``: here the scene is put back in order."""

    def _watch(self, what: str, node) -> None:
        self._watched.append((what, node, node.GetScene(), node.GetID()))

    def _removedNode(self) -> str | None:
        """What has left its scene: one that was closed must not get the result of the patient before."""
        gone = (what for what, node, scene, nodeId in self._watched if scene.GetNodeByID(nodeId) is not node)
        return next(gone, None)

    def _advance(self) -> None:
        removed = self._removedNode()
        if removed:
            raise Cancelled(f"the {removed} was removed from the scene, so its {self.activity} was cancelled")
        turnEnd = time.monotonic() + TURN_SECONDS
        while self._next:
            self._next.pop(0)()
            if self.finished or not self._next or time.monotonic() > turnEnd:  # what the worker said has its own turn
                return
        if self._worker is None:
            for _phase in self._writing:
                if time.monotonic() > turnEnd:
                    return
            self._worker = Worker([*self._command, str(self._folder.path)], Host.workerEnvironment())
        exitCode = self._worker.exitCode()  # asked first: what it said before its end is read below
        for event in self._worker.events():
            self._handle(event)
            if self.finished or self._next or time.monotonic() > turnEnd:
                return
        if exitCode is not None:
            raise errorFromExit(exitCode, self._worker.lastWords())

    def _handle(self, event: Event) -> None:
        if isinstance(event, Failed):
            raise errorFromEvent(event)
        isLast = self._receive(event)
        if isLast:
            self._isComplete = True
            self._next.append(lambda: self._finish(None))
        elif isLast is None and self._onProgress:
            self._onProgress(event)

    def _finish(self, error: CalidError | None) -> None:
        if self.finished:
            return
        self.error, self.finished = error, True
        self._stopPolling()
        self._writing.close()
        if self._worker:
            self._worker.end()
        self._folder.remove()
        if error:
            error.told_in(CONSOLE)
            self._logWhatNobodyForesaw(error)
        try:
            self._settle()
        finally:
            if self._onFinished:
                self._onFinished(self)

    def _logWhatNobodyForesaw(self, error: CalidError) -> None:
        said = self._worker.lastWords() if self._worker else ""
        if type(error) is CalidError and said:  # every other type is one that the user can do something about
            logging.error("The last words of CaLIDSlicer's worker:\n%s", said)
