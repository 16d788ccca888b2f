"""The page of a self-check: the worst slice real, predicted and interpolated, above plot and table."""

from __future__ import annotations

import vtk

from .Geometry import extentsOf, look, planesOf, scaleToFit
from .Heart import heartOf
from .Layout import PICTURE_VIEWS, PLOT_VIEW, TABLE_VIEW, inputOf, showSelfCheckLayout, sliceViews
from .Modules import layoutManager, settleViews


def showReport(report) -> bool:
    """Show a :class:`..SelfCheck.Report.SelfCheckReport`; false where there are no views.

    A node of the report that was deleted meanwhile leaves its view empty.
    """
    scene = next((node.GetScene() for node in (report.table, report.plot) if node.GetScene()), None)
    if scene is None or not showSelfCheckLayout(scene):
        return False
    settleViews()
    _showPictures(scene, report)
    plotView = scene.GetSingletonNode(PLOT_VIEW, "vtkMRMLPlotViewNode")
    tableView = scene.GetSingletonNode(TABLE_VIEW, "vtkMRMLTableViewNode")
    if plotView:
        plotView.SetPlotChartNodeID(report.plot.GetID())
        _tickAtSlices(plotView, [checked.number for checked in report.slices])
    if tableView:
        tableView.SetTableNodeID(report.table.GetID())
        _hideRowNumbers(tableView)
    return True


def _tickAtSlices(plotView, numbers) -> None:
    """Mark whole slices on the axis: left alone, it would also mark the middle between two of them."""
    manager = layoutManager()
    widgets = [manager.plotWidget(index) for index in range(manager.plotViewCount)] if manager else []
    at, labels = vtk.vtkDoubleArray(), vtk.vtkStringArray()
    for number in numbers:
        at.InsertNextValue(number)
        labels.InsertNextValue(str(number))
    for widget in widgets:
        if widget.mrmlPlotViewNode() is plotView:
            widget.plotView().chart().GetAxis(vtk.vtkAxis.BOTTOM).SetCustomTickPositions(at, labels)


def _hideRowNumbers(tableView) -> None:
    """They are not those of the slices, beside which they stand."""
    manager = layoutManager()
    widgets = [manager.tableWidget(index) for index in range(manager.tableViewCount)] if manager else []
    for widget in widgets:
        if widget.mrmlTableViewNode() is tableView:
            widget.tableView().verticalHeader().hide()


def _showPictures(scene, report) -> None:
    sparse = inputOf(report.table)  # one slice of one phase does not say where the heart is
    for view, picture in zip(sliceViews(scene, PICTURE_VIEWS), report.picture, strict=False):
        if picture.GetScene() is None:
            continue
        view.layers.SetBackgroundVolumeID(picture.GetID())
        heart = heartOf(sparse or picture)
        short, extent = planesOf(picture, heart)[0], extentsOf(picture, heart)[0]
        look(view.plane, short, scaleToFit(view.plane, extent))
