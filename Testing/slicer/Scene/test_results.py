"""What the scene holds afterwards: names, provenance, window and level, mask, uncertainty."""

from __future__ import annotations

import json

import numpy as np
import pytest
import slicer
import vtk

from calid.errors import OutOfResources
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene import Results
from CaLIDSlicerLib.Scene.VolumeBridge import voxelsOf


def test_the_name_says_what_it_is(makeVolume, repeatingWorker):
    sparse = makeVolume(name="Patient 7, ED")
    names = [Reconstruction(sparse, 4.0, workerCommand=repeatingWorker).wait().GetName() for _ in range(2)]
    assert names == ["Patient 7, ED CaLID", "Patient 7, ED CaLID_1"]


def test_provenance_is_on_the_node(makeVolume, repeatingWorker):
    sparse = makeVolume()
    dense = Reconstruction(sparse, 4.0, seed=11, workerCommand=repeatingWorker).wait()
    assert dense.GetAttribute("CaLID.model") == "repeat"
    assert dense.GetAttribute("CaLID.seed") == "11"
    assert json.loads(dense.GetAttribute("CaLID.acquired")) == [0, None, 1, None, 2, None, 3]
    assert dense.GetNodeReference("CaLID.input") is sparse


def test_window_level_and_colours_are_those_of_the_input(makeVolume, repeatingWorker, scene):
    colours = scene.AddNewNodeByClass("vtkMRMLColorTableNode")
    sparse = makeVolume()
    display = sparse.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(321.0, 123.0)
    display.SetInterpolate(0)
    display.SetAndObserveColorNodeID(colours.GetID())

    shown = Reconstruction(sparse, 4.0, workerCommand=repeatingWorker).wait().GetDisplayNode()
    assert (shown.GetWindow(), shown.GetLevel(), shown.GetAutoWindowLevel()) == (321.0, 123.0, 0)
    assert shown.GetInterpolate() == 0
    assert shown.GetColorNode() is colours


def test_an_input_that_was_never_displayed_is_no_obstacle(makeVolume, repeatingWorker, scene):
    sparse = makeVolume()
    scene.RemoveNode(sparse.GetDisplayNode())
    dense = Reconstruction(sparse, 4.0, workerCommand=repeatingWorker).wait()
    assert dense.GetDisplayNode().GetAutoWindowLevel()


def test_mask_and_uncertainty_come_on_request(makeVolume, repeatingWorker):
    job = Reconstruction(makeVolume(), 4.0, mask=True, uncertainty=True, workerCommand=repeatingWorker)
    dense = job.wait()
    mask, uncertainty = (dense.GetNodeReference(role) for role in (Results.MASK_ROLE, Results.UNCERTAINTY_ROLE))
    assert mask.IsA("vtkMRMLLabelMapVolumeNode")
    assert voxelsOf(mask).dtype == np.uint8
    assert voxelsOf(mask)[:, 0, 0].tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert (voxelsOf(mask) == voxelsOf(mask)[:, :1, :1]).all()
    assert voxelsOf(uncertainty).dtype == np.float32
    assert (mask.GetName(), uncertainty.GetName()) == ("SAX CaLID synthesised", "SAX CaLID uncertainty")


def test_without_request_there_is_one_volume_more(makeVolume, repeatingWorker, scene):
    sparse = makeVolume()
    Reconstruction(sparse, 4.0, workerCommand=repeatingWorker).wait()
    assert scene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 2


def test_the_result_joins_the_study_of_the_input(makeVolume, repeatingWorker, scene):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def addItem(_scene, _event, node):  # in the application a plugin does so
        if node.IsA("vtkMRMLVolumeNode"):
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

    scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, addItem)
    sparse = makeVolume()
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(sparse), study)

    dense = Reconstruction(sparse, 4.0, workerCommand=repeatingWorker).wait()
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(dense))
    assert hierarchy.GetItemName(folder) == "SAX CaLID"
    assert hierarchy.GetItemParent(folder) == study


def test_a_result_that_cannot_be_added_leaves_no_node(makeVolume, repeatingWorker, scene, monkeypatch):
    sparse = makeVolume()
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)  # made on first use
    before = scene.GetNumberOfNodes()
    addVolumeLike = Results.addVolumeLike

    def failForMask(node, className, *rest):
        if className == "vtkMRMLLabelMapVolumeNode":
            raise MemoryError
        return addVolumeLike(node, className, *rest)

    monkeypatch.setattr(Results, "addVolumeLike", failForMask)
    with pytest.raises(OutOfResources):
        Reconstruction(sparse, 4.0, mask=True, workerCommand=repeatingWorker).wait()
    assert scene.GetNumberOfNodes() == before
