"""Which nodes a job writes: new ones, or those that the user chose to overwrite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calid.errors import UnusableInput

from .CineInput import SEQUENCE, Source, browsersOf, browsersShowing
from .CineOutput import CineOutput
from .Results import VOLUME, DenseGrid, Output, StillOutput
from .VolumeBridge import checkNode, quoted

_REMEDY = "{output}"
_beingWritten: list[Any] = []


def reserve(nodes: Sequence[Any]) -> None:
    """Let :func:`openOutput` refuse nodes until :func:`release`: if one of two jobs failed, it would undo the other."""
    _beingWritten.extend(nodes)


def release(nodes: Sequence[Any]) -> None:
    """The job that overwrites these nodes has ended."""
    for node in nodes:
        _beingWritten.remove(node)


def openOutput(
    source: Source, items: Sequence[int], voxels: Sequence[np.ndarray], grid: DenseGrid, chosen, isCine: bool
) -> Output:
    """Where the result of a job goes; nothing changes in the scene yet.

    :param items: numbers of the phases that are reconstructed.
    :param voxels: (k, j, i) of each of them.
    :param chosen: the node to overwrite, or ``None``. For a still a volume; for a cine a dense sequence, its proxy
        volume, or a volume that becomes the proxy.
    :raises UnusableInput: naming the node, if ``chosen`` cannot take the result.
    """
    overwritten = nodesToOverwrite(source, chosen, isCine)
    _checkIsNotWritten(*overwritten)
    if isCine:
        return CineOutput(source, voxels, grid, f"{source.name} CaLID", *overwritten)
    phase = f" phase {items[0] + 1}" if source.sequence else ""
    return StillOutput(source, grid, f"{source.name}{phase} CaLID", chosen)


def nodesToOverwrite(source: Source, chosen, isCine: bool) -> tuple:
    """The volume, of a cine the proxy volume and the sequence, that ``chosen`` means; ``None`` for one that is new.

    :raises UnusableInput: naming the node, if ``chosen`` cannot take the result.
    """
    if chosen is None:
        return (None, None) if isCine else (None,)
    checkNode(chosen, "the output")
    _checkIsFree(chosen, source)
    if isCine:
        return _proxyAndSequence(chosen, source)
    _checkIsStill(chosen)
    return (chosen,)


def _checkIsFree(chosen, source: Source) -> None:
    if chosen in source.nodes.values():
        raise UnusableInput(f"{quoted(chosen)} is the input, which is never overwritten", _REMEDY)
    if chosen.GetScene() is not source.scene:
        raise UnusableInput(f"{quoted(chosen)} is not in the scene of the input", _REMEDY)
    if chosen.GetClassName() not in (VOLUME, SEQUENCE):
        raise UnusableInput(f"{quoted(chosen)} is a {chosen.GetNodeTagName()} and cannot take a dense volume", _REMEDY)


def _checkIsNotWritten(*nodes) -> None:
    for node in nodes:
        if node is not None and node in _beingWritten:
            raise UnusableInput(f"{quoted(node)} is being written by a reconstruction that still runs", _REMEDY)


def _checkIsStill(chosen) -> None:
    if chosen.GetClassName() == SEQUENCE or browsersShowing(chosen):
        raise UnusableInput(f"{quoted(chosen)} belongs to a cine, and the result is a single volume", _REMEDY)


def _proxyAndSequence(chosen, source: Source) -> tuple:
    """The proxy volume and the sequence to overwrite, each ``None`` if it is to be new."""
    isSequence = chosen.GetClassName() == SEQUENCE
    browsers = browsersOf(chosen) if isSequence else browsersShowing(chosen)
    if not browsers:
        return (None, chosen) if isSequence else (chosen, None)
    if browsers != [source.browser]:
        raise UnusableInput(f"{quoted(chosen)} is played by {quoted(browsers[0])}, not with the input", _REMEDY)
    sequence = chosen if isSequence else source.browser.GetSequenceNode(chosen)
    if sequence is source.sequence or sequence is source.browser.GetMasterSequenceNode():
        raise UnusableInput(f"{quoted(chosen)} sets the phases of the browser {quoted(source.browser)}", _REMEDY)
    return source.browser.GetProxyNode(sequence), sequence
