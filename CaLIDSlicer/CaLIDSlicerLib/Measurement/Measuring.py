"""One measurement: from a dense volume, or cine, to its volumes, function, mass and wall thickness."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from calid.errors import CalidError, UnusableInput
from calid.measurement.body import Body
from calid.options import Options
from calid.protocol import DRAWN_FILE, MEASURE, Done, Event, HeartFacts, Job, Measured
from calid.stacks.stack import SliceStack, uniform_step

from ..Jobs.WorkerJob import WorkerJob
from ..Scene.CineInput import findSource
from ..Scene.Labels import isDrawn, labelsOf, segmentationOf
from ..Scene.Measures import Measures, labelNodes, measuresOf
from ..Scene.Provenance import factOf
from ..Scene.Results import AddedNodes
from .Nodes import addMeasures

DEFAULTS, NOTHING_KNOWN = Options(), HeartFacts()


class Measuring(WorkerJob):
    """A running measurement.

    See :class:`WorkerJob` for how it goes on and ends. After success ``result`` is a :class:`..Scene.Measures.Measures`
    whose nodes are in the folder of the dense volume; after failure or cancel the scene is as it was before. Labels of
    an earlier measurement that a person has changed since are counted as they are, and kept.

    :param node: a dense volume; or a dense cine: its proxy volume, its sequence or its browser.
    :param onProgress: called with every ``Progress`` and ``Warned`` event.
    :param onFinished: called once with this object, after success, failure or cancel.
    :param heart: what is known of the patient, and where papillary muscles count.
    :param workerCommand: replaces the worker program; the job folder is appended.
    :param options: of which ``device`` and ``models`` are heeded, and ``spacing``: slices no further apart are dense.
    :param chosen: these by name, instead of those of ``options``.
    :raises UnusableInput: before anything is started, for a node or facts that cannot be used.
    """

    activity = "measurement"

    def __init__(
        self,
        node,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[Measuring], None] | None = None,
        *,
        heart: HeartFacts = NOTHING_KNOWN,
        workerCommand: Sequence[str] | None = None,
        options: Options = DEFAULTS,
        **chosen: Any,
    ) -> None:
        self.result: Measures | None = None
        Body(heart.height_cm, heart.weight_kg, heart.rr_ms)  # refuses what no patient can be
        self._source = source = findSource(node)
        if source.volume is None:
            raise UnusableInput(
                f'"{source.name}" is not shown by any volume', "open the sequence in a sequence browser first"
            )
        phases = source.read(source.items("all"))
        self._stack, self._added = phases[0], AddedNodes(source)
        self._measured: Measured | None = None
        self._labels: list[Any] = []
        drawn = _drawnLabels(source.volume, self._stack)
        self._drawn = sorted(drawn)
        options = options.changed(**chosen)
        job = Job(
            self._stack.frame.tolist(),
            self._stack.positions.tolist(),
            options.changed(spacing=max(options.spacing, float(self._stack.gaps.max()))),
            MEASURE,
            thickness=source.thickness(self._stack.gaps),
            heart=replace(heart, acquired=_acquiredOf(source.node, self._stack), title=source.name, drawn=self._drawn),
        )
        voxels = [each.voxels[0] for each in phases]
        labels = [drawn[phase] for phase in self._drawn]
        super().__init__(source.nodes, voxels, job, onProgress, onFinished, workerCommand, {DRAWN_FILE: labels})

    @property
    def volume(self):
        """The volume node that was measured, of a cine the proxy."""
        return self._source.volume

    def _outcome(self) -> Measures | None:
        return self.result

    def _receive(self, event: Event) -> bool | None:
        if isinstance(event, Measured):
            self._measured = event
            self._next += [partial(self._makeLabels, labels) for labels in self._folder.load(event.labels)]
            return False
        if isinstance(event, Done):
            self._complete(event)
            return True
        return None

    def _makeLabels(self, labels: np.ndarray) -> None:
        isByHand = len(self._labels) in self._drawn
        affine = affineOf(self._stack)
        self._labels.append(segmentationOf(labels, affine, f"{self._source.name} labels", isByHand))

    def _complete(self, done: Done) -> None:
        if self._measured is None or not self._labels:
            raise CalidError("the worker reported success without a result", "run it again")
        page = self._folder.text(self._measured.report) if self._measured.report else ""
        with self._added.recorded():
            facts = {**done.provenance, "seconds": done.seconds}
            self.result = addMeasures(self._source, self._measured, facts, self._labels, page, self._added)

    def _settle(self) -> None:
        if self.error:
            self.result = None
            self._added.remove()


def affineOf(stack: SliceStack) -> np.ndarray:
    """4 x 4 from (i, j, k, 1) to RAS mm of the slices of a volume, which are equally far apart."""
    affine = np.array(stack.frame)
    affine[:3, 2] *= uniform_step(stack.positions)
    return affine


def _acquiredOf(node, stack: SliceStack) -> list[int | None] | None:
    """Which slices were acquired, as a result says of itself; ``None`` of any other volume."""
    told = factOf(node, "acquired")
    acquired = json.loads(told) if told else None
    return acquired if acquired and len(acquired) == len(stack.positions) else None


def _drawnLabels(volume, stack: SliceStack) -> dict[int, np.ndarray]:
    """The labels of an earlier measurement that a person has changed, by the phase."""
    before = measuresOf(volume)
    affine, shape = affineOf(stack), stack.voxels.shape[1:]
    found = {}
    for phase, node in enumerate(labelNodes(before.labels) if before else []):
        if isDrawn(node):
            found[phase] = labelsOf(node, affine, shape)
    return found
