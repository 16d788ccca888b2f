"""Measures become nodes: a table of all numbers, the volumes over the beat as table and chart, and the labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import slicer
import vtk

from calid.protocol import Measured

from ..Scene.CineInput import SEQUENCE, Source
from ..Scene.Labels import PARTS, SURFACE
from ..Scene.Measures import (
    CHART_ROLE,
    CURVE_ROLE,
    LABELS_ROLE,
    MEASURES_ROLE,
    NOW_ROLE,
    NUMBERS,
    PAGE_ROLE,
    Measures,
    measuresOf,
)
from ..Scene.PhaseNodes import copyIndex, phaseNodes, putPhase, showPhase
from ..Scene.PhaseTimes import phaseTimes
from ..Scene.Provenance import INPUT_ROLE, PART, writeFacts
from ..Scene.Results import AddedNodes, removeNodes
from ..Scene.VolumeBridge import freeName
from ..Translation import _

COLUMNS = ("of", "measure", "value", "unit", "low", "high")
"""Of the table of measures: an expert's value lies between the last two in nine of ten hearts."""

LEFT, RIGHT, WALL = "LV (ml)", "RV (ml)", "LV wall (ml)"

_HEADROOM = 1.5  # the legend of a plot lies in its upper right corner
_WALL_OPACITY = 0.35  # the cavity is seen through it
_COLOURS = {part.segment: part.colour for part in PARTS}
_NOW_COLOUR = (0.45, 0.45, 0.45)


def addMeasures(
    source: Source, measured: Measured, facts: dict[str, Any], labels: Sequence[Any], page: str, added: AddedNodes
) -> Measures:
    """Add the nodes of a measurement, in place of those of an earlier one.

    :param source: the dense volume, or cine, that was measured, of which a volume node shows something.
    :param facts: of the run, for the attributes of the table.
    :param labels: segmentation of each phase, in no scene yet.
    :param page: the report, HTML.
    """
    scene, volume = source.scene, source.volume
    before = measuresOf(volume)
    if before:
        removeNodes(scene, before.nodes)
    table = _table(scene, f"{volume.GetName()} measures", measured.rows)
    writeFacts(table, {**facts, PART: "measures", NUMBERS: json.dumps(measured.numbers)})
    x, values = _phases(source, measured)
    columns = (LEFT, RIGHT, WALL)
    curve = _numbers(scene, f"{volume.GetName()} volumes", {x: values, **_volumes(measured, columns)})
    writeFacts(curve, {**facts, PART: "volumes"})
    top = _HEADROOM * max(max(column) for column in _volumes(measured, (LEFT, RIGHT)).values())
    now = _numbers(scene, f"{volume.GetName()} phase shown", {x: [values[0]] * 2, "ml": [0.0, top]})
    chart = _chart(scene, volume.GetName(), curve, now, x, top)
    shown = _addLabels(source, labels)
    report = scene.AddNewNodeByClass("vtkMRMLTextNode", freeName(scene, f"{volume.GetName()} report"))
    report.SetText(page)
    parts = {LABELS_ROLE: shown, CURVE_ROLE: curve, CHART_ROLE: chart, NOW_ROLE: now, PAGE_ROLE: report}
    for role, node in parts.items():
        table.SetNodeReferenceID(role, node.GetID())
    table.SetNodeReferenceID(INPUT_ROLE, source.node.GetID())
    volume.SetNodeReferenceID(MEASURES_ROLE, table.GetID())
    found = measuresOf(volume)
    assert found
    added.gather(f"{volume.GetName()} measures", *found.nodes, overwritten=[volume])
    return found


def _phases(source: Source, measured: Measured) -> tuple[str, list[float]]:
    """What the volumes are drawn over, and its values: the times of the cine where they are known."""
    count = len(measured.numbers["phases"]["lv_ml"])
    times = phaseTimes(source.sequence) if source.sequence is not None else None
    if times and len(times) == count:
        return _("time (ms)"), list(times)
    return _("phase"), [float(number) for number in range(1, count + 1)]


def _volumes(measured: Measured, columns: Sequence[str]) -> dict[str, list[float]]:
    keys = {LEFT: "lv_ml", RIGHT: "rv_ml", WALL: "wall_ml"}
    return {column: measured.numbers["phases"][keys[column]] for column in columns}


def _table(scene, name: str, rows: Sequence[Sequence[str]]):
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", freeName(scene, name))
    with slicer.util.NodeModify(table):
        for title, column in zip(COLUMNS, zip(*rows, strict=True), strict=True):
            texts = vtk.vtkStringArray()
            texts.SetName(title)
            for text in column:
                texts.InsertNextValue(text)
            table.AddColumn(texts)
        table.SetUseColumnTitleAsColumnHeader(True)
        table.SetLocked(True)
    return table


def _numbers(scene, name: str, columns: dict[str, Sequence[float]]):
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", freeName(scene, name))
    with slicer.util.NodeModify(table):
        for title, values in columns.items():
            array = vtk.vtkDoubleArray()
            array.SetName(title)
            for value in values:
                array.InsertNextValue(value)
            table.AddColumn(array)
        table.SetUseColumnTitleAsColumnHeader(True)
        table.SetLocked(True)
    return table


def _chart(scene, name: str, curve, now, x: str, top: float):
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", freeName(scene, f"{name} volumes plot"))
    with slicer.util.NodeModify(chart):
        chart.SetTitle(_("Volumes over the heart beat"))
        chart.SetXAxisTitle(x)
        chart.SetYAxisTitle(_("volume (ml)"))
        chart.SetYAxisRangeAuto(False)
        chart.SetYAxisRange(0, top)
        for title, table, column, colour in (
            (_("LV"), curve, LEFT, _COLOURS["LeftCavity"]),
            (_("RV"), curve, RIGHT, _COLOURS["RightCavity"]),
            (_("shown"), now, "ml", _NOW_COLOUR),
        ):
            chart.AddAndObservePlotSeriesNodeID(_series(scene, title, table, x, column, colour).GetID())
    return chart


def _series(scene, name: str, table, x: str, column: str, colour: tuple[float, float, float]):
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)  # the legend shows the name
    with slicer.util.NodeModify(series):
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetPlotType(series.PlotTypeScatter)
        series.SetXColumnName(x)
        series.SetYColumnName(column)
        series.SetMarkerStyle(series.MarkerStyleNone)
        series.SetLineWidth(2)
        series.SetColor(*colour)
    return series


def _addLabels(source: Source, labels: Sequence[Any]) -> Any:
    """The segmentation of a still, or of a cine the one that shows a phase of their sequence."""
    scene, name = source.scene, freeName(source.scene, f"{source.volume.GetName()} labels")
    if source.sequence is None:
        shown = scene.AddNode(labels[0])
        shown.SetName(name)
        _dress(shown, source.volume)
        return shown
    shown = slicer.vtkMRMLSegmentationNode()
    shown.CopyContent(labels[0], False)  # its looks are for segments that it has
    shown.SetName(name)
    scene.AddNode(shown)
    sequence = scene.AddNewNodeByClass(SEQUENCE, freeName(scene, f"{name} sequence"))
    copyIndex(source.sequence, sequence)
    with slicer.util.NodeModify(sequence):
        for value, node in zip(phaseNodes(source.sequence), labels, strict=True):
            putPhase(sequence, value, node)
    with slicer.util.NodeModify(source.browser):
        source.browser.AddProxyNode(shown, sequence, False)
        source.browser.SetSaveChanges(sequence, True)  # what a person draws stays, and phases are shown uncopied
    _dress(shown, source.volume)
    showPhase(source.browser)
    return shown


def _dress(shown, volume) -> None:
    """Outlines in the slices, and in 3D the cavities seen through the wall."""
    shown.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    shown.CreateDefaultDisplayNodes()
    display = shown.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetPreferredDisplayRepresentationName3D(SURFACE)
        display.SetVisibility2DFill(False)
        display.SetSegmentOpacity3D("LeftWall", _WALL_OPACITY)
        display.SetVisibility(False)  # until they are shown
