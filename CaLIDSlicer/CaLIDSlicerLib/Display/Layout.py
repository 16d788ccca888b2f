"""The layouts of CaLID: sparse beside dense, in 3D or beside acquired long axes, the measured heart, and a self-check.

The comparison has two arrangements, for the room that there is: three columns beside 3D would push a small window
beyond its screen, and two would leave a wide one with small pictures of the short axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple
from xml.etree import ElementTree

import slicer

from ..Scene.Provenance import INPUT_ROLE
from ..Translation import _
from .Modules import fitViews, offerLayouts, widthForViews

COMPARISON_LAYOUT = 27180
"""Three rows of before | after, beside 3D."""

SELF_CHECK_LAYOUT = 27181

WIDE_LAYOUT = 27182
"""Before above after in three columns, beside 3D: larger pictures of the short axis."""

MEASURES_LAYOUT = 27183
"""The dense views, above 3D and the plot of the volumes."""

LONG_AXES_LAYOUTS = (27184, 27185, 27186)
"""Of one, two and three long axes: for each a row of before | after | acquired."""

COMPARISON_LAYOUTS = (COMPARISON_LAYOUT, WIDE_LAYOUT)
"""Numbers of their own among the layouts of all extensions."""

OWN_LAYOUTS = (*COMPARISON_LAYOUTS, SELF_CHECK_LAYOUT, MEASURES_LAYOUT, *LONG_AXES_LAYOUTS)

PLANES = {"ShortAxis": ("SA", "#F34A33"), "LongAxis1": ("LA1", "#6EB04B"), "LongAxis2": ("LA2", "#EDD54C")}
"""Name of a view's plane -> its label and colour: those of Slicer's axial, coronal and sagittal views."""

SPARSE_VIEWS, DENSE_VIEWS = ([f"CaLID{row}{plane}" for plane in PLANES] for row in ("Sparse", "Dense"))
PICTURE_VIEWS = ["CaLIDAcquired", "CaLIDPredicted", "CaLIDLinear"]
LONG_AXIS_COLUMNS = ("before", "after", "acquired")
LONG_AXIS_VIEWS = [[f"CaLID{column.capitalize()}{row}" for column in LONG_AXIS_COLUMNS] for row in (1, 2, 3)]
PLOT_VIEW, TABLE_VIEW, VOLUMES_VIEW = "CaLIDScores", "CaLIDScoreTable", "CaLIDVolumes"
OWN_SLICE_VIEWS = [*SPARSE_VIEWS, *DENSE_VIEWS, *PICTURE_VIEWS, *chain.from_iterable(LONG_AXIS_VIEWS)]

WIDE_FROM = 1320
"""Width in pixels of all views from which four of them have room side by side, with all that stands in their bars."""

_BEFORE, _CHOSEN = "CaLID.layoutBefore", "CaLID.arrangement"  # attributes of the layout node
_GREY = "#8C8C8C"
_PLOT = "vtkMRMLPlotViewNode"


class Look(NamedTuple):
    """How a slice view can be told from others: label and colour, and its group.

    Slicer draws the cuts of the views of a group into each other: two views of one plane must not be in one.
    """

    label: str
    colour: str
    group: int


LOOKS = {
    **{name: Look(label, colour, 27180) for name, (label, colour) in zip(SPARSE_VIEWS, PLANES.values(), strict=True)},
    **{
        name: Look(f"{label}+", colour, 27181)
        for name, (label, colour) in zip(DENSE_VIEWS, PLANES.values(), strict=True)
    },
    **{
        name: Look(label, _GREY, 27182 + number)
        for number, (name, label) in enumerate(zip(PICTURE_VIEWS, ("real", "CaLID", "linear"), strict=True))
    },
    **{
        name: Look(label, colour, 27185 + number)
        for names, (_label, colour) in zip(LONG_AXIS_VIEWS, PLANES.values(), strict=True)
        for number, (name, label) in enumerate(zip(names, LONG_AXIS_COLUMNS, strict=True))
    },
}


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
    for layout, description in _descriptions().items():
        if not node.IsLayoutDescription(layout):
            node.AddLayoutDescription(layout, description)
            if node.GetViewArrangement() == layout:
                node.SetViewArrangement(layout)  # restored before there was a description
    offerLayouts({_("CaLID: before beside after"): COMPARISON_LAYOUT, _("CaLID: before above after"): WIDE_LAYOUT})
    if node.GetViewArrangement() in OWN_LAYOUTS:
        dressViews(scene)
        fitViews(OWN_SLICE_VIEWS)
    return True


def showComparisonLayout(scene) -> bool:
    """Arrange the views for a comparison of sparse and dense; false where there are no views to arrange.

    Of the two arrangements the one that is shown stays; else it is the one that the user left for other views, having
    chosen it, or the one that the window has room for.
    """
    shown, node = arrangement(scene), scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    chosen = node and node.GetAttribute(_CHOSEN)
    return _show(scene, shown if shown in COMPARISON_LAYOUTS else int(chosen or _best()))


def longAxesLayoutFor(count: int) -> int | None:
    """The layout for so many long axes, or for the first of them; ``None`` if there are none."""
    return LONG_AXES_LAYOUTS[min(count, len(LONG_AXES_LAYOUTS)) - 1] if count else None


def showLongAxesLayout(scene, layout: int) -> bool:
    """Arrange the views for as many long axes as ``layout`` is for; false where there are no views to arrange."""
    return _show(scene, layout)


def makeViews(scene, names: Iterable[str]) -> Iterator[None]:
    """Make the slice views of these names, one for each step: Slicer makes them all at once, in half a second."""
    if widthForViews() is None or arrangement(scene) is None:
        return
    for name in names:
        if scene.GetSingletonNode(name, "vtkMRMLSliceNode") is None:
            node = slicer.vtkMRMLSliceNode()
            node.SetSingletonTag(name)
            node.SetName(name)
            node.SetLayoutName(name)
            scene.AddNode(node)
            yield


def dressViews(scene) -> None:
    """Give our views their looks: a layout does so for those that it makes only, and a closed scene takes groups."""
    for view in sliceViews(scene, LOOKS):
        look, plane = LOOKS[view.plane.GetLayoutName()], view.plane
        with slicer.util.NodeModify(plane):
            plane.SetLayoutLabel(look.label)
            plane.SetLayoutColor(*(int(look.colour[at : at + 2], 16) / 255 for at in (1, 3, 5)))
            plane.SetViewGroup(look.group)


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
    shown, node = arrangement(scene), scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if shown not in OWN_LAYOUTS:
        return False
    if shown in COMPARISON_LAYOUTS:
        node.SetAttribute(_CHOSEN, None if shown == _best() else str(shown))
    node.SetViewArrangement(layout or layoutBefore(scene))
    return True


def showSelfCheckLayout(scene) -> bool:
    """Arrange the views for the result of a self-check; false where there are no views to arrange."""
    return _show(scene, SELF_CHECK_LAYOUT)


def showMeasuresLayout(scene) -> bool:
    """Arrange the views for a measured heart; false where there are no views to arrange."""
    return _show(scene, MEASURES_LAYOUT)


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


def _show(scene, layout: int) -> bool:
    isRegistered = registerLayouts(scene)
    if isRegistered:
        node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if node.GetViewArrangement() not in OWN_LAYOUTS:  # else there would be no way back
            node.SetAttribute(_BEFORE, str(node.GetViewArrangement()))
        node.SetViewArrangement(layout)
        dressViews(scene)
        fitViews(OWN_SLICE_VIEWS)
    return isRegistered


def _best() -> int:
    width = widthForViews()
    return WIDE_LAYOUT if width and width >= WIDE_FROM else COMPARISON_LAYOUT


def _descriptions() -> dict[int, str]:
    before, after = ([_sliceView(name) for name in names] for names in (SPARSE_VIEWS, DENSE_VIEWS))
    pairs = _box("vertical", [_row(pair) for pair in zip(before, after, strict=True)])
    columns = _box("vertical", [_row(before), _row(after)])
    volume, plot = _view("vtkMRMLViewNode", "1", viewlabel="1"), _view(_PLOT, VOLUMES_VIEW, viewlabel="V")
    return {
        COMPARISON_LAYOUT: _box("horizontal", [pairs, volume], sizes=(13, 7)),
        WIDE_LAYOUT: _box("horizontal", [columns, volume], sizes=(3, 1)),
        SELF_CHECK_LAYOUT: _selfCheck(),
        MEASURES_LAYOUT: _box("vertical", [_row(after), _row([volume, plot])]),
        **{layout: _longAxes(count) for count, layout in enumerate(LONG_AXES_LAYOUTS, 1)},
    }


def _longAxes(count: int) -> str:
    return _box("vertical", [_row(map(_sliceView, names)) for names in LONG_AXIS_VIEWS[:count]])


def _selfCheck() -> str:
    pictures = [_sliceView(name) for name in PICTURE_VIEWS]
    plot = _view(_PLOT, PLOT_VIEW, viewlabel="P")
    table = _view("vtkMRMLTableViewNode", TABLE_VIEW, viewlabel="T")
    return _box("vertical", [_row(pictures), _box("horizontal", [plot, table], sizes=(1, 2))])


def _box(kind: str, items: Iterable[str], sizes: tuple[int, ...] = ()) -> str:
    items = list(items)
    parts = zip(items, sizes or (1,) * len(items), strict=True)
    content = "".join(f'<item splitSize="{500 * size}">{item}</item>' for item, size in parts)
    return f'<layout type="{kind}" split="true">{content}</layout>'


def _row(views: Iterable[str]) -> str:
    return _box("horizontal", views)


def _sliceView(name: str) -> str:
    look = LOOKS[name]
    return _view("vtkMRMLSliceNode", name, orientation="Axial", viewlabel=look.label, viewcolor=look.colour)


def _view(className: str, name: str, **properties: object) -> str:
    lines = "".join(f'<property name="{key}" action="default">{value}</property>' for key, value in properties.items())
    return f'<view class="{className}" singletontag="{name}">{lines}</view>'
