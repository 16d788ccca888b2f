"""The self-check of a patient: table, plot, worst slice and verdict, and that nothing stays behind if it fails."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import slicer

from calid.errors import Cancelled, OutOfResources, UnusableInput
from calid.protocol import Progress, Started
from CaLIDSlicerLib.Scene.VolumeBridge import voxelsOf
from CaLIDSlicerLib.SelfCheck.Check import SelfCheck
from CaLIDSlicerLib.SelfCheck.Report import CheckedSlice, verdictOf

# Predicts every hidden slice by the one below it, and says it is 1 dB better than linear, but for slice 1.
CHECKING_WORKER = """
import numpy as np
from calid.protocol import Checked, Done, Progress, Started

def say(event):
    print(event.to_line(), flush=True)

assert job.task == "self-check"
voxels = np.load(folder / "input.npy")
inner = range(1, voxels.shape[1] - 1)
say(Started("fake", "cpu", 1, voxels.shape[1], voxels.shape[1]))
say(Progress(0, 1, 1, 1, 1.0, 0.0))
np.save(folder / "predicted.npy", voxels[:, :-2])
gain = {k: -0.5 if k == 1 else 1.0 for k in inner}
slices = [
    {"index": k, "gap": 16.0, "psnr": 20.0 + k + gain[k], "ssim": 0.8, "linear_psnr": 20.0 + k, "linear_ssim": 0.7}
    for k in inner
]
say(Checked(slices, "predicted.npy", 8.0))
say(Done(job.positions, list(range(voxels.shape[1])), {"model": "fake", "seed": job.options.seed}))
"""


@pytest.fixture
def checkingWorker(makeWorker):
    return makeWorker(CHECKING_WORKER)


@pytest.fixture
def sparse(makeVolume):
    rng = np.random.default_rng(0)
    return makeVolume(rng.integers(0, 500, (6, 20, 24)).astype(np.int16), name="Patient 7")


def test_scores_are_a_table(sparse, checkingWorker):
    report = SelfCheck(sparse, seed=3, workerCommand=checkingWorker).wait()
    table = report.table
    assert [checked.index for checked in report.slices] == [1, 2, 3, 4]
    assert slicer.util.arrayFromTableColumn(table, "slice").tolist() == [2, 3, 4, 5]
    assert slicer.util.arrayFromTableColumn(table, "at (mm)").tolist() == [8, 16, 24, 32]
    assert slicer.util.arrayFromTableColumn(table, "PSNR model (dB)").tolist() == [20.5, 23, 24, 25]
    assert slicer.util.arrayFromTableColumn(table, "PSNR linear (dB)").tolist() == [21, 22, 23, 24]
    assert slicer.util.arrayFromTableColumn(table, "SSIM model").tolist() == [0.8] * 4
    assert slicer.util.arrayFromTableColumn(table, "SSIM linear").tolist() == [0.7] * 4
    assert (table.GetAttribute("CaLID.model"), table.GetAttribute("CaLID.seed")) == ("fake", "3")
    assert table.GetNodeReference("CaLID.input") is sparse


def test_the_table_reads_like_one(sparse, makeWorker):
    worker = makeWorker(CHECKING_WORKER.replace("20.0 + k + gain[k]", "20 + k / 7"))
    table = SelfCheck(sparse, workerCommand=worker).wait().table
    assert table.GetUseColumnTitleAsColumnHeader()
    assert table.GetLocked()
    assert slicer.util.arrayFromTableColumn(table, "PSNR model (dB)").tolist() == [20.143, 20.286, 20.429, 20.571]


def test_model_and_linear_are_a_plot(sparse, checkingWorker):
    report = SelfCheck(sparse, workerCommand=checkingWorker).wait()
    series = [report.plot.GetNthPlotSeriesNode(n) for n in range(report.plot.GetNumberOfPlotSeriesNodes())]
    assert [one.GetYColumnName() for one in series] == ["PSNR model (dB)", "PSNR linear (dB)"]
    assert {one.GetXColumnName() for one in series} == {"slice"}
    assert {one.GetTableNode() for one in series} == {report.table}
    assert "PSNR" in report.plot.GetYAxisTitle()
    assert report.plot.GetTitle() == "Hidden slices, predicted"


def test_the_plot_leaves_room_for_its_legend_and_shows_the_first_and_last_slice_whole(sparse, checkingWorker):
    plot = SelfCheck(sparse, workerCommand=checkingWorker).wait().plot
    assert plot.GetXAxisRange() == (1.5, 5.5)
    low, high = plot.GetYAxisRange()
    assert low < 20.5
    assert high - 25 > 0.25 * (high - low)


def test_the_worst_slice_is_pictured_at_its_place_in_one_grey_scale(sparse, checkingWorker):
    report = SelfCheck(sparse, workerCommand=checkingWorker).wait()
    acquired, predicted, linear = report.picture
    voxels = voxelsOf(sparse)
    assert report.worst == 1
    np.testing.assert_array_equal(voxelsOf(acquired)[0], voxels[1])
    np.testing.assert_array_equal(voxelsOf(predicted)[0], voxels[0])
    np.testing.assert_array_equal(voxelsOf(linear)[0], np.round((voxels[0] + voxels[2]) / 2).astype(np.int16))
    bounds = [0.0] * 6
    acquired.GetRASBounds(bounds)
    assert (bounds[4] + bounds[5]) / 2 == pytest.approx(8)
    windows = {(n.GetDisplayNode().GetWindow(), n.GetDisplayNode().GetLevel()) for n in report.picture}
    assert len(windows) == 1
    assert not any(n.GetDisplayNode().GetAutoWindowLevel() for n in report.picture)


def test_all_results_are_in_one_folder(sparse, checkingWorker, scene):
    report = SelfCheck(sparse, workerCommand=checkingWorker).wait()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    series = [report.plot.GetNthPlotSeriesNode(n) for n in range(2)]
    nodes = (report.table, report.plot, *series, *report.picture)
    folders = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in nodes}
    assert [hierarchy.GetItemName(folder) for folder in folders] == ["Patient 7 CaLID self-check"]


def test_events_arrive_and_the_end_is_told_once(sparse, checkingWorker):
    events: list = []
    ends: list = []
    job = SelfCheck(sparse, events.append, ends.append, workerCommand=checkingWorker)
    job.wait()
    job.cancel()
    assert [type(event) for event in events] == [Started, Progress]
    assert ends == [job]
    assert job.error is None
    assert job.result.verdict.startswith("On this patient the model predicts hidden slices better")


def test_two_slices_are_too_few(makeVolume):
    with pytest.raises(UnusableInput, match='"two" has 2 slices') as caught:
        SelfCheck(makeVolume(np.arange(800, dtype=np.int16).reshape(2, 20, 20), name="two"))
    assert "at least 3" in caught.value.remedy


@pytest.mark.parametrize(
    "lines",
    [
        "sys.exit(3)",
        CHECKING_WORKER.replace("say(Checked", "pass; (lambda *_: 0)(Checked"),
        CHECKING_WORKER.replace("voxels[:, :-2]", "voxels[:, :-3]"),
    ],
    ids=["it dies", "it forgets the scores", "its pictures do not fit"],
)
def test_a_worker_that_fails_leaves_the_scene_as_it_was(sparse, makeWorker, scene, lines):
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)  # made on first use
    before = scene.GetNumberOfNodes()
    job = SelfCheck(sparse, workerCommand=makeWorker(lines))
    with pytest.raises(Exception) as caught:  # noqa: PT011  (each of the three has its type)
        job.wait()
    assert caught.value is job.error
    assert isinstance(job.error, OutOfResources) == ("exit(3)" in lines)
    assert job.result is None
    assert scene.GetNumberOfNodes() == before


def test_cancel_leaves_nothing(sparse, makeWorker, scene, processesNaming, jobFolders):
    job = SelfCheck(sparse, workerCommand=makeWorker("import time\ntime.sleep(60)"))
    before = scene.GetNumberOfNodes()
    job.cancel()
    assert isinstance(job.error, Cancelled)
    assert processesNaming(str(jobFolders)) == []
    assert scene.GetNumberOfNodes() == before


def test_an_input_that_is_deleted_meanwhile_ends_the_check(sparse, makeWorker, scene):
    job = SelfCheck(sparse, workerCommand=makeWorker("import time\ntime.sleep(60)"))
    scene.RemoveNode(sparse)
    job.poll()
    assert isinstance(job.error, Cancelled)
    assert "input volume" in str(job.error)


def scored(*pairs: tuple[float, float]) -> list[CheckedSlice]:
    return [CheckedSlice(k, 8.0 * k, made, 0.8, linear, 0.7) for k, (made, linear) in enumerate(pairs, start=1)]


@pytest.mark.parametrize(
    ("pairs", "comparison"),
    [
        (
            [(25, 23), (20, 19), (24, 24)],
            "the model predicts hidden slices better than linear interpolation on 2 of 3 slices (+1.0 dB on average).",
        ),
        ([(25, 23), (20, 20.5), (23, 24)], "the model is no clear gain over linear interpolation: it is better on 1"),
        (
            [(25, 24), (20, 23), (25, 24)],
            "is no clear gain over linear interpolation: it is better on 2 of 3 slices",
        ),
        (
            [(20, 22), (21, 20), (20, 22)],
            "no better than linear interpolation does: it is better on 1 of 3 slices (-1.0 dB on average). Trust its",
        ),
        ([(21, 20)], "better than linear interpolation on 1 of 1 slice (+1.0 dB on average)."),
    ],
)
def test_the_verdict_is_plain_and_honest(pairs, comparison, makeVolume):
    verdict = verdictOf(scored(*pairs), evenStack(len(pairs) + 2), makeVolume())
    assert comparison in verdict
    assert "a hidden slice leaves a gap of 16 mm, and the real gaps are half as wide (8 mm)" in verdict


@pytest.mark.parametrize(
    ("worst", "apexIsLast", "where"),
    [(1, True, "Slice 2 (near the base)"), (1, False, "Slice 2 (near the apex)"), (3, True, "Slice 4 (near the apex)")],
)
def test_the_verdict_says_where_the_worst_slice_is(worst, apexIsLast, where, makeVolume):
    scores = scored(*((15 if k == worst else 20, 18) for k in (1, 2, 3)))
    volume = makeVolume(ijkToRas=np.diag([1.4, 1.4, -8.0 if apexIsLast else 8.0, 1.0]))
    verdict = verdictOf(scores, evenStack(5), volume)
    assert f"{where} is predicted worst: treat synthesised slices next to it with caution." in verdict


def test_a_worst_slice_in_the_middle_has_no_place_name(makeVolume):
    verdict = verdictOf(scored((20, 18), (15, 18), (20, 18)), evenStack(5), makeVolume())
    assert "Slice 3 is predicted worst" in verdict


def evenStack(slices: int):
    return SimpleNamespace(positions=8.0 * np.arange(slices), gaps=np.full(slices - 1, 8.0))


def test_the_real_worker_checks_a_patient(makeVolume):
    sparse = makeVolume()
    fractions: list = []
    job = SelfCheck(
        sparse, lambda event: fractions.append(event.fraction) if isinstance(event, Progress) else None, device="cpu"
    )
    report = job.wait()
    assert fractions[-1] == pytest.approx(1)
    assert [checked.index for checked in report.slices] == [1, 2]
    assert all(0 < checked.psnr <= 100 and -1 <= checked.ssim <= 1 for checked in report.slices)
    _, predicted, linear = report.picture
    assert (voxelsOf(predicted) != voxelsOf(linear)).any()
    assert report.table.GetAttribute("CaLID.device") == "cpu"


def test_of_a_cine_the_phase_shown_is_checked(sequencesLogic, makeCine, checkingWorker):
    cine = makeCine(np.random.default_rng(1).integers(0, 500, (3, 5, 20, 24)).astype(np.int16), name="Cine")
    cine.browser.SetSelectedItemNumber(2)
    report = SelfCheck(cine.browser, workerCommand=checkingWorker).wait()
    assert [checked.index for checked in report.slices] == [1, 2, 3]
    np.testing.assert_array_equal(voxelsOf(report.picture[0])[0], cine.voxels[2, 1])
    assert report.picture[0].GetName() == "Cine slice 2 acquired"
