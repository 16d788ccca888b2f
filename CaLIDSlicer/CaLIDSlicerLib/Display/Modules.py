"""What Slicer's own modules and views lend to the display; ``None`` or nothing where there are none."""

from __future__ import annotations

from typing import Any

import slicer

from .. import Host

_LEAST_WIDTH = 200  # pixels of a slice view: so much its bar can be squeezed


def moduleLogic(name: str):
    """The logic of one of Slicer's modules, such as ``"colors"``, or ``None`` if it is not loaded."""
    module = getattr(getattr(slicer, "modules", None), name, None)
    return module.logic() if module else None


def layoutManager():
    """What holds the widgets of the views, or ``None``."""
    app = Host.application()
    return app.layoutManager() if app else None


def settleViews() -> None:
    """Let new views get their size, which the event loop gives them."""
    if layoutManager():
        Host.application().processEvents()


def resetThreeDViews() -> None:
    """Bring all that is visible into the 3D views."""
    manager = layoutManager()
    if manager:
        manager.resetThreeDViews()


def drawingOf(className: str, name: str):
    """The Qt view that draws a slice view (vtkMRMLSliceNode) or a 3D view (vtkMRMLViewNode) of this name."""
    manager = layoutManager()
    if manager is None:
        return None
    if className == "vtkMRMLSliceNode":
        widget = manager.sliceWidget(name)
        return widget.sliceView() if widget else None
    widgets = (manager.threeDWidget(number) for number in range(manager.threeDViewCount))
    views = (widget.threeDView() for widget in widgets)
    return next((view for view in views if view.mrmlViewNode().GetLayoutName() == name), None)


def widthForViews() -> int | None:
    """Width in pixels of all views together; ``None`` where there are none."""
    manager = layoutManager()
    viewport = manager.viewport() if manager else None
    return viewport.width if viewport else None


def fitViews(names) -> None:
    """Let the slice views of these names be small, and give their names the room they need.

    Left alone, a view is as wide as its bar with all that may stand in it, which pushes a small window beyond its
    screen; and all names get the room of two letters.
    """
    manager = layoutManager()
    for name in names if manager else ():
        widget = manager.sliceWidget(name)
        if widget is None:
            continue
        widget.setMinimumWidth(_LEAST_WIDTH)
        label = widget.findChild("QLabel", "ViewLabel")
        if label:
            label.setMinimumWidth(label.sizeHint.width())


def offerLayouts(layouts: dict[str, int]) -> None:
    """Add layouts, by their names, to the menu of Slicer's toolbar, which switches by the data of its entries."""
    window = slicer.util.mainWindow() if layoutManager() else None
    bar: Any = window.findChild("QToolBar", "ViewToolBar") if window else None
    module: Any = getattr(slicer.modules, "calidslicer", None) if bar else None
    if module is None:
        return
    menu = bar.widgetForAction(bar.actions()[0]).menu()
    known = [entry.data() for entry in menu.actions()]  # from before the module was reloaded
    for name, layout in layouts.items():
        if layout not in known:
            menu.addAction(module.icon, name).setData(layout)  # without an icon the toolbar shows the long name
