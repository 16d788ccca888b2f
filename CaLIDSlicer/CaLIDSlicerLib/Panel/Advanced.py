"""The section "Advanced": the thickness that is assumed, the device that was found, the model and its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from calid.errors import CalidError
from calid.model.manifest import read_manifest
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import choose_thickness

from .Labels import breakable, say
from .Preparation import Preparation
from .Services import PanelServices
from .Words import errorText


class PanelAdvanced:
    """Connects the controls of the section; its parameters are connected by the parameter node."""

    def __init__(self, ui: Any, services: PanelServices, preparation: Preparation) -> None:
        self._ui, self._services, self._preparation = ui, services, preparation
        ui.deviceButton.clicked.connect(self._onDevice)
        ui.modelCardButton.toggled.connect(self._onModelCard)
        ui.verifyWeightsButton.clicked.connect(self._onVerify)
        ui.importWeightsButton.clicked.connect(self._onImport)
        ui.removeWeightsButton.clicked.connect(self._onRemove)
        ui.modelCardBrowser.setVisible(False)
        ui.weightsStatusLabel.setVisible(False)
        self._wanted, self._isLooking = "auto", False
        self.showWeights()

    def showDevice(self, wanted: str) -> None:
        """Show the device as far as it is known.

        :param wanted: what "Detect" looks for, as in :class:`calid.options.Options`.
        """
        self._wanted = wanted
        report = self._preparation.report
        known = report.text if report else _("Not looked for yet.")
        say(self._ui.deviceLabel, _("Looking ...") if self._isLooking else known)

    def showThickness(self, stack: SliceStack | None) -> None:
        """Say which thickness is taken of the slices of the input where none is chosen."""
        self._ui.thicknessSpinBox.setSpecialValueText(automaticThickness(stack))

    def showWeights(self) -> None:
        """Show the model and its weights as they are now."""
        models = self._services.models
        try:
            folder = models.location()
            model = read_manifest(Path(folder))
        except CalidError as error:
            folder, model = errorText(error), {"id": _("None")}
        self._ui.modelLabel.setText(model["id"])
        self._ui.modelLabel.setToolTip(model.get("title", ""))
        say(self._ui.weightsLabel, breakable(folder))
        self._ui.weightsLabel.setToolTip(folder)
        self._ui.removeWeightsButton.setEnabled(not models.isBundled)

    def _onDevice(self) -> None:
        self._services.forgetDevices()
        self._ui.deviceButton.setEnabled(False)  # the event loop runs, and one search at a time is enough
        self._isLooking = True
        self.showDevice(self._wanted)
        try:
            self._try(lambda: self._preparation.detect(self._wanted))
        finally:
            self._isLooking = False
            self._ui.deviceButton.setEnabled(True)
            self.showDevice(self._wanted)

    def _onModelCard(self, visible: bool) -> None:
        self._ui.modelCardBrowser.setVisible(visible)
        if visible:
            self._ui.modelCardBrowser.setMarkdown(self._try(self._services.models.card))

    def _onVerify(self) -> None:
        self._say(self._try(self._services.models.verify))

    def _onImport(self) -> None:
        path = self._services.chooseFile()
        if path:
            self._say(self._try(lambda: self._services.models.importFrom(path)))
            self.showWeights()

    def _onRemove(self) -> None:
        if self._services.ask(_("Delete the imported weights? Those that come with the extension are used again.")):
            self._say(self._try(self._remove))
            self.showWeights()

    def _remove(self) -> str:
        self._services.models.remove()
        return _("The imported weights were removed.")

    def _try(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except CalidError as error:
            self._services.tell(errorText(error))
            return _("Error: {text}").format(text=errorText(error))

    def _say(self, text: str) -> None:
        say(self._ui.weightsStatusLabel, breakable(text))


def automaticThickness(stack: SliceStack | None) -> str:
    """The thickness of the slices where the user says none, and who says it then."""
    try:
        found = choose_thickness(stack) if stack is not None else None
    except CalidError:  # the plan says it
        found = None
    if found is None:
        return _("Automatic")
    isFromFile = found.source == "file"
    text = _("Automatic: {mm:.3g} mm, from the file") if isFromFile else _("Automatic: {mm:.3g} mm, assumed")
    return text.format(mm=found.mm)
