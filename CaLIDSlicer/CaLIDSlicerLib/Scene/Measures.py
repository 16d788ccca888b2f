"""What was measured of a dense volume: nodes that refer to each other, so that it is found again in a saved scene."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .CineInput import browsersShowing
from .Provenance import ATTRIBUTE_PREFIX, factOf

MEASURES_ROLE = ATTRIBUTE_PREFIX + "measures"
"""Of the dense volume to the table of its measures."""

LABELS_ROLE, CURVE_ROLE, CHART_ROLE, NOW_ROLE, PAGE_ROLE = (
    ATTRIBUTE_PREFIX + what for what in ("labels", "curve", "chart", "now", "page")
)
"""Of that table to the segmentation, the table of the volumes, their chart, the table of its mark, and the report."""

NUMBERS = "numbers"
"""Fact of the table of measures: all numbers, as JSON."""


@dataclass(frozen=True, eq=False)
class Measures:
    """The measures of one heart.

    :param numbers: as :meth:`calid.measurement.result.Measurement.to_dict` gives them.
    :param table: vtkMRMLTableNode of them, with intervals.
    :param labels: vtkMRMLSegmentationNode, of a cine the proxy; the others are ``None`` if somebody has deleted them.
    :param curve: vtkMRMLTableNode with the volumes of the phases.
    :param chart: vtkMRMLPlotChartNode of it.
    :param now: vtkMRMLTableNode of the mark at the phase that is shown.
    :param page: vtkMRMLTextNode with the report, HTML.
    """

    numbers: dict[str, Any]
    table: Any
    labels: Any
    curve: Any
    chart: Any
    now: Any
    page: Any

    @property
    def nodes(self) -> list[Any]:
        """All of them, with the sequence of the labels and the series of the chart, as far as they are there."""
        chart = self.chart
        series = (
            [] if chart is None else [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
        )
        found = [labelSequence(self.labels), self.labels, chart, *series, self.curve, self.now, self.page, self.table]
        return [node for node in found if node is not None]


def measuresOf(volume) -> Measures | None:
    """The measures of a dense volume; ``None`` before there are any, or once their table was deleted."""
    table: Any = volume.GetNodeReference(MEASURES_ROLE) if volume is not None and volume.GetScene() else None
    numbers = factOf(table, NUMBERS) if table is not None else None
    if not numbers:
        return None
    others = (table.GetNodeReference(role) for role in (LABELS_ROLE, CURVE_ROLE, CHART_ROLE, NOW_ROLE, PAGE_ROLE))
    return Measures(json.loads(numbers), table, *others)


def labelSequence(labels):
    """The sequence that a segmentation is a proxy of; ``None`` for that of a still."""
    browser = browserOfLabels(labels)
    return browser and browser.GetSequenceNode(labels)


def browserOfLabels(labels):
    """The browser that plays a segmentation, or ``None``."""
    isThere = labels is not None and labels.GetScene() is not None
    return next(iter(browsersShowing(labels)), None) if isThere else None


def labelNodes(labels) -> list[Any]:
    """The segmentations of all phases, in order; of a still the one."""
    sequence = labelSequence(labels)
    if sequence is None:
        return [] if labels is None else [labels]
    return [sequence.GetNthDataNode(item) for item in range(sequence.GetNumberOfDataNodes())]
