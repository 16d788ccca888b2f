"""One study on its way into the scene: read in a process of its own, so that the window lives, whatever is in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calid.errors import CalidError
from calid.protocol import Event, StudyJob, StudyRead, ViewRead

from ..Jobs.WorkerJob import WorkerJob
from .Nodes import OpenedStudy, addStudy


class StudyOpening(WorkerJob):
    """A running search for the short-axis cine in a study.

    See :class:`WorkerJob` for how it goes on and ends. After success ``result`` is an :class:`.Nodes.OpenedStudy`;
    after failure or cancel nothing came into the scene. Needs no PyTorch.

    :param paths: a folder of any depth, a zip archive, or files of DICOM.
    :param stack: the number of the stack in it, from 1; ``None`` takes the short-axis cine.
    :param onProgress: called with every ``Progress`` event; while headers are read, how many files there are is not
        known, and its ``steps`` are 0.
    :param onFinished: called once with this object, after success, failure or cancel.
    :param workerCommand: replaces the worker program; the job folder is appended.
    """

    activity = "opening of the study"

    def __init__(
        self,
        paths: str | Path | Sequence[str | Path],
        stack: int | None = None,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[StudyOpening], None] | None = None,
        *,
        workerCommand: Sequence[str] | None = None,
    ) -> None:
        self.result: OpenedStudy | None = None
        self._views: list[tuple[ViewRead, np.ndarray]] = []
        given = [paths] if isinstance(paths, (str, Path)) else paths
        job = StudyJob([str(path) for path in given], stack)
        super().__init__({}, [], job, onProgress, onFinished, workerCommand)

    @property
    def volume(self) -> Any:
        """The volume node of the stack, of a cine its proxy; ``None`` before it is there."""
        return self.result and self.result.volume

    def _outcome(self):
        return self.volume

    def _receive(self, event: Event) -> bool | None:
        if isinstance(event, ViewRead):
            self._views.append((event, self._folder.load(event.voxels)))
            return False
        if isinstance(event, StudyRead):
            if not self._views:
                raise CalidError("the worker reported success without a result", "open the study again")
            self.result = addStudy(self._views, event)
            return True
        return None
