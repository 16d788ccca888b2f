"""What tests of running reconstructions share: looking at the scene, and a job that has come half-way."""

from __future__ import annotations

import slicer

from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction


def nodesOf(scene) -> set[str]:
    return {scene.GetNthNode(number).GetID() for number in range(scene.GetNumberOfNodes())}


def hierarchyOf(scene):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def runToStall(node, command, **options) -> Reconstruction:
    seen: list = []
    job = Reconstruction(node, 4.0, onPhase=lambda _job, n: seen.append(n), workerCommand=command, **options)
    while len(seen) < 2 and not job.finished:
        job.poll()
    assert seen == [0, 1]
    return job
