"""What Slicer's own modules and views lend to the display; ``None`` or nothing where there are none."""

from __future__ import annotations

import slicer

from .. import Host


def moduleLogic(name: str):
    """The logic of one of Slicer's modules, such as ``"colors"``, or ``None`` if it is not loaded."""
    module = getattr(getattr(slicer, "modules", None), name, None)
    return module.logic() if module else None


def _layoutManager():
    app = Host.application()
    return app.layoutManager() if app else None


def settleViews() -> None:
    """Let new views get their size, which the event loop gives them."""
    if _layoutManager():
        Host.application().processEvents()


def resetThreeDViews() -> None:
    """Bring all that is visible into the 3D views."""
    manager = _layoutManager()
    if manager:
        manager.resetThreeDViews()


def drawingOf(className: str, name: str):
    """The Qt view that draws a slice view (vtkMRMLSliceNode) or a 3D view (vtkMRMLViewNode) of this name."""
    manager = _layoutManager()
    if manager is None:
        return None
    if className == "vtkMRMLSliceNode":
        widget = manager.sliceWidget(name)
        return widget.sliceView() if widget else None
    widgets = (manager.threeDWidget(number) for number in range(manager.threeDViewCount))
    views = (widget.threeDView() for widget in widgets)
    return next((view for view in views if view.mrmlViewNode().GetLayoutName() == name), None)
