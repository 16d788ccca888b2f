"""The self-check of one patient: how well does the model predict slices of this very stack that were acquired?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from calid.errors import CalidError, UnusableInput
from calid.options import Options
from calid.protocol import SELF_CHECK, Checked, Done, Event, Job

from ..Jobs.WorkerJob import WorkerJob
from ..Scene.CineInput import findSource
from ..Scene.Results import AddedNodes
from .Nodes import WorstSlice, addPicture, addPlot, addTable
from .Report import CheckedSlice, SelfCheckReport, verdictOf, worstOf

DEFAULTS = Options()


class SelfCheck(WorkerJob):
    """A running self-check: each inner slice is hidden in turn, predicted from the others, and compared.

    See :class:`WorkerJob` for how it goes on and ends. After success ``result`` is a :class:`SelfCheckReport`, whose
    nodes are in one subject-hierarchy folder; after failure or cancel the scene is as it was before.

    :param node: a volume; or a cine (proxy volume, sequence or browser), of which the phase shown now is checked.
    :param onProgress: called with every ``Started``, ``Progress`` and ``Warned`` event.
    :param onFinished: called once with this object, after success, failure or cancel.
    :param workerCommand: replaces the worker program; the job folder is appended.
    :param options: of which ``seed``, ``device`` and ``models`` are heeded.
    :param chosen: these by name, instead of those of ``options``.
    :raises UnusableInput: before anything is started, for an input that cannot be used or has fewer than 3 slices.
    """

    activity = "self-check"

    def __init__(
        self,
        node,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[SelfCheck], None] | None = None,
        *,
        workerCommand: Sequence[str] | None = None,
        options: Options = DEFAULTS,
        **chosen: Any,
    ) -> None:
        self.result: SelfCheckReport | None = None
        self._source = findSource(node)
        self._items = self._source.items("current")
        (self._stack,) = self._source.read(self._items)
        _requireInnerSlices(self._source.name, len(self._stack.positions))
        self._added = AddedNodes(self._source)
        self._checked: Checked | None = None
        options = options.changed(**chosen)
        job = Job(
            self._stack.frame.tolist(),
            self._stack.positions.tolist(),
            options,
            SELF_CHECK,
            thickness=self._source.thickness(self._stack.gaps),
        )
        super().__init__(self._source.nodes, [self._stack.voxels[0]], job, onProgress, onFinished, workerCommand)

    def _outcome(self) -> SelfCheckReport | None:
        return self.result

    def _receive(self, event: Event) -> bool | None:
        if isinstance(event, Checked):
            self._checked = event
            return False
        if isinstance(event, Done):
            self.result = self._report(event)
            return True
        return None

    def _settle(self) -> None:
        if self.error:
            self.result = None
            self._added.remove()

    def _report(self, done: Done) -> SelfCheckReport:
        if self._checked is None or len(self._checked.slices) != len(self._stack.positions) - 2:
            raise CalidError("the worker reported success without a result", "run it again")
        slices = [CheckedSlice.of(fields, self._stack.positions) for fields in self._checked.slices]
        pictured = self._worst(worstOf(slices))
        facts = {**done.provenance, "seconds": done.seconds}
        with self._added.recorded():
            table = addTable(self._source, slices, facts)
            plot, series = addPlot(self._source, table, slices)
            picture = addPicture(self._source, self._stack, pictured)
            self._added.gather(f"{self._source.name} CaLID self-check", table, plot, *series, *picture)
        verdict = verdictOf(slices, self._stack, self._source.like)
        return SelfCheckReport(slices, verdict, pictured.index, table, plot, picture)

    def _worst(self, index: int) -> WorstSlice:
        assert self._checked
        shape = (1, len(self._stack.positions) - 2, *self._stack.voxels.shape[2:])
        predicted = self._folder.read(self._checked.predicted, shape, self._stack.voxels.dtype)
        return WorstSlice.of(self._stack, index, predicted[0, index - 1])


def _requireInnerSlices(name: str, slices: int) -> None:
    if slices < 3:
        raise UnusableInput(
            f'"{name}" has {slices} slices, and the self-check hides slices that lie between others',
            "choose a stack of at least 3 slices",
        )
