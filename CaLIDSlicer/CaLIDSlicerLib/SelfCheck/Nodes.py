"""A self-check becomes nodes: its scores as a table and a plot, its worst slice as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import slicer

from calid.stacks.stack import SliceStack

from ..Scene.CineInput import Source
from ..Scene.Provenance import INPUT_ROLE, PART, writeFacts
from ..Scene.VolumeBridge import addVolumeLike, copyWindowLevel, fixWindow, freeName
from .Report import CheckedSlice

SLICE, MODEL, LINEAR = "slice", "PSNR model (dB)", "PSNR linear (dB)"
COLUMNS = (SLICE, "at (mm)", MODEL, "SSIM model", LINEAR, "SSIM linear")
"""The columns of the table, in the order of :class:`CheckedSlice`."""

HEADROOM = 0.4
"""Of the range of the curves: where the legend of a plot lies, in its upper right corner."""

_DECIMALS = 3  # Slicer's table view writes out all that a number has
_MODEL_COLOUR, _LINEAR_COLOUR = (0.0, 0.45, 0.70), (0.84, 0.37, 0.0)  # told apart by colour-blind readers too


@dataclass(frozen=True, eq=False)
class WorstSlice:
    """The slice that was predicted worst, as (rows, columns) in the input's data type: real and estimated."""

    index: int
    acquired: np.ndarray
    predicted: np.ndarray
    linear: np.ndarray

    @classmethod
    def of(cls, stack: SliceStack, index: int, predicted: np.ndarray) -> WorstSlice:
        """With linear interpolation from the neighbours of slice ``index`` of the first phase."""
        below, acquired, above = stack.voxels[0, index - 1 : index + 2]
        before, here, after = stack.positions[index - 1 : index + 2]
        share = (here - before) / (after - before)
        linear = (1 - share) * below.astype(float) + share * above.astype(float)
        rounded = linear.round() if acquired.dtype.kind in "iu" else linear
        return cls(index, acquired, predicted, rounded.astype(acquired.dtype))


def addTable(source: Source, slices: Sequence[CheckedSlice], facts: dict[str, Any]):
    """Add the vtkMRMLTableNode of the scores, with the provenance of the run as attributes."""
    table = _add(source, "vtkMRMLTableNode", "scores")
    rows = [(checked.number, *astuple(checked)[1:]) for checked in slices]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    slicer.util.updateTableFromArray(table, [column.round(_DECIMALS) for column in columns], COLUMNS)
    table.SetUseColumnTitleAsColumnHeader(True)  # else the header is A, B, C ... above a row of names
    table.SetLocked(True)
    table.SetNodeReferenceID(INPUT_ROLE, source.node.GetID())
    writeFacts(table, facts)
    return table


def addPlot(source: Source, table, slices: Sequence[CheckedSlice]) -> tuple[Any, list]:
    """Add the chart of the PSNR along the slices, and its two series."""
    chart = _add(source, "vtkMRMLPlotChartNode", "plot")
    chart.SetTitle("Hidden slices, predicted")  # a name would not fit into every window
    chart.SetXAxisTitle("slice")
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(slices[0].number - 0.5, slices[-1].number + 0.5)
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(*_rangeBelowLegend([psnr for each in slices for psnr in (each.psnr, each.linearPsnr)]))
    chart.SetYAxisTitle("PSNR (dB), higher is better")
    series = [
        _addSeries(source, table, "CaLID", MODEL, _MODEL_COLOUR),
        _addSeries(source, table, "linear interpolation", LINEAR, _LINEAR_COLOUR),
    ]
    series[1].SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleDash)
    for node in series:
        chart.AddAndObservePlotSeriesNodeID(node.GetID())
    return chart, series


def addPicture(source: Source, stack: SliceStack, worst: WorstSlice) -> tuple:
    """Add the worst slice as three volumes at its place in the patient: acquired, predicted, linear; one grey scale."""
    ijkToRas = np.array(stack.frame)
    ijkToRas[:3, 3] = (stack.frame @ [0, 0, stack.positions[worst.index], 1])[:3]
    ijkToRas[:3, 2] *= stack.gaps.mean()
    pictures = {"acquired": worst.acquired, "predicted": worst.predicted, "linear": worst.linear}
    nodes = []
    for what, voxels in pictures.items():
        name = f"{source.name} slice {worst.index + 1} {what}"
        node = addVolumeLike(source.like, "vtkMRMLScalarVolumeNode", name, voxels[np.newaxis], ijkToRas, source.scene)
        writeFacts(node, {PART: "picture"})
        copyWindowLevel(source.like, node)
        fixWindow(node, worst.acquired)
        nodes.append(node)
    return tuple(nodes)


def _rangeBelowLegend(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    span = max(high - low, 1.0)
    return low - 0.05 * span, high + HEADROOM * span


def _addSeries(source: Source, table, name: str, column: str, colour: tuple[float, float, float]):
    series = source.scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)  # the legend shows the name
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(series.PlotTypeScatter)
    series.SetXColumnName(SLICE)
    series.SetYColumnName(column)
    series.SetMarkerStyle(series.MarkerStyleCircle)
    series.SetColor(*colour)
    return series


def _add(source: Source, className: str, what: str):
    name = freeName(source.scene, f"{source.name} self-check {what}")
    return source.scene.AddNewNodeByClass(className, name)
