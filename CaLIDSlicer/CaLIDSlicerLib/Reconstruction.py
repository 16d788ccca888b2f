"""One reconstruction: from a volume node to its dense volume node, watched from the main thread by polling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from calid.errors import CalidError, Cancelled, OutOfResources
from calid.plan import plan_slices
from calid.protocol import Done, Event, Failed, Job, PhaseFinished
from calid.stack import uniform_step

from . import Host
from .Errors import errorFromEvent, errorFromExit
from .JobFolder import JobFolder
from .Results import DenseVolume, addResultNodes
from .VolumeBridge import readStack
from .Worker import Worker

POLL_MILLISECONDS = 100


class Reconstruction:
    """A running reconstruction of one volume node.

    The constructor checks the input and starts the worker; :meth:`poll` does the rest, called by Slicer's event loop
    or, without one, by :meth:`wait`. Whatever the end, no process and no temporary file is left, and nodes are added
    on success only. Afterwards ``finished`` is true, and either ``volume`` is the dense volume node or ``error`` says
    what happened; mask and uncertainty are node references of the volume (see ``Results``).

    :param node: the sparse volume, in a scene.
    :param spacing: largest distance between slices of the result in mm.
    :param onProgress: called with every ``Started``, ``Progress`` and ``Warned`` event.
    :param onFinished: called once with this object, after success, failure or cancel.
    :param mask: also make a label map that is 1 on synthesised slices.
    :param workerCommand: replaces the worker program; the job folder is appended.
    :param jobOptions: further fields of :class:`calid.protocol.Job`, such as ``samples``, ``seed``, ``uncertainty``.
    :raises UnusableInput: before anything is started, if the input or the spacing cannot be used.
    """

    def __init__(
        self,
        node,
        spacing: float = 2.0,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[Reconstruction], None] | None = None,
        *,
        mask: bool = False,
        workerCommand: Sequence[str] | None = None,
        **jobOptions: Any,
    ) -> None:
        self.volume: Any = None
        self.error: CalidError | None = None
        self.finished = False
        self._onProgress, self._onFinished, self._makeMask = onProgress, onFinished, mask
        self._stack = readStack(node)
        self._plan = plan_slices(self._stack.positions, spacing)
        self._ijkToRas = np.array(self._stack.frame)
        self._ijkToRas[:3, 2] *= uniform_step(self._plan.positions)  # a volume node cannot hold unequal steps
        self._node, self._scene, self._nodeId = node, node.GetScene(), node.GetID()
        self._phase: PhaseFinished | None = None
        job = Job(self._stack.frame.tolist(), self._stack.positions.tolist(), spacing, **jobOptions)
        self._folder, self._worker = self._launch(job, workerCommand or Host.workerCommand())
        self._stopPolling = Host.callRegularly(self.poll, POLL_MILLISECONDS)

    def poll(self) -> None:
        """Handle what the worker said since the last call; call it often, from the main thread."""
        if self.finished:
            return
        try:
            self._advance()
        except CalidError as error:
            self._finish(error)
        except BaseException as error:
            self._finish(CalidError(f"{type(error).__name__}: {error}"))
            raise
        if self.volume is not None:
            self._finish(None)

    def cancel(self) -> None:
        """End the job, its processes and its temporary files within 2 seconds; the scene stays as it was."""
        self._finish(Cancelled("the reconstruction was cancelled"))

    def wait(self):
        """Block until the end and return the dense volume node, or raise the error. Ctrl-C cancels."""
        try:
            while not self.finished:
                self.poll()
                Host.pause(0.02)
        finally:
            self.cancel()
        if self.error:
            raise self.error
        return self.volume

    def _launch(self, job: Job, command: Sequence[str]) -> tuple[JobFolder, Worker]:
        folder = JobFolder(Host.temporaryFolder())
        try:
            folder.write(self._stack, job)
            return folder, Worker([*command, str(folder.path)], Host.workerEnvironment())
        except BaseException:
            folder.remove()
            raise

    def _advance(self) -> None:
        # A scene that was closed meanwhile must not get the result of the patient before.
        if self._scene.GetNodeByID(self._nodeId) is not self._node:
            raise Cancelled("the input volume was removed from the scene, so its reconstruction was cancelled")
        exitCode = self._worker.exitCode()  # asked first: what it said before its end is read below
        for event in self._worker.events():
            self._handle(event)
            if self.finished or self.volume is not None:
                return
        if exitCode is not None:
            raise errorFromExit(exitCode, self._worker.lastWords())

    def _handle(self, event: Event) -> None:
        if isinstance(event, Failed):
            raise errorFromEvent(event)
        if isinstance(event, PhaseFinished):
            self._phase = event
        elif isinstance(event, Done):
            self.volume = self._deliver(event)
        elif self._onProgress:
            self._onProgress(event)

    def _deliver(self, done: Done):
        try:
            return addResultNodes(self._node, self._readResult(done))
        except MemoryError as error:
            raise OutOfResources("the result does not fit into memory", "ask for a larger spacing") from error

    def _readResult(self, done: Done) -> DenseVolume:
        if self._phase is None:
            raise CalidError("the worker reported success without a result", "run it again")
        shape = (len(self._plan.positions), *self._stack.voxels.shape[2:])
        voxels = self._folder.read(self._phase.dense, shape, self._stack.voxels.dtype)
        uncertainty = None
        if self._phase.uncertainty:
            uncertainty = self._folder.read(self._phase.uncertainty, shape, np.dtype(np.float32))
        run = {"acquired": done.acquired, "seconds": done.seconds, "peak_memory_bytes": done.peak_memory_bytes}
        facts = {**done.provenance, **run}
        return DenseVolume(voxels, self._ijkToRas, facts, self._mask(shape) if self._makeMask else None, uncertainty)

    def _mask(self, shape: tuple[int, ...]) -> np.ndarray:
        slices = self._plan.synthesised.astype(np.uint8)
        return np.broadcast_to(slices[:, np.newaxis, np.newaxis], shape)

    def _finish(self, error: CalidError | None) -> None:
        if self.finished:
            return
        self.error, self.finished = error, True
        self._stopPolling()
        self._worker.end()
        self._folder.remove()
        if self._onFinished:
            self._onFinished(self)
