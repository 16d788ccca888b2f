"""A result in the scene is held against the long axes of its study, in the phases that both have."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from calid.phantom.beating_heart import Phantom
from calid.protocol import StudyRead, ViewRead
from calid.stacks.section import Section
from calid.stacks.stack import SliceStack
from CaLIDSlicerLib.Dicom.Nodes import addStudy
from CaLIDSlicerLib.Scene.NewCine import LPS_TO_RAS, addCineOf, addVolume, browserOf
from CaLIDSlicerLib.Scene.Provenance import INPUT_ROLE
from CaLIDSlicerLib.Scene.Witnesses import agreementsOf

PHANTOM = Phantom(phases=5, slices=6, gap=10.0, pixel=2.5, matrix=(64, 64), noise=0.0, dense_spacing=2.5)
TIMES = [0.0, 180.0, 360.0, 540.0, 720.0]


@pytest.fixture
def studied(scene):
    """The phantom as a study with a long axis."""
    truth = PHANTOM.dense
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = truth.frame[:3, 0] / 2.5 * 1.5, truth.frame[:3, 2] * 1.5
    affine[:3, 2] = np.cross(affine[:3, 0], affine[:3, 1]) / 1.5**2
    affine[:3, 3] = (truth.frame @ [31.5, 31.5, 25, 1])[:3] - affine[:3, :2] @ [42, 20]
    section = Section.of(truth, affine, (41, 85), 6.0)
    cuts = np.nan_to_num([section.sample(volume, truth.positions) for volume in truth.voxels])
    sparse = PHANTOM.sparse
    stack = ViewRead(
        "", "short-axis cine", "", sparse.frame.tolist(), sparse.positions.tolist(), TIMES, PHANTOM.thickness
    )
    across = ViewRead("", "long-axis cine", "4CH", affine.tolist(), [0.0], TIMES, 6.0)
    views = [(stack, sparse.voxels), (across, cuts.astype(np.int16)[:, np.newaxis])]
    return addStudy(views, StudyRead(1, 1, [], "report"))


def inRas(stack: SliceStack, times=None) -> SliceStack:
    return SliceStack(stack.voxels, LPS_TO_RAS @ stack.frame, stack.positions, times)


def named(dense, study):
    dense.SetNodeReferenceID(INPUT_ROLE, study.volume.GetID())
    return dense


def test_the_truth_agrees_better_than_linear_interpolation(studied, scene):
    truth = inRas(PHANTOM.dense, tuple(time / 1000 for time in TIMES))
    dense = named(addCineOf(truth, "dense", browserOf(studied.volume)), studied)
    (agreement,) = agreementsOf(dense)
    assert agreement.name == "4CH"
    assert agreement.after > 0.999
    assert agreement.before < agreement.after - 0.01


def test_a_single_phase_is_held_against_its_own(studied, scene):
    sequence = browserOf(studied.volume).GetMasterSequenceNode()
    found = []
    for phase in (0, 2):
        dense = named(addVolume(inRas(PHANTOM.dense.phase(2)), "dense"), studied)
        dense.SetAttribute("CaLID.phase", sequence.GetNthIndexValue(phase))
        found.append(agreementsOf(dense)[0].after)
    assert found[1] > 0.999 > found[0]


def test_without_long_axes_or_input_there_is_nothing_to_say(studied, makeVolume, scene):
    alone = makeVolume()
    assert agreementsOf(alone) == []
    other = makeVolume()
    other.SetNodeReferenceID(INPUT_ROLE, alone.GetID())
    assert agreementsOf(other) == []
    dense = named(addVolume(inRas(PHANTOM.dense.phase(2)), "dense"), studied)
    dense.SetAttribute("CaLID.phase", "12345")
    assert agreementsOf(dense) == []
    scene.RemoveNode(studied.volume)
    assert agreementsOf(dense) == []
    assert slicer.mrmlScene is scene
