"""Studies in the section "Input": opened, which of their stacks is worked on, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slicer.i18n import tr as _

from ..Dicom.Nodes import gather, reportOf
from ..Scene.NewCine import show
from .Services import PanelServices

Open = Callable[[Sequence[str], int | None], None]


class PanelStudies:
    """Connects the buttons of studies, and the list of stacks of the study that the input is from.

    Where a study lies is remembered as long as the panel lives, and not in the scene: paths tell who a patient is.

    :param onOpen: called with the paths of a study and the number of the stack that is wanted of it, from 1; ``None``
        leaves the choice to the reader.
    :param onStack: called with the volume of a stack that was chosen and is in the scene.
    """

    def __init__(self, ui: Any, services: PanelServices, onOpen: Open, onStack: Callable[[Any], None]) -> None:
        self._ui, self._services = ui, services
        self._onOpen, self._onStack = onOpen, onStack
        self._paths: list[str] = []
        self._opened: list[tuple[list[str], Any]] = []
        self._input: Any = None
        self._texts: list[str] = []
        ui.openStudyButton.clicked.connect(self._onPressed)
        ui.studyReportButton.clicked.connect(self._onReport)
        ui.stackComboBox.activated.connect(self._onChosen)

    def open(self, paths: Sequence[str], stack: int | None = None) -> None:
        """Start to open a study."""
        if paths:
            self._paths = list(paths)
            self._onOpen(paths, stack)

    def take(self, study: Any) -> None:
        """A study has come into the scene: its stack becomes the input, and is shown to a user who is in the panel."""
        gather(study)
        self._opened.append((self._paths, study))
        self._onStack(study.volume)
        if self._services.isInFront():
            show(study.volume)

    def show(self, node: Any, isIdle: bool) -> None:
        """Show what is known of the study that the input is from.

        :param isIdle: whether another one may be opened.
        """
        ui, self._input = self._ui, node
        ui.openStudyButton.setEnabled(isIdle)
        ui.studyReportButton.setVisible(bool(reportOf(node)))
        found = self._studyOf(node)
        stacks = found[1].read.choices if found else []
        ui.stackComboBox.setVisible(len(stacks) > 1)
        ui.stackComboBox.setEnabled(isIdle)
        texts = [_("Stack {number}: {what}").format(number=n, what=what) for n, what in enumerate(stacks, 1)]
        if texts != self._texts:
            self._texts = texts
            ui.stackComboBox.clear()
            ui.stackComboBox.addItems(texts)
        if found and texts:
            ui.stackComboBox.setCurrentIndex(found[1].read.stack - 1)

    def _onPressed(self) -> None:
        folder = self._services.chooseStudy()
        self.open([folder] if folder else [])

    def _onReport(self) -> None:
        self._services.read(reportOf(self._input))

    def _onChosen(self, row: int) -> None:
        found = self._studyOf(self._input)
        if found is None or found[1].read.stack == row + 1:
            return
        there = (study for paths, study in self._present() if paths == found[0] and study.read.stack == row + 1)
        study = next(there, None)
        if study is None:
            self.open(found[0], row + 1)
            return
        self._onStack(study.volume)
        show(study.volume)

    def _studyOf(self, node: Any) -> tuple[list[str], Any] | None:
        return next((each for each in self._present() if each[1].volume is node), None) if node is not None else None

    def _present(self) -> list[tuple[list[str], Any]]:
        """What was opened and is in the scene yet."""
        self._opened = [each for each in self._opened if each[1].volume.GetScene() is not None]
        return self._opened
