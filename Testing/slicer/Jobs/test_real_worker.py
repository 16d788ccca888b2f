"""The whole way: a volume node, the real worker with the bundled weights, a dense volume node."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from calid.errors import Cancelled, WeightsError
from calid.protocol import Progress, Started
from CaLIDSlicerLib.Jobs.Reconstruction import Reconstruction
from CaLIDSlicerLib.Scene.VolumeBridge import voxelsOf


def test_the_real_worker_fills_the_gaps(makeVolume):
    sparse = makeVolume()
    events: list = []
    job = Reconstruction(sparse, 4.0, events.append, uncertainty=True, mask=True, steps=2, device="cpu")
    dense = job.wait()

    assert voxelsOf(dense).dtype == np.int16
    np.testing.assert_array_equal(voxelsOf(dense)[::2], voxelsOf(sparse))
    between = (voxelsOf(sparse)[1:] + voxelsOf(sparse)[:-1]) / 2
    assert not np.array_equal(voxelsOf(dense)[1::2], between.astype(np.int16))
    spread = voxelsOf(dense.GetNodeReference("CaLID.uncertainty"))
    assert (spread[::2] == 0).all()
    assert spread[1::2].max() > 0

    assert isinstance(events[0], Started)
    assert (events[0].slices_in, events[0].slices_out) == (4, 7)
    assert [event.fraction for event in events if isinstance(event, Progress)][-1] == pytest.approx(1)
    assert json.loads(dense.GetAttribute("CaLID.acquired")) == [0, None, 1, None, 2, None, 3]
    assert int(dense.GetAttribute("CaLID.steps")) == 2
    assert dense.GetAttribute("CaLID.model") == events[0].model
    assert "not for diagnosis" in dense.GetAttribute("CaLID.intended_use")


def test_the_real_worker_makes_a_cine_dense(makeCine, sequencesLogic):
    cine = makeCine()
    phases: list[int] = []
    options = {"steps": 1, "samples": 1, "device": "cpu", "uncertainty": True}
    job = Reconstruction(cine.browser, 4.0, onPhase=lambda _job, phase: phases.append(phase), **options)
    dense = job.wait()

    assert phases == [0, 1, 2]
    assert [job.sequence.GetNthIndexValue(n) for n in phases] == ["0", "30", "60"]
    for n in phases:
        made = voxelsOf(job.sequence.GetNthDataNode(n))
        np.testing.assert_array_equal(made[::2], cine.voxels[n])
        assert (made[1::2] != made[:-1:2]).any()
        job.browser.SetSelectedItemNumber(n)
        np.testing.assert_array_equal(voxelsOf(dense), made)
    spread = dense.GetNodeReference("CaLID.uncertainty")
    assert job.browser.GetSequenceNode(spread).GetNumberOfDataNodes() == len(phases)


def test_the_same_seed_gives_the_same_volume(makeVolume):
    options = {"samples": 1, "steps": 1, "device": "cpu", "seed": 5}
    first, second = (voxelsOf(Reconstruction(makeVolume(), 4.0, **options).wait()) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_missing_weights_keep_their_type_through_the_wall(makeVolume, tmp_path):
    with pytest.raises(WeightsError) as caught:
        Reconstruction(makeVolume(), 4.0, models=str(tmp_path)).wait()
    assert str(tmp_path) in str(caught.value)
    assert caught.value.remedy


def test_the_real_worker_is_cancelled_within_two_seconds(makeVolume, jobFolders, processesNaming, scene):
    sparse = makeVolume()
    before = scene.GetNumberOfNodes()
    job = Reconstruction(sparse, 1.0, samples=50, steps=1000, device="cpu", onProgress=lambda _event: reached.append(1))
    reached: list = []
    deadline = time.monotonic() + 60
    while not reached and not job.finished:
        assert time.monotonic() < deadline
        job.poll()
        time.sleep(0.02)

    start = time.monotonic()
    job.cancel()
    assert time.monotonic() - start < 2
    assert isinstance(job.error, Cancelled)
    assert processesNaming(str(jobFolders)) == []
    assert scene.GetNumberOfNodes() == before
