"""Long axes of a study go with its stack into a reconstruction, in the phases and in the space of the stack."""

from __future__ import annotations

import json

import numpy as np
import pytest

from calid.protocol import StudyRead, ViewRead
from CaLIDSlicerLib.Dicom.Nodes import addStudy
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.NewCine import LPS_TO_RAS, browserOf

TELLING_WORKER = """
import json
import numpy as np
from calid.protocol import Failed
told = [[np.load(folder / each.voxels).tolist(), each.affine, each.thickness] for each in job.long_axes]
print(Failed("CalidError", json.dumps(told), "", 1).to_line(), flush=True)
"""
AFFINE = np.array([[0.0, 0.0, 1.0, 4.0], [1.5, 0.0, 0.0, -2.0], [0.0, 1.5, 0.0, 7.0], [0.0, 0.0, 0.0, 1.0]])
ACROSS = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 1, 3, 4)


@pytest.fixture
def studied(scene):
    """A stack of two phases with a long axis."""
    voxels = np.arange(2 * 4 * 6 * 5, dtype=np.int16).reshape(2, 4, 6, 5)
    stack = ViewRead(
        "", "short-axis cine, 4 slices x 2 phases", "", np.eye(4).tolist(), [0.0, 8.0, 16.0, 24.0], [0.0, 400.0], 6
    )
    across = ViewRead("", "long-axis cine, 1 slice x 2 phases", "4CH", AFFINE.tolist(), [0.0], [0.0, 400.0], 5)
    return addStudy([(stack, voxels), (across, ACROSS)], StudyRead(1, 1, [], "report"))


@pytest.fixture
def handedOver(makeWorker):
    """What the worker gets of long axes: voxels, affine and thickness of each."""

    def read(node, **options) -> list:
        job = Reconstruction(node, 4.0, workerCommand=makeWorker(TELLING_WORKER), **options)
        with pytest.raises(Exception, match=r"^\["):
            job.wait()
        return json.loads(str(job.error))

    return read


def test_a_long_axis_goes_with_its_stack(studied, handedOver):
    ((voxels, affine, thickness),) = handedOver(studied.volume)
    np.testing.assert_array_equal(voxels, ACROSS[:, 0])
    np.testing.assert_allclose(np.array(affine)[:, [0, 1, 3]], (LPS_TO_RAS @ AFFINE)[:, [0, 1, 3]])
    assert thickness == 5


def test_of_one_phase_it_is_that_phase(studied, handedOver):
    browserOf(studied.volume).SetSelectedItemNumber(1)
    ((voxels, _affine, _thickness),) = handedOver(studied.volume, phases="current")
    np.testing.assert_array_equal(voxels, ACROSS[1:, 0])


def test_one_that_lies_elsewhere_or_is_gone_stays_behind(studied, handedOver, scene):
    (longAxis,) = studied.longAxes
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    longAxis.SetAndObserveTransformNodeID(transform.GetID())
    assert handedOver(studied.volume) == []
    longAxis.SetAndObserveTransformNodeID(None)
    assert len(handedOver(studied.volume)) == 1
    scene.RemoveNode(longAxis)
    assert handedOver(studied.volume) == []


def test_a_stack_of_no_study_has_none(makeVolume, handedOver):
    assert handedOver(makeVolume()) == []
