"""What the user points at becomes a stack: a volume, or a cine by its proxy volume, its sequence or its browser.

The data nodes of a sequence are read where they are: nothing is added to the scene, and playback goes on.

Phases may differ in intensity scale (automatic gain): they are handed over as they are, and one scale is used for all
of them, because a scale for each phase would make the heart flicker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk

from calid.errors import UnusableInput
from calid.stacks.stack import GRID_TOLERANCE_MM, SliceStack

from .SliceThickness import thicknessOf
from .VolumeBridge import checkNode, checkVolume, ijkToRasOf, quoted, readStack

MOST_PHASES = 200
"""A heart cycle has 20 to 60 phases; far more are several cycles in real time, or no cine at all."""

SEQUENCE, BROWSER = "vtkMRMLSequenceNode", "vtkMRMLSequenceBrowserNode"


@dataclass(frozen=True, eq=False)
class Source:
    """Where a stack comes from.

    :param name: what results are named after.
    :param volume: the volume node in the scene; of a cine its proxy, or ``None``.
    :param sequence: the sequence node of a cine.
    :param browser: the sequence browser that plays it, or ``None``.
    """

    name: str
    volume: Any
    sequence: Any = None
    browser: Any = None

    @property
    def node(self):
        """What a result refers to as its input."""
        return self.volume or self.sequence

    @property
    def scene(self):
        """The scene of the input, and of the result."""
        return self.node.GetScene()

    @property
    def phases(self) -> int:
        """How many there are."""
        return self.sequence.GetNumberOfDataNodes() if self.sequence else 1

    @property
    def like(self):
        """The volume node that results are like: in scalar type, parent transform and display."""
        return self.volume or self.sequence.GetNthDataNode(0)

    @property
    def nodes(self) -> dict[str, Any]:
        """The nodes in the scene that a result belongs to, each by what it is called in a message."""
        named = {"input volume": self.volume, "input sequence": self.sequence, "sequence browser": self.browser}
        return {what: node for what, node in named.items() if node is not None}

    def isCine(self, phases: str) -> bool:
        """Whether the result is a cine too, if ``phases`` ("all" or "current") are asked for."""
        return self.sequence is not None and phases == "all"

    def items(self, phases: str) -> list[int]:
        """The numbers of all phases, or of the current one: that which the browser shows."""
        if phases not in ("all", "current"):
            raise UnusableInput(f"phases is {phases!r}", 'choose "all" or "current" for phases')
        return [self._selectedItem()] if phases == "current" else list(range(self.phases))

    def check(self, items: Sequence[int]) -> None:
        """Raise :class:`UnusableInput`, naming the phase, unless all are volumes on one grid; reads no voxels."""
        if self.sequence is None:
            checkVolume(self.volume)
            return
        if len(items) > MOST_PHASES:
            raise UnusableInput(
                f"{quoted(self.sequence)} has {len(items)} phases; at most {MOST_PHASES} are reconstructed in one run",
                f"reconstruct {{one_phase:{len(items)}}}, or crop the sequence with the module Crop Volume Sequence",
            )
        nodes = [self._phaseNode(item) for item in items]
        for item, node in zip(items, nodes, strict=True):
            self._checkGrid(node, item, nodes[0], items[0])

    def read(self, items: Sequence[int]) -> list[SliceStack]:
        """The phases of the given numbers, each a stack in RAS, on one grid. Their voxels are the nodes' own memory.

        :raises UnusableInput: naming the node and the phase (counted from 1) that cannot be used.
        """
        self.check(items)
        if self.sequence is None:
            return [readStack(self.volume)]
        return [readStack(self._phaseNode(item), self._phaseName(item)) for item in items]

    def thickness(self, gaps: np.ndarray) -> float | None:
        """mm that each slice averages over, of slices ``gaps`` mm apart; ``None`` where nothing says it."""
        return thicknessOf(gaps, self.sequence, self.volume, self.like)

    def _selectedItem(self) -> int:
        if self.sequence is None:
            return 0
        if self.browser is None:
            raise UnusableInput(
                f"{quoted(self.sequence)} is not played by any sequence browser, so no phase is the current one",
                "reconstruct all phases, or open the sequence in a sequence browser",
            )
        master, number = self.browser.GetMasterSequenceNode(), self.browser.GetSelectedItemNumber()
        return max(self.sequence.GetItemNumberFromIndexValue(master.GetNthIndexValue(number), False), 0)

    def _phaseNode(self, item: int):
        node = self.sequence.GetNthDataNode(item)
        if node is None:
            raise UnusableInput(f"{self._phaseName(item)} is missing", "remove it from the sequence, or load it again")
        checkVolume(node, self._phaseName(item))
        if node.GetImageData().GetDimensions()[2] < 2:
            raise UnusableInput(
                f"{self._phaseName(item)} has 1 slice, and filling a gap needs at least 2",
                "{whole_stack}",
            )
        return node

    def _phaseName(self, item: int) -> str:
        return f"{quoted(self.sequence)}, phase {item + 1}"

    def _checkGrid(self, node, item: int, first, firstItem: int) -> None:
        what, remedy = self._phaseName(item), "all phases of a cine need the same size, type and position"
        if _sizeAndType(node) != _sizeAndType(first):
            found, expected = _sizeAndType(node), _sizeAndType(first)
            raise UnusableInput(f"{what} is {found}, but phase {firstItem + 1} is {expected}", remedy)
        shift = _largestShift(node, first)
        if shift > GRID_TOLERANCE_MM:
            raise UnusableInput(f"{what} is up to {shift:.4g} mm away from phase {firstItem + 1}", remedy)


def findSource(node) -> Source:
    """Find out what ``node`` is: a volume, or the proxy volume, the sequence or the browser of a cine.

    Of several browsers that play a sequence the first is taken; choose the browser itself to have another.

    :raises UnusableInput: if it is none of them, or a proxy volume that two browsers change.
    """
    checkNode(node, "the input")
    if node is not None and node.IsA(BROWSER):
        return _cine(_volumeSequence(node), node)
    if node is not None and node.IsA(SEQUENCE):
        return _cine(node, next(iter(browsersOf(node)), None))
    checkVolume(node)
    browsers = browsersShowing(node)
    if len(browsers) > 1:
        names = " and ".join(quoted(browser) for browser in browsers)
        raise UnusableInput(f"{quoted(node)} is played by {names} at once", "choose the sequence, or one browser")
    return _cine(browsers[0].GetSequenceNode(node), browsers[0]) if browsers else Source(node.GetName(), node)


def browsersShowing(proxy) -> list:
    """The sequence browsers in the scene that change a proxy volume."""
    return [b for b in _browsers(proxy) if b.IsProxyNodeID(proxy.GetID())]


def browsersOf(sequence) -> list:
    """The sequence browsers in the scene that play a sequence."""
    return [b for b in _browsers(sequence) if b.IsSynchronizedSequenceNodeID(sequence.GetID(), True)]


def _cine(sequence, browser) -> Source:
    if sequence.GetScene() is None:
        raise UnusableInput(f"{quoted(sequence)} is not in a scene", "add it with slicer.mrmlScene.AddNode")
    if sequence.GetNumberOfDataNodes() == 0:
        raise UnusableInput(f"{quoted(sequence)} has no phases", "load the cine again")
    proxy: Any = browser.GetProxyNode(sequence) if browser else None
    if proxy is not None:
        checkVolume(proxy)
    isNamed = proxy and not browser.GetOverwriteProxyName(sequence)  # else after the phase it shows
    return Source((proxy if isNamed else sequence).GetName(), proxy, sequence, browser)


def _volumeSequence(browser):
    """What a browser shows: its master if that is of volumes, else the first of its sequences that is."""
    sequences = vtk.vtkCollection()
    browser.GetSynchronizedSequenceNodes(sequences, True)
    ofVolumes = [s for s in sequences if s.GetNumberOfDataNodes() and "Volume" in s.GetDataNodeClassName()]
    if not ofVolumes:
        raise UnusableInput(f"{quoted(browser)} plays no volumes", "choose a browser that plays a short-axis cine")
    return ofVolumes[0]


def _sizeAndType(node) -> str:
    size = " x ".join(map(str, node.GetImageData().GetDimensions()))
    return f"{size} {node.GetImageData().GetScalarTypeAsString()}"


def _largestShift(node, other) -> float:
    """How far in mm the corners of a volume are from those of another one of the same size."""
    last = np.array(node.GetImageData().GetDimensions()) - 1
    corners = np.array([[*(last * corner), 1] for corner in np.ndindex(2, 2, 2)])
    moved = corners @ (ijkToRasOf(node) - ijkToRasOf(other)).T
    return float(np.linalg.norm(moved[:, :3], axis=1).max())


def _browsers(node) -> list:
    return slicer.util.getNodesByClass(BROWSER, node.GetScene()) if node.GetScene() else []
