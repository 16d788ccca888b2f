"""What can be seen: the views with their sizes and names, and what of the panel is cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import qt
import slicer
from driving import screenSize, spin, widget

ARROW = 28
"""Pixels of a combo box beside its text: the arrow and the frame."""
TEXTS = ("QLabel", "QPushButton", "QToolButton", "QCheckBox", "QRadioButton")


@dataclass(frozen=True)
class View:
    """A visible view: its node, its widget, what stands in its bar, and where it is on the screen (pixels)."""

    node: Any
    widget: Any
    label: Any
    left: int
    top: int
    width: int
    height: int

    @property
    def name(self) -> str:
        return self.node.GetLayoutName()


def visibleViews() -> list[View]:
    """All views of the layout that is shown; of slices first, then 3D, plots and tables."""
    manager = slicer.app.layoutManager()
    widgets = [manager.sliceWidget(name) for name in manager.sliceViewNames()]
    widgets += [manager.threeDWidget(number) for number in range(manager.threeDViewCount)]
    widgets += [manager.plotWidget(number) for number in range(manager.plotViewCount)]
    widgets += [manager.tableWidget(number) for number in range(manager.tableViewCount)]
    return [_view(item) for item in widgets if item.visible]


def _view(item: Any) -> View:
    nodeOf = {"qMRMLSliceWidget": "mrmlSliceNode", "qMRMLThreeDWidget": "mrmlViewNode"}
    node = getattr(item, nodeOf.get(item.className(), "mrmlViewNode"), None)
    node = node() if callable(node) else node
    labels = slicer.util.findChildren(item, name="ViewLabel")
    corner = item.mapToGlobal(qt.QPoint(0, 0))
    size = item.size
    return View(node, item, labels[0] if labels else None, corner.x(), corner.y(), size.width(), size.height())


def checkWindow() -> None:
    """:raises AssertionError: if the main window, a view, or a view's name does not fit."""
    spin(0.3)
    width, height = screenSize()
    frame = slicer.util.mainWindow().frameGeometry
    assert frame.width() <= width, f"the window is {frame.width()} px wide, the screen {width}"
    assert frame.height() <= height, f"the window is {frame.height()} px high, the screen {height}"
    for view in visibleViews():
        assert view.width >= 200, f"{view.name} is {view.width} px wide"
        assert view.left + view.width <= width, (
            f"{view.name} ends at {view.left + view.width} px, the screen at {width}"
        )
        assert view.top + view.height <= height, f"{view.name} ends at {view.top + view.height} px, of {height}"
    assert cutOffNames() == []


def cutOffNames() -> list[str]:
    """The names of visible views that are wider than the label they stand in."""
    labels = [view.label for view in visibleViews() if view.label]
    return [
        f"{label.text}: {label.width} of {label.sizeHint.width()} px"
        for label in labels
        if label.width < label.sizeHint.width()
    ]


def cutOffInPanel() -> list[str]:
    """The labels and buttons of our panel that have less room than they ask for, with both sizes in pixels."""
    spin(0.3)
    top = widget().parent
    found = [item for kind in TEXTS for item in slicer.util.findChildren(top, className=kind)]
    shown = [item for item in found if item.isVisibleTo(top) and item.visible and item.text and isOurs(item)]
    assert shown, "nothing of the panel is visible"
    return [text for text in map(_cutOff, shown) if text]


def cutOffChoices() -> list[str]:
    """What our combo boxes offer and have no room to show once it is chosen; nodes have names of any length."""
    boxes = [item for name, item in vars(widget().ui).items() if name.endswith("ComboBox")]
    assert boxes
    found = []
    for box in boxes:
        room = box.width - ARROW
        texts = [box.itemText(number) for number in range(box.count)]
        found += [f"{text}: {room} px" for text in texts if box.fontMetrics().boundingRect(text).width() > room]
    return found


def isOurs(item: Any) -> bool:
    """Whether a widget stands in our ``.ui`` file, unlike the help of the module and the inside of a selector."""
    return item.objectName in vars(widget().ui)


def _cutOff(item: Any) -> str:
    width, height, hint = item.width, item.height, item.sizeHint
    if getattr(item, "wordWrap", False):
        needed = (item.minimumSizeHint.width(), item.heightForWidth(width))
    else:
        needed = (hint.width(), hint.height())
    isCut = width < needed[0] or height < needed[1]
    return f"{item.objectName} is {width} x {height}, needs {needed[0]} x {needed[1]}: {item.text!r}" if isCut else ""


def isInSight(item: Any) -> bool:
    """Whether the panel is scrolled so that a widget of it is seen whole."""
    area = item.parent()
    while not area.inherits("QScrollArea"):
        area = area.parent()
    top = item.mapTo(area, qt.QPoint(0, 0)).y()
    return top >= 0 and top + item.height <= area.height


def panelWidth() -> tuple[int, int]:
    """Width of the module panel, and the width that our panel asks for at least."""
    area = slicer.util.findChild(slicer.util.mainWindow(), "ModulePanel")
    return area.width, widget().parent.minimumSizeHint.width()


def pressed() -> dict[str, bool]:
    """Which of the buttons of the section "Results" are down."""
    ui = widget().ui
    names = ("uncertainty", "synthesised", "rendering", "play")
    return {name: bool(getattr(ui, f"{name}Button").checked) for name in names}


def shown(volume: Any) -> dict[str, bool]:
    """The same, asked of the scene: what is seen of a dense volume in the visible views."""
    from CaLIDSlicerLib.Scene.Provenance import MASK_ROLE, UNCERTAINTY_ROLE

    layers = [
        slicer.app.layoutManager().sliceWidget(view.name).sliceLogic().GetSliceCompositeNode()
        for view in visibleViews()
        if view.node is not None and view.node.IsA("vtkMRMLSliceNode")
    ]
    over = [layer for layer in layers if layer.GetBackgroundVolumeID() == volume.GetID()]
    spread, mask = volume.GetNodeReferenceID(UNCERTAINTY_ROLE), volume.GetNodeReferenceID(MASK_ROLE)
    renderings = slicer.modules.volumerendering.logic()
    rendering = renderings.GetFirstVolumeRenderingDisplayNode(volume)
    hasThreeD = any(view.node is not None and view.node.IsA("vtkMRMLViewNode") for view in visibleViews())
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(volume)
    return {
        "uncertainty": any(
            layer.GetForegroundVolumeID() == spread and layer.GetForegroundOpacity() > 0 for layer in over if spread
        ),
        "synthesised": any(layer.GetLabelVolumeID() == mask and layer.GetLabelOpacity() > 0 for layer in over if mask),
        "rendering": bool(rendering and rendering.GetVisibility() and hasThreeD),
        "play": bool(browser and browser.GetPlaybackActive()),
    }
