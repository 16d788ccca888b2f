"""The section "Measure": volumes and function of the heart in the dense volume, and where they are shown and taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt
from slicer.i18n import tr as _

from calid.errors import CalidError
from calid.measurement.charts import THICKENING_PERCENT, THICKNESS_MM, bullseye

from ..Measurement.Export import asText, saveReport, saveTable
from ..Scene.Measures import Measures, measuresOf
from ..Scene.Provenance import INPUT_ROLE
from .Labels import bringIntoView, say
from .Services import PanelServices
from .Words import errorText

ROWS = (
    ("edv_ml", "EDV (ml)", 0),
    ("esv_ml", "ESV (ml)", 0),
    ("sv_ml", "SV (ml)", 0),
    ("ef_percent", "EF (%)", 0),
    ("output_l_min", "CO (l/min)", 1),
    ("mass_g", "Mass (g)", 0),
)
"""Of the table in the panel: key, caption and decimals; all else is in the table of the scene."""

_BULLSEYE = 150  # pixels: two of them beside each other make no panel wider


class PanelMeasure:
    """Connects the widgets of the section.

    :param onMeasure: called when the user wants to have the dense volume measured, or measured again.
    """

    def __init__(self, ui: Any, services: PanelServices, onMeasure: Callable[[], None]) -> None:
        self._ui, self._services = ui, services
        self._volume: Any = None
        self._showing: Any = None
        self._text = ""
        ui.measureButton.clicked.connect(onMeasure)
        ui.showMeasuresButton.clicked.connect(self._onShow)
        ui.copyMeasuresButton.clicked.connect(self._onCopy)
        ui.saveMeasuresButton.clicked.connect(self._onSave)
        ui.measureReportButton.clicked.connect(self._onReport)

    def show(self, volume: Any, isIdle: bool, canReconstruct: bool) -> None:
        """Show what is known of the chosen dense volume.

        :param canReconstruct: whether there is an input from which one could be made first.
        """
        self._volume = volume if volume is not None and volume.GetNodeReference(INPUT_ROLE) is not None else None
        measures, ui = measuresOf(self._volume), self._ui
        ui.measureButton.setEnabled(isIdle and (self._volume is not None or canReconstruct))
        ui.measureButton.setText(_("Measure") if measures is None else _("Update"))
        ui.measureButton.setToolTip(_toolTip(self._volume, measures))
        for control in (ui.heightSpinBox, ui.weightSpinBox, ui.rrSpinBox, ui.papillaryComboBox):
            control.setEnabled(isIdle)
        for control in (ui.copyMeasuresButton, ui.saveMeasuresButton, ui.showMeasuresButton):
            control.setEnabled(measures is not None)
        ui.measureReportButton.setEnabled(measures is not None and measures.page is not None)
        text = _("Nothing was measured yet.") if measures is None else tableOf(measures.numbers)
        if text != self._text:  # a table takes its time to be laid out
            self._text = text
            say(ui.measuresLabel, text)
            self._drawBullseye(measures)
        say(ui.measureNotesLabel, "" if measures is None else "\n".join(measures.numbers["notes"]))
        self.refresh()

    def refresh(self) -> None:
        """Press the button of what is shown."""
        self._ui.showMeasuresButton.setChecked(self._services.display.shownOf(self._volume).measures)

    def showMeasured(self, volume: Any) -> None:
        """Bring new measures into the views, unless the user is at work elsewhere."""
        if self._services.isInFront():
            self._bringUp(volume)
            bringIntoView(self._ui.measureSection)

    def _bringUp(self, volume: Any) -> None:
        if self._showing is not None:
            self._showing.stop()
        self._showing = self._services.display.showMeasures(volume)
        self._showing.then(self.refresh)

    def _onShow(self, visible: bool) -> None:
        if visible:
            self._bringUp(self._volume)
        else:
            self._services.display.leave()
        self.refresh()

    def _onCopy(self) -> None:
        measures = measuresOf(self._volume)
        if measures is not None:
            qt.QApplication.clipboard().setText(asText(measures))

    def _onSave(self) -> None:
        self._save(saveTable, "measures.csv", _("Table (*.csv)"))

    def _onReport(self) -> None:
        path = self._save(saveReport, "report.html", _("Page (*.html)"))
        if path:
            self._services.open(path)

    def _save(self, write: Callable[[Measures, str], None], name: str, kind: str) -> str:
        """Save something where the user wants it; return where, or empty if it was not."""
        measures, path = measuresOf(self._volume), self._services.chooseOutput(name, kind)
        if measures is None or not path:
            return ""
        try:
            write(measures, path)
        except CalidError as error:
            self._services.tell(errorText(error))
            return ""
        return path

    def _drawBullseye(self, measures: Measures | None) -> None:
        """The thickness of the wall, beside how much thicker it becomes where that is known."""
        ui, segments = self._ui, measures.numbers.get("segments", []) if measures else []
        for label, key, scale in (
            (ui.thicknessLabel, "end_diastole_mm", THICKNESS_MM),
            (ui.thickeningLabel, "thickening_percent", THICKENING_PERCENT),
        ):
            values = {each["number"]: each[key] for each in segments if each[key] is not None}
            picture = qt.QPixmap()
            isDrawn = bool(values) and picture.loadFromData(qt.QByteArray(bullseye(values, *scale).encode()), "SVG")
            label.setVisible(bool(isDrawn))
            if isDrawn:
                label.setPixmap(picture.scaledToWidth(_BULLSEYE, qt.Qt.SmoothTransformation))


def tableOf(numbers: Mapping[str, Any]) -> str:
    """Both ventricles side by side, with the intervals, as rich text."""
    head = "".join(f"<th align='left'>{text}&nbsp;&nbsp;</th>" for text in ("", _("Left"), _("Right")))
    rows = [
        f"<tr><td>{caption}&nbsp;&nbsp;</td>{''.join(_cell(numbers, side, key, digits) for side in ('lv', 'rv'))}</tr>"
        for key, caption, digits in ROWS
        if any(numbers[side].get(key) is not None for side in ("lv", "rv"))
    ]
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _cell(numbers: Mapping[str, Any], side: str, key: str, digits: int) -> str:
    value, interval = numbers[side].get(key), numbers["intervals"][side].get(key)
    if value is None:
        return "<td></td>"
    between = f" ({interval[0]:.{digits}f} - {interval[1]:.{digits}f})" if interval else ""
    return f"<td>{value:.{digits}f}{between}&nbsp;&nbsp;</td>"


def _toolTip(volume: Any, measures: Measures | None) -> str:
    if volume is None:
        return _("Reconstruct the stack, then measure the heart in it.")
    if measures is None:
        return _("Measure the heart in {name}.").format(name=volume.GetName())
    return _(
        "Measure {name} again. Labels that you have changed in the Segment Editor are kept, and count as they are."
    ).format(name=volume.GetName())
