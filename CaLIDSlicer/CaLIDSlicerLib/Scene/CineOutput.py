"""A dense cine grows in the scene phase by phase, and plays in step with its input.

The dense sequence has the index of the input's and is played by the input's browser, whose selected phase and
playback are left alone. While phases are missing, its proxy volume shows the last one before that is done. All
phases are shown in one window and level, for a window fitted to each phase would flicker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from .CineInput import SEQUENCE, Source
from .NodeState import NodeState, SequenceState, VolumeState
from .PhaseNodes import copyIndex, phaseNodes, putPhase, removeOtherPhases, showPhase
from .PhaseTimes import phaseTimes, writePhaseTimes
from .Provenance import INPUT_ROLE, MASK_ROLE, UNCERTAINTY_ROLE, writeFacts
from .Results import (
    LABEL_MAP,
    VOLUME,
    AddedNodes,
    DenseGrid,
    addCompanion,
    denseVolume,
    discardCompanions,
    nameCompanions,
)
from .VolumeBridge import fillVolume, fixWindow, freeName


@dataclass(frozen=True)
class Track:
    """A sequence of the result, and the proxy volume that shows one of its phases."""

    sequence: Any
    proxy: Any


class CineOutput:
    """A dense sequence, its proxy volume and the browser that plays them.

    The input, the mask (one label map for all phases) and the uncertainty (a sequence of its own in the same browser)
    are node references of both the sequence and its proxy volume.

    :param voxels: (k, j, i) of all phases of the input, for the grey scale.
    :param name: of the proxy volume.
    :param volume: an existing node to overwrite as proxy volume, or ``None``.
    :param sequence: an existing sequence node to overwrite, or ``None``.
    """

    def __init__(
        self, source: Source, voxels: Sequence[np.ndarray], grid: DenseGrid, name: str, volume=None, sequence=None
    ) -> None:
        self.browser: Any = None
        self._source, self._voxels, self._grid, self._name = source, voxels, grid, name
        # Asked for now: the user may edit the sequence meanwhile.
        self._indexValues = [source.sequence.GetNthIndexValue(number) for number in range(source.phases)]
        self._times = phaseTimes(source.sequence)
        self._oldVolume, self._oldSequence = volume, sequence
        self._before: list[NodeState] = [SequenceState(sequence)] if sequence else []
        self._before += [VolumeState(volume)] if volume else []
        self._added = AddedNodes(source)
        self._tracks: list[Track] = []
        self._finished: list[int] = []

    @property
    def volume(self):
        """The proxy volume of the dense sequence, or ``None`` before the first phase."""
        return self._tracks[0].proxy if self._tracks else None

    @property
    def sequence(self):
        """The dense sequence, or ``None`` before the first phase."""
        return self._tracks[0].sequence if self._tracks else None

    @property
    def overwritten(self) -> list[Any]:
        """The nodes that were chosen to be overwritten."""
        return [state.node for state in self._before]

    def addPhase(self, number: int, voxels: np.ndarray, uncertainty: np.ndarray | None, facts: dict[str, Any]) -> bool:
        arrays = [voxels] if uncertainty is None else [voxels, uncertainty]
        with self._added.recorded():
            isFirst = not self._tracks
            if isFirst:
                self._begin(arrays)
            with self._shownOnce(number):
                for track, array in zip(self._tracks, arrays, strict=True):
                    putPhase(track.sequence, self._indexValues[number], self._phaseNode(track, array, facts))
            self._finished.append(number)
            if isFirst:
                self._refer()
        return True

    def complete(self, facts: dict[str, Any]) -> None:
        """Write the provenance and the times; phases of an overwritten sequence that were not made anew go."""
        times = self._times and [self._times[number] for number in sorted(self._finished)]
        with self._shownOnce():  # a proxy volume has the attributes of the phase it shows
            for track in self._tracks:
                removeOtherPhases(track.sequence, [self._indexValues[number] for number in self._finished])
                if times:
                    writePhaseTimes(track.sequence, times)
                for node in (track.sequence, track.proxy, *phaseNodes(track.sequence).values()):
                    writeFacts(node, facts)
            self._added.gather(self.volume.GetName(), self.sequence, self.volume)
            discardCompanions(*self._before)
            self._nameCompanions()

    def undo(self) -> None:
        for track in self._tracks if self.browser else []:
            shown = self.browser.GetProxyNode(track.sequence)
            if shown and shown is not track.proxy:  # Slicer makes a new one if the user deletes ours
                self._added.adopt(shown, shown.GetDisplayNode())
        browser, self._tracks, self.browser = self.browser, [], None
        with slicer.util.NodeModify(browser) if browser else nullcontext():
            self._added.remove()
            for state in self._before:
                state.restore()

    def _begin(self, arrays: list[np.ndarray]) -> None:
        volume = denseVolume(self._source, self._grid, arrays[0], self._name, self._oldVolume)
        fixWindow(volume, *self._voxels)
        self._tracks = [self._track(volume, self._oldSequence)]
        mask = addCompanion(volume, MASK_ROLE, LABEL_MAP, self._grid.mask, self._grid)
        spread = addCompanion(volume, UNCERTAINTY_ROLE, VOLUME, dict(enumerate(arrays)).get(1), self._grid)
        if spread:
            fixWindow(spread, arrays[1])
            self._tracks.append(self._track(spread))
        self.browser = self._source.browser or self._newBrowser()
        nodes = [*(node for track in self._tracks for node in (track.sequence, track.proxy)), mask]
        old = (None, self._oldSequence, self._oldVolume)  # moved at the end, for until then all may come back
        new = [node for node in nodes if node not in old]
        self._added.gather(volume.GetName(), *new, overwritten=self.overwritten)

    def _track(self, proxy, sequence=None) -> Track:
        if sequence is None:
            scene = self._source.scene
            name = freeName(scene, f"{proxy.GetName()} sequence")
            sequence = scene.AddNewNodeByClass(SEQUENCE, name)
        copyIndex(self._source.sequence, sequence)
        return Track(sequence, proxy)

    def _nameCompanions(self) -> None:
        """As :func:`nameCompanions`; the uncertainty is a sequence, too, and its phases have the name of its proxy."""
        nameCompanions(self.volume)
        for track in self._tracks[1:]:
            for phase in phaseNodes(track.sequence).values():
                phase.SetName(track.proxy.GetName())
            name = f"{track.proxy.GetName()} sequence"
            if self._source.scene.GetFirstNodeByName(name) is None:
                track.sequence.SetName(name)

    def _refer(self) -> None:
        """Let the nodes of the result be found from each other and from the input, which by now a volume shows."""
        main, source = self._tracks[0], self._source.sequence
        spread = self._tracks[1].sequence.GetID() if len(self._tracks) > 1 else None
        with slicer.util.NodeModify(self.browser):
            main.proxy.SetNodeReferenceID(INPUT_ROLE, (self.browser.GetProxyNode(source) or source).GetID())
            main.sequence.SetNodeReferenceID(INPUT_ROLE, source.GetID())
            main.sequence.SetNodeReferenceID(MASK_ROLE, main.proxy.GetNodeReferenceID(MASK_ROLE))
            main.sequence.SetNodeReferenceID(UNCERTAINTY_ROLE, spread)

    def _newBrowser(self):
        scene = self._source.scene
        browser = slicer.vtkMRMLSequenceBrowserNode()  # its class is known to the scene only with the module loaded
        browser.SetName(freeName(scene, f"{self._source.name} browser"))
        scene.AddNode(browser)
        browser.SetAndObserveMasterSequenceNodeID(self._source.sequence.GetID())
        return browser

    def _phaseNode(self, track: Track, voxels: np.ndarray, facts: dict[str, Any]):
        node = slicer.vtkMRMLScalarVolumeNode()
        node.SetName(track.proxy.GetName())
        fillVolume(node, self._source.like, voxels, self._grid.ijkToRas)
        writeFacts(node, facts)
        return node

    def _isShown(self, number: int) -> bool:
        """Whether the browser shows this phase now: because it is selected, or the last one before that is there."""
        master, selected = self.browser.GetMasterSequenceNode(), self.browser.GetSelectedItemNumber()
        if master is None or selected < 0:
            return True
        item = self.sequence.GetItemNumberFromIndexValue(master.GetNthIndexValue(selected), False)
        return item >= 0 and self.sequence.GetNthIndexValue(item) == self._indexValues[number]

    @contextmanager
    def _shownOnce(self, number: int | None = None) -> Iterator[None]:
        """Change what is played: the browser shows its phase once, at the end, for all views are drawn each time.

        :param number: of the only phase that changes; if another one is shown, the browser shows nothing anew.
        """
        before = self.browser.StartModify()
        try:
            yield
            isSeen = self._attachProxies() or number is None or self._isShown(number)
        except BaseException:
            self.browser.EndModify(before)
            raise
        if not isSeen:
            self.browser.SetDisableModifiedEvent(before)  # it hears of the sequence with its own next change
            return
        self.browser.EndModify(before)
        showPhase(self.browser)

    def _attachProxies(self) -> bool:
        """Have the tracks played by their proxy volumes; return whether any was not."""
        loose = [track for track in self._tracks if self.browser.GetProxyNode(track.sequence) is not track.proxy]
        for track in loose:
            self.browser.AddProxyNode(track.proxy, track.sequence, False)
        return bool(loose)
