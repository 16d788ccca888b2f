"""A measurement in the scene: its nodes, what a person draws over its labels, and that nothing stays behind."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from calid.errors import Cancelled, UnusableInput
from calid.protocol import HeartFacts
from CaLIDSlicerLib.Measurement.Export import asText, saveTable
from CaLIDSlicerLib.Measurement.Measuring import Measuring
from CaLIDSlicerLib.Scene.Labels import isDrawn, segmentationOf
from CaLIDSlicerLib.Scene.Measures import labelNodes, measuresOf

from ..running import hierarchyOf, nodesOf

APPLICATION = Path(__file__).parents[2] / "application"


@pytest.fixture(autouse=True)
def surfaces(scene):
    """In Slicer the module Segmentations knows how a label map becomes a surface."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    return logic


@pytest.fixture
def ringsWorker(makeWorker):
    """Labels a heart of rings; ``job.json`` of the job is left beside the worker."""
    lines = f"""
    import shutil
    sys.path.insert(0, {str(APPLICATION)!r})
    from obedient_worker import main
    shutil.copy(folder / "job.json", Path(__file__).parent)
    main("all", 0, folder)
    """
    return makeWorker(lines)


@pytest.fixture
def dense(reconstruct, makeCine, sequencesLogic):
    """A dense cine of three phases; every second slice is synthesised."""
    return reconstruct(makeCine().proxy).volume


def measure(volume, command, **facts):
    return Measuring(volume, heart=HeartFacts(**facts), workerCommand=command).wait()


def paint(node, value: int) -> None:
    """Give the left cavity of a segmentation another shape, as a brush does."""
    image = node.GetSegmentation().GetSegment("LeftCavity").GetRepresentation("Binary labelmap")
    scalars = vtk_to_numpy(image.GetPointData().GetScalars())
    scalars[np.flatnonzero(scalars == value)[:5]] = 0


def test_a_cine_has_labels_for_each_phase_and_numbers_that_are_found_again(dense, ringsWorker):
    measures = measure(dense, ringsWorker, rr_ms=900.0)
    assert measuresOf(dense).numbers == measures.numbers
    phases = labelNodes(measures.labels)
    assert len(phases) == 3
    for node in phases:
        assert node.GetSegmentation().GetSegment("LeftWall").GetRepresentation("Closed surface").GetNumberOfPoints()
        assert not isDrawn(node)
    assert slicer.util.arrayFromTableColumn(measures.curve, "LV (ml)").tolist() == measures.numbers["phases"]["lv_ml"]
    assert slicer.util.arrayFromTableColumn(measures.curve, "time (ms)").tolist() == [0, 30, 60]
    assert measures.chart.GetNumberOfPlotSeriesNodes() == 3
    for table in (measures.table, measures.curve):
        assert table.GetAttribute("CaLID.labels") == "rings"  # what made it


def test_the_worker_is_told_which_slices_were_acquired_and_of_the_patient(dense, ringsWorker):
    measure(dense, ringsWorker, height_cm=180.0, papillary="wall")
    told = json.loads((Path(ringsWorker[1]).parent / "job.json").read_text())
    assert told["heart"]["acquired"] == [0, None, 1, None, 2, None, 3]
    assert (told["heart"]["height_cm"], told["heart"]["papillary"]) == (180.0, "wall")
    assert told["task"] == "measure"


def test_a_still_has_one_segmentation(reconstruct, makeVolume, ringsWorker):
    measures = measure(reconstruct(makeVolume()).volume, ringsWorker)
    assert labelNodes(measures.labels) == [measures.labels]
    assert slicer.util.arrayFromTableColumn(measures.curve, "phase").tolist() == [1]


def test_what_a_person_has_drawn_is_handed_over_kept_and_marked(dense, ringsWorker, scene):
    first = measure(dense, ringsWorker)
    paint(labelNodes(first.labels)[1], 3)
    again = measure(dense, ringsWorker)
    assert json.loads((Path(ringsWorker[1]).parent / "job.json").read_text())["heart"]["drawn"] == [1]
    lv = [measures.numbers["phases"]["lv_ml"] for measures in (first, again)]
    assert lv[1] == [lv[0][0], lv[0][1] - 5, lv[0][2]]
    assert [isDrawn(node) for node in labelNodes(again.labels)] == [False, True, False]
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode", scene)) == 1
    assert len(slicer.util.getNodesByClass("vtkMRMLTableNode", scene)) == 3


def test_all_is_in_the_folder_of_the_result(dense, ringsWorker, scene):
    measures, hierarchy = measure(dense, ringsWorker), hierarchyOf(scene)
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(dense))
    for node in measures.nodes:
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == folder, node.GetName()


def test_measures_of_a_result_that_is_overwritten_go(dense, ringsWorker, reconstruct, scene):
    measure(dense, ringsWorker)
    sparse = dense.GetNodeReference("CaLID.input")
    reconstruct(sparse, output=dense)
    assert measuresOf(dense) is None
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode", scene) == []


@pytest.mark.parametrize("lines", ["sys.exit(1)", 'print(\'{"event": "done", "positions": [], "acquired": []}\')'])
def test_a_worker_that_fails_leaves_the_scene_as_it_was(dense, makeWorker, scene, lines):
    before = nodesOf(scene)
    with pytest.raises(Exception, match=r"worker|run it again"):
        measure(dense, makeWorker(lines))
    assert nodesOf(scene) == before


def test_a_cancel_leaves_the_measures_of_before(dense, ringsWorker, makeWorker, scene):
    first = measure(dense, ringsWorker)
    before = nodesOf(scene)
    job = Measuring(dense, workerCommand=makeWorker("import time; time.sleep(60)"))
    job.poll()
    job.cancel()
    assert isinstance(job.error, Cancelled)
    assert nodesOf(scene) == before
    assert measuresOf(dense).numbers == first.numbers


@pytest.mark.parametrize(("facts", "words"), [({"height_cm": 1.8}, "1.8 cm"), ({"weight_kg": 0.0}, "0 kg")])
def test_what_no_patient_can_be_is_refused_at_once(dense, ringsWorker, facts, words):
    with pytest.raises(UnusableInput, match=words):
        measure(dense, ringsWorker, **facts)


def test_a_sequence_that_nothing_shows_is_refused(makeCine, ringsWorker):
    with pytest.raises(UnusableInput, match="not shown by any volume"):
        measure(makeCine(isPlayed=False).sequence, ringsWorker)


def test_numbers_are_copied_and_saved(dense, ringsWorker, tmp_path):
    measures = measure(dense, ringsWorker)
    noted = dataclasses.replace(measures, numbers={**measures.numbers, "notes": ["Größe, geschätzt."]})
    assert asText(noted).splitlines()[:2] == ["of\tmeasure\tvalue\tunit\tlow\thigh", "left ventricle\tEF\t50.0\t%\t\t"]
    saveTable(noted, tmp_path / "a.csv")
    rows = list(csv.reader((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[-1][:2] == ["note", "Größe, geschätzt."]
    with pytest.raises(UnusableInput, match="missing"):
        saveTable(noted, tmp_path / "missing" / "a.csv")


def test_labels_that_are_empty_have_no_surface_and_come_back():
    node = segmentationOf(np.zeros((3, 8, 9), np.uint8), np.eye(4), "none")
    assert not isDrawn(node)
