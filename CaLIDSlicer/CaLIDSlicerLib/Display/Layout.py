"""The layouts of CaLID: sparse above dense in three planes beside a 3D view, and the page of a self-check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from xml.etree import ElementTree

import slicer

from ..Scene.Provenance import INPUT_ROLE

COMPARISON_LAYOUT = 27180
SELF_CHECK_LAYOUT = 27181
"""Numbers of their own among the layouts of all extensions."""

OWN_LAYOUTS = (COMPARISON_LAYOUT, SELF_CHECK_LAYOUT)

PLANES = {"ShortAxis": ("SA", "#F34A33"), "LongAxis1": ("LA1", "#6EB04B"), "LongAxis2": ("LA2", "#EDD54C")}
"""Name of a view's plane -> its label and colour: those of Slicer's axial, coronal and sagittal views."""

SPARSE_VIEWS, DENSE_VIEWS = ([f"CaLID{row}{plane}" for plane in PLANES] for row in ("Sparse", "Dense"))
PICTURE_VIEWS = ["CaLIDAcquired", "CaLIDPredicted", "CaLIDLinear"]
PLOT_VIEW, TABLE_VIEW = "CaLIDScores", "CaLIDScoreTable"
OWN_SLICE_VIEWS = [*SPARSE_VIEWS, *DENSE_VIEWS, *PICTURE_VIEWS]

_BEFORE = "CaLID.layoutBefore"  # attribute of the layout node
_VIEW_GROUP = 27180  # Slicer links views of one group only, so the user's other views stay as they are


class SliceView(NamedTuple):
    """The two nodes of a slice view: ``plane`` says where it looks (vtkMRMLSliceNode), ``layers`` at what."""

    plane: Any
    layers: Any


def registerLayouts(scene) -> bool:
    """Tell Slicer of the layouts, once the application has started; false where there are no views to arrange.

    A saved scene, and with "Restore geometry" the application, comes back in the layout it was left in, by its number
    only: one that is not registered by then shows no view at all.
    """
    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if node is None:
        return False
    for layout, description in ((COMPARISON_LAYOUT, _comparison()), (SELF_CHECK_LAYOUT, _selfCheck())):
        if not node.IsLayoutDescription(layout):
            node.AddLayoutDescription(layout, description)
            if node.GetViewArrangement() == layout:
                node.SetViewArrangement(layout)  # restored before there was a description
    return True


def showComparisonLayout(scene) -> bool:
    """Arrange the views for a comparison of sparse and dense; false where there are no views to arrange."""
    return _show(scene, COMPARISON_LAYOUT)


def arrangement(scene) -> int | None:
    """The number of the layout that is shown; ``None`` where there are no views to arrange."""
    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    return node and node.GetViewArrangement()


def layoutBefore(scene) -> int:
    """The layout that the user had before ours; four views where nobody knows, as in a scene that was saved so."""
    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    return int(node.GetAttribute(_BEFORE) or node.SlicerLayoutFourUpView)


def leaveOwnLayout(scene, layout: int | None = None) -> bool:
    """Go to ``layout``, or back to what the user had before ours; false, and nothing changes, if ours is not shown."""
    if arrangement(scene) not in OWN_LAYOUTS:
        return False
    scene.GetFirstNodeByClass("vtkMRMLLayoutNode").SetViewArrangement(layout or layoutBefore(scene))
    return True


def showSelfCheckLayout(scene) -> bool:
    """Arrange the views for the result of a self-check; false where there are no views to arrange."""
    return _show(scene, SELF_CHECK_LAYOUT)


def sliceViews(scene, names: Iterable[str]) -> list[SliceView]:
    """The slice views of these names, as far as they exist."""
    planes = [scene.GetSingletonNode(name, "vtkMRMLSliceNode") for name in names]
    views = [SliceView(plane, slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(plane)) for plane in planes if plane]
    return [view for view in views if view.layers]


def namesOnScreen(scene, className: str) -> list[str]:
    """The names of the views of one class in the layout that is shown."""
    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout = (node and node.GetCurrentLayoutDescription()) or "<layout/>"
    views = [view for view in ElementTree.fromstring(layout).iter("view") if view.get("class") == className]
    if any(view.get("multiple") == "true" for view in views):  # all that exist
        return [view.GetLayoutName() for view in slicer.util.getNodesByClass(className, scene)]
    return [view.get("singletontag", "") for view in views]


def viewsShowing(volumeNode) -> list[SliceView]:
    """All slice views, of any layout, that have the volume in the background."""
    scene = volumeNode.GetScene()
    planes = slicer.util.getNodesByClass("vtkMRMLSliceNode", scene) if scene else []
    views = sliceViews(scene, (plane.GetLayoutName() for plane in planes))
    return [view for view in views if view.layers.GetBackgroundVolumeID() == volumeNode.GetID()]


def viewsOnScreen(volumeNode) -> list[SliceView]:
    """Those of :func:`viewsShowing` that the user sees now."""
    views = viewsShowing(volumeNode)
    names = namesOnScreen(volumeNode.GetScene(), "vtkMRMLSliceNode") if views else []
    return [view for view in views if view.plane.GetLayoutName() in names]


def inputOf(volumeNode):
    """The volume node that a dense volume was made from; ``None`` if it is gone, or a cine without a proxy."""
    node = volumeNode.GetNodeReference(INPUT_ROLE)
    return node if node and node.IsA("vtkMRMLVolumeNode") else None


def link(views: Iterable[SliceView]) -> None:
    """Make views of the same plane scroll, pan and zoom together.

    Slicer would link their layers too, and a volume chosen in one view would replace both sparse and dense.
    """
    for view in views:
        view.layers.SetInteractionFlagsModifier(0)
        view.layers.SetLinkedControl(True)
        view.layers.SetHotLinkedControl(True)


def _show(scene, layout: int) -> bool:
    isRegistered = registerLayouts(scene)
    if isRegistered:
        node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if node.GetViewArrangement() not in OWN_LAYOUTS:  # else there would be no way back
            node.SetAttribute(_BEFORE, str(node.GetViewArrangement()))
        node.SetViewArrangement(layout)
    return isRegistered


def _comparison() -> str:
    rows = [_comparisonRow(SPARSE_VIEWS, ""), _comparisonRow(DENSE_VIEWS, "+")]
    volume = _view("vtkMRMLViewNode", "1", viewlabel="1")
    return _box("horizontal", [_box("vertical", rows), volume], sizes=(3, 1))


def _selfCheck() -> str:
    labels = ("real", "CaLID", "linear")
    pictures = [_sliceView(name, label, "#8C8C8C") for name, label in zip(PICTURE_VIEWS, labels, strict=True)]
    plot = _view("vtkMRMLPlotViewNode", PLOT_VIEW, viewlabel="P")
    table = _view("vtkMRMLTableViewNode", TABLE_VIEW, viewlabel="T")
    return _box("vertical", [_row(pictures), _row([plot, table])])


def _box(kind: str, items: Iterable[str], sizes: tuple[int, ...] = ()) -> str:
    items = list(items)
    parts = zip(items, sizes or (1,) * len(items), strict=True)
    content = "".join(f'<item splitSize="{500 * size}">{item}</item>' for item, size in parts)
    return f'<layout type="{kind}" split="true">{content}</layout>'


def _comparisonRow(names: list[str], mark: str) -> str:
    looks = zip(names, PLANES.values(), strict=True)
    return _row(_sliceView(name, label + mark, colour) for name, (label, colour) in looks)


def _row(views: Iterable[str]) -> str:
    return _box("horizontal", views)


def _sliceView(name: str, label: str, colour: str) -> str:
    properties = {"orientation": "Axial", "viewlabel": label, "viewcolor": colour, "viewgroup": _VIEW_GROUP}
    return _view("vtkMRMLSliceNode", name, **properties)


def _view(className: str, name: str, **properties: object) -> str:
    lines = "".join(f'<property name="{key}" action="default">{value}</property>' for key, value in properties.items())
    return f'<view class="{className}" singletontag="{name}">{lines}</view>'
