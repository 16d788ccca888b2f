"""From a scanner's folder to a beating dense heart: by the panel, and through Slicer's DICOM database."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import SkipTest

import numpy as np
import qt
import slicer
from driving import (
    MODULE,
    apply,
    loadFromSampleData,
    messages,
    panel,
    parameters,
    picture,
    spin,
    ui,
    waitForRun,
    waitForViews,
    widget,
)
from looking import cutOffInPanel, pressed
from watching import Silence

BACKEND_TESTS = Path(__file__).resolve().parents[1] / "backend" / "dicom"
SIZES = ("1366x768",)
SMALL = {"phases": 6, "slices": 5, "gap": 10.0, "pixel": 3.0, "matrix": (64, 64), "seed": 3}


def scanned(folder: Path) -> Path:
    """A study as Siemens exports it: one series for each slice, and a four-chamber view beside them."""
    sys.path.insert(0, str(BACKEND_TESTS))
    import scanner

    from calid.phantom.beating_heart import Phantom
    from calid.stacks.stack import SliceStack

    heart = Phantom(**SMALL).sparse
    scanner.save(scanner.shoot(heart, each_its_own=True), folder / "short")
    frame = np.eye(4)
    frame[:3, 0], frame[:3, 1], frame[:3, 2] = heart.frame[:3, 2] * 1.0, heart.frame[:3, 1], heart.frame[:3, 0] / 3.0
    frame[:3, 3] = heart.frame[:3, 3] + 32 * heart.frame[:3, 0]
    cut = heart.voxels[:, :, :, 32].repeat(10, axis=1)[:, :41].transpose(0, 2, 1)
    across = SliceStack(np.stack([cut, cut + 1], axis=1), frame, np.array([0.0, 10.0]))
    shots = [shot for shot in scanner.shoot(across, series=50, SeriesDescription="4CH") if shot.k == 0]
    scanner.save(shots, folder / "long")
    return folder


def sunnybrook() -> Path:
    """Real studies of a GE scanner, which are beside the clone where they are."""
    for above in Path(__file__).parents:
        folder = above / "shared" / "data" / "sunnybrook" / "dicom" / "SCD0000101"
        if folder.is_dir():
            return folder
    raise SkipTest("needs shared/data/sunnybrook beside the clone")


@contextmanager
def temporary() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def openStudy(folder: Path) -> str:
    """Press the button, choose a folder, and return the status at the end."""
    panel().services.chooseStudy = lambda: str(folder)
    ui().openStudyButton.click()
    return waitForRun()


def shownInRed():
    return slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode().GetBackgroundVolumeID()


def test_a_series_for_each_slice_becomes_a_dense_beating_heart():
    with temporary() as folder:
        said = openStudy(scanned(folder))
    assert said == "Found: short-axis cine, 5 slices x 6 phases, with a long-axis view."
    assert ui().understoodLabel.text == "5 slices, 10.0 mm apart, 6 mm thick, 6 phases, 3.0 mm in-plane"
    sparse = parameters().input
    assert shownInRed() == sparse.GetID()
    assert cutOffInPanel() == []
    picture("opened")
    apply(spacing=5.0)
    assert "ready" in waitForRun(600)
    waitForViews()
    assert pressed()["play"], "it does not beat"
    picture("dense")
    assert parameters().result.GetSpacing()[2] == 5.0
    assert float(parameters().result.GetAttribute("CaLID.thickness_mm")) == 6
    assert parameters().result.GetAttribute("CaLID.thickness_source") == "file"


def test_the_real_study_opens_while_the_window_lives():
    folder = sunnybrook()
    with Silence() as silence:
        said = openStudy(folder)
    assert said == "Found: short-axis cine, 12 slices x 20 phases."
    assert "12 slices, 10.0 mm apart, 10 mm thick, 20 phases, 1.4 mm in-plane" in ui().understoodLabel.text
    assert silence.cpu < 1.0, silence.cpu
    picture("real")
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(parameters().input)
    sequence = browser.GetMasterSequenceNode()
    assert (sequence.GetIndexName(), sequence.GetIndexUnit(), sequence.GetNumberOfDataNodes()) == ("time", "ms", 20)
    ui().studyReportButton.click()
    assert "what the study holds" in messages[-1]


def test_a_folder_without_a_heart_is_refused_in_a_message():
    with temporary() as folder:
        (folder / "notes.txt").write_text("nothing", encoding="utf-8")
        said = openStudy(folder)
    assert said.startswith("Error: ")
    assert "there is no short-axis cine" in said
    assert messages
    assert parameters().input is None


def test_a_folder_can_be_dropped_onto_the_panel():
    with temporary() as folder:
        scanned(folder)
        data = qt.QMimeData()
        data.setUrls([qt.QUrl.fromLocalFile(str(folder))])
        target = ui().inputSection.parent()
        left, none = qt.Qt.LeftButton, qt.Qt.NoModifier
        for event in (
            qt.QDragEnterEvent(qt.QPoint(5, 5), qt.Qt.CopyAction, data, left, none),
            qt.QDropEvent(qt.QPointF(5, 5), qt.Qt.CopyAction, data, left, none),
        ):
            qt.QCoreApplication.sendEvent(target, event)
            assert event.isAccepted()
        spin(lambda: parameters().input is not None, 60)
        assert "Found: short-axis cine, 5 slices" in waitForRun()


@contextmanager
def database(folder: Path) -> Iterator[None]:
    """Slicer's DICOM database with the files of a folder, and nothing else."""
    from DICOMLib import DICOMUtils

    with temporary() as place, DICOMUtils.TemporaryDICOMDatabase(str(place / "db")) as opened:
        DICOMUtils.importDicom(str(folder), opened)
        yield


def loadStudy() -> list[str]:
    """Load what Slicer's module DICOM selects by itself of the only patient, and return the names of loadables."""
    from DICOMLib import DICOMUtils

    (patient,) = slicer.dicomDatabase.patients()
    studies = slicer.dicomDatabase.studiesForPatient(patient)
    series = [uid for study in studies for uid in slicer.dicomDatabase.seriesForStudy(study)]
    lists = [list(slicer.dicomDatabase.filesForSeries(uid)) for uid in series]
    found, _enabled = DICOMUtils.getLoadablesFromFileLists(lists)
    DICOMUtils.selectHighestConfidenceLoadables(found)
    chosen = [each.name for loadables in found.values() for each in loadables if each.selected]
    said: list[str] = []
    DICOMUtils.loadLoadables(found, said)
    assert said == []
    return chosen


def test_the_dicom_module_loads_one_cine_of_many_series():
    with temporary() as folder, database(scanned(folder)):
        chosen = loadStudy()
        assert chosen.count("Short-axis cine (5 slices x 6 phases, CaLID)") == 5
        assert set(chosen) == {"Short-axis cine (5 slices x 6 phases, CaLID)", "Long-axis cine (6 phases, CaLID)"}
        names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
        assert names == ["Short-axis cine", "4CH"]
        assert placeOf("Short-axis cine")[1:] == placeOf("4CH")[1:]
        assert placeOf("Short-axis cine")[-1] == "Roe^Richard (4711)"
        slicer.util.selectModule("Data")
        spin(0.5)
        picture("hierarchy")
        slicer.util.selectModule(MODULE)
        spin(0.3)
        assert "5 slices, 10.0 mm apart, 6 mm thick" in ui().understoodLabel.text
        assert ui().studyReportButton.visible


def test_the_dicom_module_loads_the_real_study():
    with database(sunnybrook()):
        assert loadStudy() == ["Short-axis cine (12 slices x 20 phases, CaLID)"]
        slicer.util.selectModule(MODULE)
        spin(0.3)
        assert "12 slices, 10.0 mm apart, 10 mm thick, 20 phases" in ui().understoodLabel.text


def placeOf(name: str) -> list[str]:
    """The items of the subject hierarchy above a node, the nearest first, itself included."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item, names = hierarchy.GetItemByDataNode(slicer.util.getNode(name)), []
    while item and item != hierarchy.GetSceneItemID():
        names.append(hierarchy.GetItemName(item))
        item = hierarchy.GetItemParent(item)
    return names


def test_the_real_heart_of_the_sample_data_is_the_input():
    heart = loadFromSampleData("Sunnybrook heart (cine)")
    assert heart.GetName() == "SunnybrookCine"
    assert "12 slices, 10.0 mm apart, 10 mm thick, 20 phases, 1.4 mm in-plane" in ui().understoodLabel.text
    assert shownInRed() == heart.GetID()
    picture("sample")
    assert widget().panel.isConnected


def test_another_stack_of_the_study_is_one_choice_away():
    with temporary() as folder:
        scanned(folder)
        import scanner

        from calid.phantom.beating_heart import Phantom

        again = Phantom(**{**SMALL, "seed": 4}).sparse
        scanner.save(scanner.shoot(again, series=70, start=900, SeriesDescription="stress"), folder / "again")
        said = openStudy(folder)
        assert said.startswith("Found: short-axis cine, 5 slices x 6 phases, stack 1 of 2")
        first, choice = parameters().input, ui().stackComboBox
        assert choice.visible
        assert [choice.itemText(row) for row in range(2)] == [
            "Stack 1: stress, series 70: short-axis cine, 5 slices x 6 phases",
            "Stack 2: short-axis, series 1, 2, 3, 4 …: short-axis cine, 5 slices x 6 phases",
        ]
        assert cutOffInPanel() == []
        picture("choice")
        choice.setCurrentIndex(1)
        choice.activated(1)
        assert waitForRun().startswith("Found: short-axis cine, 5 slices x 6 phases, stack 2 of 2")
        assert parameters().input is not first
        assert shownInRed() == parameters().input.GetID()
        choice.setCurrentIndex(0)
        choice.activated(0)  # it is in the scene already
        spin(0.3)
        assert parameters().input is first
        assert shownInRed() == first.GetID()
