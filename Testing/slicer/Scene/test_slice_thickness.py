"""How thick the slices of a node are goes into the job, and what is impossible does not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import slicer

from calid.protocol import Job
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.SampleData import SampleShape, addCine, addStill
from CaLIDSlicerLib.Scene.SliceThickness import ATTRIBUTE, thicknessOf, writeThickness

SMALL = SampleShape(phases=2, slices=3, matrix=(24, 32), pixel=6.0)
GAPS = np.array([10.0, 10.0])


def jobOf(node) -> Job:
    """What is handed to the worker."""
    job = Reconstruction(node, 5.0, workerCommand=["true"])
    try:
        while next(job._writing, "over") != "over":
            pass
        return Job.read(job._folder.path)
    finally:
        job.cancel()


@pytest.mark.parametrize("add", [addCine, addStill])
def test_the_job_says_how_thick_the_slices_are(scene, add):
    assert jobOf(add(SMALL)).thickness == 6


def test_a_node_that_says_nothing_leaves_it_open(scene):
    volume = addStill(SMALL)
    writeThickness(volume, None)
    assert volume.GetAttribute(ATTRIBUTE) is None
    assert jobOf(volume).thickness is None


@pytest.mark.parametrize("said", ["", "thick", "nan", "0", "-8", "30.1"])
def test_what_cannot_be_a_thickness_is_not_believed(scene, said):
    volume = addStill(SMALL)
    volume.SetAttribute(ATTRIBUTE, said)
    assert thicknessOf(GAPS, volume) is None


def test_a_volume_from_the_dicom_database_has_the_thickness_of_its_files(scene, monkeypatch):
    volume = addStill(SMALL)
    writeThickness(volume, None)
    volume.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    asked = []

    def instanceValue(uid, tag):
        asked.append((uid, tag))
        return "7.5"

    database = SimpleNamespace(isOpen=True, instanceValue=instanceValue)
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    assert thicknessOf(GAPS, volume) == 7.5
    assert asked == [("1.2.3", "0018,0050")]
    monkeypatch.setattr(slicer, "dicomDatabase", SimpleNamespace(isOpen=False), raising=False)
    assert thicknessOf(GAPS, volume) is None
