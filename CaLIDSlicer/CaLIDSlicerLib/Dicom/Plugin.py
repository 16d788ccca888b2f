"""How Slicer's module *DICOM* offers and loads short-axis cines, however many series they are spread over.

The contract, as read in ``DICOMLib/DICOMUtils.py`` of Slicer 5.12: a plugin is asked for loadables of all selected
series at once. Of each series, told by the first file of a loadable, those of the highest confidence are selected. So
each series of a stack gets a loadable of its own, which beats those of other plugins; the first of them that is loaded
brings everything, and the others find it there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import slicer
from DICOMLib import DICOMLoadable, DICOMPlugin

from calid.errors import CalidError

from ..Jobs.Errors import CONSOLE
from ..Scene.NewCine import show
from ..Translation import _
from .Nodes import OpenedStudy, putBelow
from .Opening import StudyOpening

if TYPE_CHECKING:
    from .Examination import Offer

CONFIDENCE = 1.1
"""Slicer's loader of image sequences has 1.05 for slices of several orientations, which it takes a stack for when they
differ in the seventh digit; nothing has more."""

_MODALITY = "0008,0060"
_NAME = "CaLIDSlicerDICOMPlugin"


@dataclass
class _Loaded:
    """A study in the scene, and the series that have asked for it."""

    study: OpenedStudy
    series: set[str] = field(default_factory=set)


class CaLIDSlicerDICOMPlugin(DICOMPlugin):
    """Loads a short-axis cine as a sequence with its times in ms, with the long axes of its study and a report."""

    def __init__(self) -> None:
        super().__init__()
        self.loadType = _("Short-axis cine")
        self._examined: dict[tuple[str, ...], list[Offer]] = {}
        self._loaded: dict[tuple[Any, ...], _Loaded] = {}

    def examineForImport(self, fileLists: list[list[str]]) -> list[DICOMLoadable]:
        """Loadables for every series of every short-axis cine among the selected ones."""
        from .Examination import offersIn  # pydicom takes as long to load as all of Slicer's start can bear

        files = tuple(file for files in fileLists if _isMR(files) for file in files)
        if files not in self._examined:
            self._examined[files] = offersIn(files)
        return [_loadable(offer) for offer in self._examined[files]]

    def load(self, loadable: DICOMLoadable) -> Any:
        """The volume node of what is offered; ``None``, after the reason went to the log, if it cannot be read."""
        offer = loadable.calidOffer
        key = (offer.given, offer.stack)
        known = self._loaded.get(key)
        if known is None or offer.series in known.series or known.study.volume.GetScene() is None:
            try:
                known = self._loaded[key] = _Loaded(self._open(offer, loadable))
            except CalidError as error:
                logging.error("%s: %s. What to do: %s.", loadable.name, error, error.told_in(CONSOLE).remedy)
                return None
        known.series.add(offer.series)
        nodes = [known.study.volume, *known.study.longAxes]
        return nodes[min(offer.longAxis, len(nodes) - 1)]

    def _open(self, offer: Offer, loadable: DICOMLoadable) -> OpenedStudy:
        opening = StudyOpening(offer.given, offer.stack)
        opening.wait()
        assert opening.result
        study = opening.result
        self.addSeriesInSubjectHierarchy(loadable, study.volume)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        putBelow(study, hierarchy.GetItemParent(hierarchy.GetItemByDataNode(study.volume)))
        show(study.volume)
        return study


def registerPlugin() -> None:
    """Let Slicer's module *DICOM* know of it; more than once does no harm."""
    if not hasattr(slicer.modules, "dicomPlugins"):
        slicer.modules.dicomPlugins = {}
    slicer.modules.dicomPlugins[_NAME] = CaLIDSlicerDICOMPlugin


def _isMR(files: list[str]) -> bool:
    return bool(files) and slicer.dicomDatabase.fileValue(files[0], _MODALITY) == "MR"


def _loadable(offer: Offer) -> DICOMLoadable:
    loadable = DICOMLoadable()
    loadable.files = list(offer.files)
    loadable.name = offer.name
    loadable.tooltip = _("With the long axes of its study, as one sequence over the heart beat, by CaLIDSlicer")
    loadable.selected = True
    loadable.confidence = CONFIDENCE
    loadable.calidOffer = offer
    return loadable
