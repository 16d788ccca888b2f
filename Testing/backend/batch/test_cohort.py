"""A run on one worker: what it leaves, what a resumed one does, what it refuses, and what it survives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

import calid
from calid.errors import UnusableInput, WeightsError
from calid.options import Options


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_every_case_has_a_row_and_a_folder_and_a_broken_one_stops_nobody(small_cohort):
    cohort = small_cohort("a b.nii.gz", "broken.nii.gz", "ünïcode/z.nrrd")
    assert [outcome.status for outcome in cohort.run()] == ["done", "failed", "done"]
    table = cohort.table
    assert {name: row["status"] for name, row in table.items()} == {
        "a b.nii.gz": "done",
        "broken.nii.gz": "failed",
        "ünïcode/z.nrrd": "done",
    }
    good, broken = table["a b.nii.gz"], table["broken.nii.gz"]
    assert (good["slices"], good["slices_dense"], good["gap_mm"]) == ("4", "7", "8.0")
    assert "this is a fake" in good["warnings"]
    assert broken["error"] == "UnusableInput"
    assert broken["remedy"] != "n/a"
    folders = {name: files_of(cohort.out / row["participant_id"]) for name, row in table.items()}
    assert folders["a b.nii.gz"] == {"dense.nii.gz", "before_after.jpg", "log.txt", "done.json"}
    assert folders["ünïcode/z.nrrd"] == {"dense.nrrd", "before_after.jpg", "log.txt", "done.json"}
    assert folders["broken.nii.gz"] == {"failed.json", "log.txt"}
    sparse, dense = (
        calid.read_stack(path) for path in (cohort.top / "a b.nii.gz", cohort.out / "sub-00001/dense.nii.gz")
    )
    np.testing.assert_array_equal(dense.voxels[:, ::2], sparse.voxels)
    described = json.loads((cohort.out / "dataset_description.json").read_text(encoding="utf-8"))
    assert described["DatasetType"] == "derivative"
    assert set(json.loads((cohort.out / "participants.json").read_text(encoding="utf-8"))) == set(good)
    last = json.loads((cohort.out / "runs.json").read_text(encoding="utf-8"))["runs"][-1]
    assert (last["how"], last["cases"]) == ("finished", {"done": 2, "failed": 1})


def test_names_stay_in_the_key_unless_they_are_to_be_kept(small_cohort, tmp_path):
    cohort = small_cohort("Roe_Richard/broken_Roe.nii.gz", "Roe_Richard.nrrd")
    cohort.run()
    told = [path for path in cohort.out.rglob("*") if path.is_file() and "Roe" in path.read_text(errors="replace")]
    assert [path.name for path in told] == ["key.csv"]
    cohort.out = tmp_path / "named"
    cohort.run(keep_ids=True)
    assert set(os.listdir(cohort.out)) >= {"sub-RoeRichard", "sub-RoeRichardbrokenRoe"}
    assert "broken_Roe.nii.gz" in cohort.table["Roe_Richard/broken_Roe.nii.gz"]["message"]


def test_a_resumed_run_makes_only_what_is_missing(small_cohort):
    cohort = small_cohort("a.nii", "b.nii", "broken.nii")
    cohort.run()
    assert cohort.begun == ["a.nii", "b.nii", "broken.nii"]
    cohort.run(resume=True)
    assert cohort.begun == ["broken.nii"]
    cohort.add("c.nii")
    (cohort.out / "sub-00001" / "dense.nii.gz").unlink()
    cohort.run(resume=True)
    assert cohort.begun == ["a.nii", "broken.nii", "c.nii"]
    assert {row["status"] for name, row in cohort.table.items() if "broken" not in name} == {"done"}
    assert len(json.loads((cohort.out / "runs.json").read_text(encoding="utf-8"))["runs"]) == 3


@pytest.mark.parametrize("chosen", [{"seed": 5}, {"spacing": 2.0}, {"acquired": "thin"}])
def test_another_option_is_another_result(small_cohort, chosen):
    cohort = small_cohort("a.nii")
    cohort.run()
    cohort.run(options=Options(**{"spacing": 4.0, **chosen}), resume=True)
    assert cohort.begun == ["a.nii", "a.nii"]


def test_the_same_content_is_the_same_case_and_another_one_is_not(small_cohort):
    cohort = small_cohort("a.nii", "b.nii")
    cohort.run()
    assert len(cohort.begun) == 2
    os.utime(cohort.top / "a.nii", (1, 1))
    shutil.copy(cohort.top / "b.nii", cohort.top / "keep")
    content = bytearray((cohort.top / "b.nii").read_bytes())
    content[-1] ^= 1
    (cohort.top / "b.nii").write_bytes(content)
    cohort.run(resume=True)
    assert cohort.begun == ["b.nii"]


def test_overwriting_makes_all_of_it_again(small_cohort):
    cohort = small_cohort("a.nii", "b.nii")
    cohort.run()
    with pytest.raises(UnusableInput, match="holds an earlier run") as caught:
        cohort.run()
    assert "--resume" in caught.value.remedy
    cohort.run(overwrite=True)
    assert cohort.begun == ["a.nii", "b.nii"] * 2


def test_a_folder_with_other_files_is_refused(small_cohort):
    cohort = small_cohort("a.nii")
    cohort.out.mkdir()
    (cohort.out / "thesis.txt").write_text("years of work")
    for chosen in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(UnusableInput, match="holds other files"):
            cohort.run(**chosen)
    assert files_of(cohort.out) == {"thesis.txt"}


def test_the_input_as_output_is_refused(small_cohort):
    cohort = small_cohort("a.nii")
    cohort.out = cohort.top
    with pytest.raises(UnusableInput):
        cohort.run(overwrite=True)
    assert files_of(cohort.top) == {"a.nii"}


def test_two_runs_into_one_folder_at_once_are_refused(small_cohort):
    cohort = small_cohort("a.nii")
    cohort.run()
    with FileLock(cohort.out / ".lock"), pytest.raises(UnusableInput, match="another run writes into it"):
        cohort.run(resume=True)


def test_what_a_case_does_hurts_that_case_only(small_cohort):
    cohort = small_cohort("a.nii", "crash.nii", "defect.nii", "full.nii", "hang.nii", "hog.nii", "unlucky.nii", "z.nii")
    cohort.run(cohort.manner(seconds=4.0, bytes=350 << 20, retries=1))
    rows = {name.removesuffix(".nii"): row for name, row in cohort.table.items()}
    done = {name for name, row in rows.items() if row["status"] == "done"}
    assert done == {"a", "unlucky", "z"}
    assert rows["unlucky"]["attempts"] == rows["crash"]["attempts"] == "2"
    assert "SIGKILL" in rows["crash"]["message"]
    assert rows["defect"]["message"] == "ZeroDivisionError: division by zero"
    assert rows["full"]["error"] == rows["hog"]["error"] == "OutOfResources"
    assert "more than 4 s" in rows["hang"]["message"]
    assert "GB of memory" in rows["hog"]["message"]
    assert ".calid-" not in rows["full"]["message"] + rows["full"]["remedy"]
    assert files_of(cohort.out / rows["full"]["participant_id"]) == {"failed.json", "log.txt"}
    assert "Traceback" in (cohort.out / rows["defect"]["participant_id"] / "log.txt").read_text(encoding="utf-8")
    assert [name for name in os.listdir(cohort.out) if name.startswith(".calid")] == []
    assert all(
        (cohort.out / row["participant_id"] / "failed.json").exists() for n, row in rows.items() if n not in done
    )


def test_a_worker_with_other_weights_refuses(small_cohort, tiny_models, monkeypatch):
    cohort = small_cohort("a.nii")
    monkeypatch.setattr("calid.batch.cohort.weights_of", lambda wanted: {"other": {}})
    (outcome,) = cohort.run()
    assert (outcome.kind, outcome.error.split(" or ")[0]) == ("WeightsError", "this worker has other weights")


def test_weights_that_are_missing_are_told_before_anything_is_written(small_cohort, tmp_path):
    cohort = small_cohort("a.nii")
    with pytest.raises(WeightsError):
        cohort.run(options=Options(models=tmp_path))
    assert not cohort.out.exists()


def interrupted(cohort, after: int) -> subprocess.Popen:
    """A run in a process of its own, which is told to end after some cases are published."""
    code = (
        "import sys; from pathlib import Path; from calid.batch import cohort; from calid.batch.case import Wanted;"
        "from calid.options import Options; top, out, *command = sys.argv[1:];"
        "cohort.run(Path(top), Path(out), Wanted(Options(spacing=4.0)), cohort.Choice(resume=True),"
        "cohort.Manner(workers=1, threads=1, command=command))"
    )
    command = [sys.executable, "-c", code, cohort.top, cohort.out, *cohort.manner().command]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
    while len(list(cohort.out.glob("sub-*"))) < after:
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_an_interrupted_run_leaves_nothing_half_written_and_is_resumed(small_cohort, how):
    cohort = small_cohort(*(f"sleep{n}.nii" for n in range(6)))
    process = interrupted(cohort, after=2)
    getattr(process, how)()
    process.wait()
    finished = {path.parent.name for path in cohort.out.glob("sub-*/done.json")}
    assert {path.name for path in cohort.out.glob("sub-*")} == finished
    first = cohort.begun
    time.sleep(1)  # the worker of a killed run ends by itself
    cohort.run(resume=True)
    assert len(cohort.begun) == 6 - len(finished)
    assert len(first) < 6
    assert {row["status"] for row in cohort.table.values()} == {"done"}
    assert [name for name in os.listdir(cohort.out) if name.startswith(".calid")] == []


def test_results_may_lie_on_another_file_system(small_cohort):
    shared = Path("/dev/shm")
    if not shared.is_dir():
        pytest.skip("needs a second file system")
    cohort = small_cohort("a.nii")
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        cohort.out = Path(folder) / "out"
        assert [outcome.status for outcome in cohort.run()] == ["done"]
        cohort.run(resume=True)
    assert cohort.begun == ["a.nii"]
