"""The tutorial of the README, step by step: the sample cine, the panel, the real logic and the real worker.

What the views show is recorded instead of drawn. The cine is shorter and coarser than the sample, and slices are 5 mm
apart instead of 2 mm, so that it takes seconds.
"""

from __future__ import annotations

import sys

import numpy as np
import slicer

SPACING = 5.0


def test_the_sample_cine_is_understood(module, lib, services, makeWidget):
    lib("Scene.SampleData").addCine()
    services.logic = module.CaLIDSlicerLogic([sys.executable, "-m", "calid.worker"])
    assert makeWidget().ui.understoodLabel.text() == "8 slices, 10.0 mm apart, 6 mm thick, 12 phases, 1.6 mm in-plane"


def test_sparse_to_dense_on_a_small_sample_cine(module, lib, services, scene, makeWidget, pumpUntil):
    samples = lib("Scene.SampleData")
    sparse = samples.addCine(samples.SampleShape(phases=3, pixel=2.2, matrix=(88, 88)))  # step 1
    services.logic = module.CaLIDSlicerLogic([sys.executable, "-m", "calid.worker"])
    widget = makeWidget()
    ui = widget.ui
    shown = services.display.calls

    assert ui.understoodLabel.text() == "8 slices, 10.0 mm apart, 6 mm thick, 3 phases, 2.2 mm in-plane"  # step 2

    ui.spacingSpinBox.setValue(SPACING)  # step 3
    ui.applyButton.click()
    assert ui.applyButton.text() == "Cancel"
    pumpUntil(lambda: ui.applyButton.text() == "Apply")
    assert services.told == []
    dense = ui.resultSelector.currentNode()
    assert ui.statusLabel.text() == f"{dense.GetName()} is ready."
    made = lib("Scene.VolumeBridge").voxelsOf(dense)
    np.testing.assert_array_equal(made[::2], lib("Scene.VolumeBridge").voxelsOf(sparse))
    assert len(made) == 15

    ui.fadeSlider.setValue(30)  # step 4
    assert shown[-1] == ("showBeforeAfter", dense, 0.3)
    assert ui.beforeAfterButton.isChecked()

    assert ui.playButton.isChecked()  # step 5
    assert ui.renderingButton.isChecked()

    ui.synthesisedButton.click()  # step 6
    assert shown[-1] == ("showSynthesised", dense, True)
    ui.uncertaintyButton.click()
    assert shown[-1] == ("showUncertainty", dense, True)

    ui.selfCheckButton.click()  # step 7
    pumpUntil(lambda: ui.applyButton.text() == "Apply")
    assert services.told == []
    assert "linear interpolation on 6 of 6 slices" in ui.verdictLabel.text()
    assert shown[-1][0] == "showReport"

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)  # "To undo everything"
    folder = hierarchy.GetItemByName("CaLIDPhantomCine CaLID")
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(dense)) == folder
    hierarchy.RemoveItem(folder, True, True)
    assert scene.GetNodeByID(dense.GetID()) is None
    assert ui.resultSelector.currentNode() is None
    assert scene.GetNodeByID(sparse.GetID()) is sparse
