"""One reconstruction: from a volume to its dense volume, or from a cine to its dense cine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from calid.errors import CalidError
from calid.options import Options
from calid.protocol import Done, Event, Job, LongAxisFacts, PhaseFinished, Started
from calid.stacks.plan import DensePlan, plan_slices, slice_indices
from calid.stacks.stack import SliceStack, uniform_step
from calid.stacks.thickness import choose_thickness

from ..Scene.CineInput import findSource
from ..Scene.LongAxes import readLongAxes
from ..Scene.Outputs import openOutput, release, reserve
from ..Scene.Provenance import FINISHED_PHASES, PHASE
from ..Scene.Results import DenseGrid
from .WorkerJob import WorkerJob

DEFAULTS = Options()


class Reconstruction(WorkerJob):
    """A running reconstruction of one volume or cine.

    The constructor checks the input; see :class:`WorkerJob` for how it goes on and ends. A dense
    volume comes into the scene when it is complete, a dense cine phase by phase; if the job fails or is cancelled, the
    scene is as it was before. Mask and uncertainty are node references of the results (see ``Provenance``), and all
    nodes are in one subject-hierarchy folder, which can be deleted to undo the result.

    :param node: a volume; or of a cine its proxy volume, its sequence or its sequence browser.
    :param spacing: of :class:`calid.options.Options`, in its place.
    :param onProgress: called with every ``Started``, ``Progress`` and ``Warned`` event.
    :param onFinished: called once with this object, after success, failure or cancel.
    :param onPhase: called with this object and the number of the phase, each time a phase of a cine is in the scene.
    :param phases: of a cine ``"all"``, or ``"current"``: a dense volume of the phase that the browser shows now.
    :param output: a volume or sequence node to overwrite; on failure it is as it was. ``None`` makes new nodes.
    :param mask: also make a label map that is 1 on synthesised slices.
    :param workerCommand: replaces the worker program; the job folder is appended.
    :param options: all that can be chosen of a reconstruction.
    :param chosen: single ones by name, such as ``samples``, ``seed``, ``uncertainty``, instead of those of ``options``.
    :raises UnusableInput: before anything is started, if the input, the output or an option cannot be used.
    """

    activity = "reconstruction"

    def __init__(
        self,
        node,
        spacing: float | None = None,
        onProgress: Callable[[Event], None] | None = None,
        onFinished: Callable[[Reconstruction], None] | None = None,
        *,
        onPhase: Callable[[Reconstruction, int], None] | None = None,
        phases: str = "all",
        output=None,
        mask: bool = False,
        workerCommand: Sequence[str] | None = None,
        options: Options = DEFAULTS,
        **chosen: Any,
    ) -> None:
        options = options.changed(**chosen, **({} if spacing is None else {"spacing": spacing}))
        source = findSource(node)
        items = source.items(phases)
        stacks = source.read(items)
        stack, voxels = stacks[0], [each.voxels[0] for each in stacks]
        plan = plan_slices(stack.positions, options.spacing).for_choice(options.acquired)
        choose_thickness(stack, options.thickness)
        slice_indices(len(stack.positions), options.in_place)
        self._grid, self._voxelType = denseGrid(stack, plan, mask), stack.voxels.dtype
        self._output = openOutput(source, items, voxels, self._grid, output, source.isCine(phases))
        self._items, self._missing = items, set(items)
        self._onPhase, self._isKept = onPhase, False
        thickness = source.thickness(stack.gaps)
        longAxes = {f"long_axis_{n:02d}.npy": each for n, each in enumerate(readLongAxes(source, items))}
        facts = [LongAxisFacts(name, each.ijkToRas.tolist(), each.thickness) for name, each in longAxes.items()]
        frame, positions = stack.frame.tolist(), stack.positions.tolist()
        job = Job(frame, positions, options, thickness=thickness, long_axes=facts)
        self._facts: dict[str, Any] = {"spacing_mm": options.spacing, "seed": options.seed, "acquired": plan.acquired}
        if phases == "current" and source.sequence:
            self._facts[PHASE] = source.sequence.GetNthIndexValue(items[0])
        nodes = source.nodes if output is None else {**source.nodes, "output": output}
        others = {name: each.phases for name, each in longAxes.items()}
        super().__init__(nodes, voxels, job, onProgress, onFinished, workerCommand, others)
        reserve(self._output.overwritten)

    @property
    def volume(self):
        """The dense volume node, of a cine the proxy of the dense sequence; ``None`` before it is there."""
        return self._output.volume

    @property
    def sequence(self):
        """The dense sequence node of a cine, or ``None``."""
        return self._output.sequence

    @property
    def browser(self):
        """The sequence browser node that plays the cine and its dense sequence, or ``None``."""
        return self._output.browser

    def cancel(self, keep: bool = False) -> None:
        """End the job, its processes and its temporary files within 2 seconds.

        :param keep: leave the finished phases of a cine in the scene; otherwise it is as it was before.
        """
        self._isKept = keep
        super().cancel()

    def _outcome(self):
        return self.volume

    def _receive(self, event: Event) -> bool | None:
        if isinstance(event, PhaseFinished):
            self._addPhase(event)
            return False
        if isinstance(event, Done):
            self._complete(event)
            return True
        if isinstance(event, Started):
            self._facts.update(model=event.model, device=event.device)
        return None

    def _addPhase(self, event: PhaseFinished) -> None:
        if not 0 <= event.phase < len(self._items):
            raise CalidError(f"the worker reported phase {event.phase} of {len(self._items)}", "run it again")
        number, isFirst = self._items[event.phase], self.volume is None
        voxels = self._folder.read(event.dense, self._grid.shape, self._voxelType)
        spread = None
        if event.uncertainty:
            spread = self._folder.read(event.uncertainty, self._grid.shape, np.dtype(np.float32))
        isShown = self._output.addPhase(number, voxels, spread, self._facts)
        self._missing.discard(number)
        if isShown and isFirst:
            self._watch("dense volume", self.volume)
            self._watch("dense sequence", self.sequence)
            self._watch("sequence browser", self.browser)
        if isShown and self._onPhase:
            self._next.append(partial(self._onPhase, self, number))

    def _complete(self, done: Done) -> None:
        if self._missing:
            raise CalidError("the worker reported success without a result", "run it again")
        run = {"acquired": done.acquired, "seconds": done.seconds, "peak_memory_bytes": done.peak_memory_bytes}
        self._output.complete({**self._facts, **done.provenance, **run})

    def _settle(self) -> None:
        release(self._output.overwritten)
        if self.error is None:
            return
        if self._isKept and self.volume is not None and not self._removedNode():
            finished = len(self._items) - len(self._missing)
            self._output.complete({**self._facts, FINISHED_PHASES: f"{finished} of {len(self._items)}"})
        else:
            self._output.undo()


def denseGrid(stack: SliceStack, plan: DensePlan, withMask: bool) -> DenseGrid:
    """The grid of the dense slices; raises :class:`UnusableInput` if their distances are not equal."""
    ijkToRas = np.array(stack.frame)
    ijkToRas[:3, 2] *= uniform_step(plan.positions)  # a volume node cannot hold unequal steps
    shape = (len(plan.positions), *stack.voxels.shape[2:])
    synthesised = plan.synthesised.astype(np.uint8)[:, np.newaxis, np.newaxis]
    return DenseGrid(ijkToRas, shape, np.broadcast_to(synthesised, shape) if withMask else None)
