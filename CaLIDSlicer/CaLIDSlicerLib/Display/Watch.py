"""Keeps the views true to the scene, whoever changes it: the panel, a toolbar, a script, a file that is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import slicer
import vtk
from slicer.util import VTKObservationMixin

from ..Scene.Provenance import isOurs
from ..Scene.VolumeBridge import nodesShowing
from .Layout import (
    OWN_LAYOUTS,
    OWN_SLICE_VIEWS,
    arrangement,
    dressViews,
    inputOf,
    layoutBefore,
    leaveOwnLayout,
    sliceViews,
)
from .MeasuresPage import markPhases
from .Overlay import showLegend, takeOffOthers
from .PhaseNote import PhaseNotes
from .Rendering import RENDERING
from .Shown import comparedVolume, isChartShown, resultsIn, witnessedVolume
from .Together import TogetherViews, twinsIn
from .ViewState import ViewMemory
from .Window import SharedWindow

_SHOWN = ("vtkMRMLLayoutNode", "vtkMRMLSliceCompositeNode", RENDERING, "vtkMRMLSequenceBrowserNode")
"""The nodes that say what is seen."""

_CHART = "vtkMRMLPlotChartNode"
_FIRST = 10.0  # before Slicer's selectors, which put another volume in the place of one that goes
_LAST = -10.0  # after Slicer's logic of layouts, which takes the last layout into the new scene


class ViewWatch(VTKObservationMixin):
    """Watches a scene from :meth:`begin` to :meth:`end`.

    A volume that leaves the scene leaves the views empty, takes what showed it with it, and gives the views back that
    it was shown in place of. Legends, notes and the shared grey scale follow what is seen, and so do the listeners.
    """

    def __init__(self) -> None:
        super().__init__()
        self.memory = ViewMemory()
        self._scene: Any = None
        self._listeners: list[Callable[[], None]] = []
        self._window, self._together, self._notes = SharedWindow(), TogetherViews(), PhaseNotes()
        self._leaving: dict[str, tuple[bool, list]] = {}
        self._layoutAfterClose: int | None = None
        self._isBusy = False

    def begin(self, scene) -> None:
        """Watch a scene; again, it does nothing."""
        if scene is None or scene is self._scene:
            return
        self.end()
        self._scene = scene
        for event, method in (
            (scene.NodeAddedEvent, self._onNodeAdded),
            (scene.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved),
            (scene.NodeRemovedEvent, self._onNodeRemoved),
            (scene.StartCloseEvent, self._onStartClose),
            (scene.EndImportEvent, self._onChanged),
        ):
            self.addObserver(scene, event, method, priority=_FIRST)
        self.addObserver(scene, scene.EndBatchProcessEvent, self._onEndBatch, priority=_LAST)
        for className in _SHOWN:
            for node in slicer.util.getNodesByClass(className, scene):
                self._observe(node)

    def end(self) -> None:
        """Let go of the scene and of the listeners."""
        self.removeObservers()
        self._window.release()
        self._together.keep([])
        self._notes.clear()
        self.memory.forget()
        self._scene, self._listeners, self._leaving = None, [], {}

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when something may be shown that was not, or the other way round."""
        self._listeners.append(listener)

    @contextmanager
    def changing(self, scene) -> Iterator[None]:
        """While the views are changed, nothing is said of the states between."""
        self.begin(scene)
        wasBusy, self._isBusy = self._isBusy, True
        try:
            yield
        finally:
            self._isBusy = wasBusy
            self._onChanged()

    def _onChanged(self, _caller: Any = None, _event: Any = None) -> None:
        if self._isBusy or self._scene is None or self._scene.IsBatchProcessing():
            return
        self._isBusy = True
        try:
            self._follow()
        finally:
            self._isBusy = False
        for listener in self._listeners:
            listener()

    def _follow(self) -> None:
        if arrangement(self._scene) in OWN_LAYOUTS:
            dressViews(self._scene)  # those that a toolbar has brought up
        self._together.keep(twinsIn(self._scene))
        takeOffOthers(self._scene)
        for volume in resultsIn(self._scene):
            showLegend(volume)
        self._notes.write(self._scene)
        markPhases(self._scene)
        dense = comparedVolume(self._scene) or witnessedVolume(self._scene)
        sparse = inputOf(dense) if dense else None
        if sparse:
            self._window.share(sparse, dense)
        else:
            self._window.release()

    def _observe(self, node) -> None:
        if not self.hasObserver(node, vtk.vtkCommand.ModifiedEvent, self._onChanged):
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self._onChanged)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, _scene: Any, _event: Any, node: Any) -> None:
        if any(node.IsA(className) for className in _SHOWN):
            self._observe(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, scene: Any, _event: Any, node: Any) -> None:
        if scene.IsClosing():
            return
        if node.IsA(_CHART):
            self._leaving[node.GetID()] = isChartShown(node), []
        if not node.IsA("vtkMRMLVolumeNode"):
            return
        wasSeen = node in (comparedVolume(scene), witnessedVolume(scene))
        self._leaving[node.GetID()] = wasSeen, nodesShowing(node) if isOurs(node) else []
        with self.changing(scene):
            _takeOut(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, scene: Any, _event: Any, node: Any) -> None:
        if self.hasObserver(node, vtk.vtkCommand.ModifiedEvent, self._onChanged):
            self.removeObserver(node, vtk.vtkCommand.ModifiedEvent, self._onChanged)
        wasSeen, shownBy = self._leaving.pop(node.GetID() or "", (False, []))
        for left in shownBy:
            if scene.IsNodePresent(left):
                scene.RemoveNode(left)
        if node.IsA("vtkMRMLVolumeNode") and not scene.IsClosing():
            with self.changing(scene):
                self.memory.takeBack(node.GetID(), wasSeen)
        elif wasSeen:
            with self.changing(scene):
                self.memory.leave(scene)

    def _onStartClose(self, scene: Any, _event: Any) -> None:
        self._layoutAfterClose = layoutBefore(scene) if arrangement(scene) in OWN_LAYOUTS else None
        self._window.release()
        self.memory.forget()
        for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode", scene):
            browser.SetPlaybackActive(False)  # the button of Slicer's toolbar would stay down
        for view in sliceViews(scene, OWN_SLICE_VIEWS):
            _empty(view.layers)  # the next scene gives the same IDs to other volumes

    def _onEndBatch(self, scene: Any, _event: Any) -> None:
        """The end of a scene, among others."""
        if self._layoutAfterClose:
            leaveOwnLayout(scene, self._layoutAfterClose)
        self._layoutAfterClose = None
        self._onChanged()


def _takeOut(volume) -> None:
    """Take a volume out of all views: ours stay empty, the user's show the input in place of a result."""
    scene, nodeId = volume.GetScene(), volume.GetID()
    sparse = inputOf(volume)
    for plane in slicer.util.getNodesByClass("vtkMRMLSliceNode", scene):
        isOurs = plane.GetLayoutName() in OWN_SLICE_VIEWS
        for view in sliceViews(scene, [plane.GetLayoutName()]):
            layers = view.layers
            if layers.GetBackgroundVolumeID() == nodeId and (isOurs or sparse):
                _empty(layers)
                if not isOurs:
                    layers.SetBackgroundVolumeID(sparse.GetID())
            if layers.GetForegroundVolumeID() == nodeId:
                layers.SetForegroundVolumeID(None)
            if layers.GetLabelVolumeID() == nodeId:
                layers.SetLabelVolumeID(None)


def _empty(layers) -> None:
    layers.SetBackgroundVolumeID(None)
    layers.SetForegroundVolumeID(None)
    layers.SetLabelVolumeID(None)
