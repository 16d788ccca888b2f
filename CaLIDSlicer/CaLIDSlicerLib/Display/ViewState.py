"""What the views showed before a result came into them, so that the user gets it back."""

from __future__ import annotations

import slicer
import vtk

from ..Scene.Provenance import isOurs
from .Layout import (
    DENSE_VIEWS,
    LONG_AXES_LAYOUTS,
    OWN_LAYOUTS,
    OWN_SLICE_VIEWS,
    SELF_CHECK_LAYOUT,
    SliceView,
    arrangement,
    leaveOwnLayout,
    sliceViews,
)
from .Rendering import RENDERING

SELF_CHECK, LONG_AXES = "self-check", "long axes"
_PAGES: dict[int | None, str] = {SELF_CHECK_LAYOUT: SELF_CHECK, **dict.fromkeys(LONG_AXES_LAYOUTS, LONG_AXES)}
"""Layouts from which the way leads back to what was seen before them, which may be another of ours."""

_BROWSER = "vtkMRMLSequenceBrowserNode"
_LAYERS = ("BackgroundVolumeID", "ForegroundVolumeID", "LabelVolumeID")
_LOOKS = ("ForegroundOpacity", "LabelOpacity", "LinkedControl", "HotLinkedControl")
_CAMERA = ("Position", "FocalPoint", "ViewUp", "ParallelScale")


class ViewState:
    """The layout of a moment, what our slice views showed and where they looked, cameras, renderings, playback.

    The user's own slice views are not touched by a result, so they are not put back either.
    """

    def __init__(self, scene) -> None:
        self._scene = scene
        self.layout = arrangement(scene)
        self._views = {view.plane.GetLayoutName(): _lookOf(view) for view in sliceViews(scene, OWN_SLICE_VIEWS)}
        self._cameras = [(node, _valuesOf(node, _CAMERA)) for node in _nodes(scene, "vtkMRMLCameraNode")]
        self._rendered = [node.GetID() for node in _nodes(scene, RENDERING) if node.GetVisibility()]
        self._playing = [node.GetID() for node in _nodes(scene, _BROWSER) if node.GetPlaybackActive()]

    @property
    def isOurs(self) -> bool:
        """Whether a layout of CaLID was shown."""
        return self.layout in OWN_LAYOUTS

    def shows(self, volumeId: str) -> bool:
        """Whether a dense volume was compared with its input."""
        looks = [self._views[name] for name in DENSE_VIEWS if name in self._views]
        return self.isOurs and any(look[0]["BackgroundVolumeID"] == volumeId for look in looks)

    def restore(self) -> bool:
        """Put back what there still is; false, and nothing changes, if the user has left our layouts meanwhile."""
        if not leaveOwnLayout(self._scene, self.layout):
            return False
        for view in sliceViews(self._scene, self._views):
            _restore(view, *self._views[view.plane.GetLayoutName()], self._scene)
        for node, values in self._cameras:
            _setValues(node, values)
            node.ResetClippingRange()  # it was that of the result, beside which the camera may look now
        for node in _nodes(self._scene, RENDERING):
            wasVisible = node.GetID() in self._rendered
            if wasVisible or isOurs(node.GetDisplayableNode()):  # what else the user renders is not ours to hide
                node.SetVisibility(wasVisible)
        for node in _nodes(self._scene, _BROWSER):
            if node.GetID() not in self._playing:
                node.SetPlaybackActive(False)
        return True


class ViewMemory:
    """What the views showed before each result that was brought into them, and before any of ours."""

    def __init__(self) -> None:
        self._before: dict[str, ViewState] = {}
        self._users: ViewState | None = None

    def remember(self, scene, key: str) -> None:
        """To be called before something is brought into the views.

        :param key: ID of a result; or a page, ``SELF_CHECK`` or ``LONG_AXES``.
        """
        now = ViewState(scene)
        if not now.isOurs:
            self._users = now
        isSeen = _PAGES.get(now.layout) == key if key in _PAGES.values() else now.shows(key)
        if not isSeen:
            self._before[key] = now

    def takeBack(self, volumeId: str, isSeen: bool) -> None:
        """A result has left the scene: what was seen before it is seen again, if the result was seen."""
        before = self._before.pop(volumeId, None)
        for other, state in list(self._before.items()):
            if before and state.shows(volumeId):
                self._before[other] = before
        if before and isSeen:
            before.restore()

    def leave(self, scene) -> bool:
        """Go back from a comparison to the user's own views, and from a page to what was seen before it."""
        before = self._before.get(_PAGES.get(arrangement(scene), "")) or self._users
        return before.restore() if before else leaveOwnLayout(scene)

    def forget(self) -> None:
        """Of a scene that is closed there is nothing to be put back."""
        self._before, self._users = {}, None


def _nodes(scene, className: str) -> list:
    return slicer.util.getNodesByClass(className, scene)


def _valuesOf(node, names: tuple[str, ...]) -> dict:
    return {name: getattr(node, f"Get{name}")() for name in names}


def _setValues(node, values: dict) -> None:
    with slicer.util.NodeModify(node):
        for name, value in values.items():
            getattr(node, f"Set{name}")(value)


def _lookOf(view: SliceView) -> tuple[dict, dict]:
    turned = vtk.vtkMatrix4x4()
    turned.DeepCopy(view.plane.GetSliceToRAS())
    plane = {"SliceToRAS": turned, **_valuesOf(view.plane, ("XYZOrigin", "FieldOfView"))}
    return _valuesOf(view.layers, (*_LAYERS, *_LOOKS)), plane


def _restore(view: SliceView, layers: dict, plane: dict, scene) -> None:
    present = {name: layers[name] if scene.GetNodeByID(layers[name] or "") else None for name in _LAYERS}
    _setValues(view.layers, {**layers, **present})
    view.plane.GetSliceToRAS().DeepCopy(plane["SliceToRAS"])
    view.plane.SetXYZOrigin(*plane["XYZOrigin"])
    view.plane.SetFieldOfView(*plane["FieldOfView"])
    view.plane.UpdateMatrices()
