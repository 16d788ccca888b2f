"""A cohort of 200 mixed cases under fire: ``make test-cohort``, or ``python drill.py FOLDER [--cases N]``.

Stacks, cines and DICOM studies of the phantom, ten of them broken, are reconstructed by ``calid batch`` on two workers.
Processes of the workers are killed at random, the run is interrupted twice and resumed; in the end the table has to be
exactly right, and results have to be those of a quiet run of one case at a time.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "dicom"))  # for the scanner
from scanner import save, shoot, uid

import calid
from calid.errors import ExitCode
from calid.phantom.beating_heart import Phantom

BROKEN = 10
SPACING = 5.0
CHECKED = 6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--kill-every", type=float, default=10.0, metavar="S")
    args = parser.parse_args()
    top, out = args.folder / "in", args.folder / "out"
    expected = make_cohort(top, args.cases)
    chance = random.Random(0)
    killed = 0
    for until in (args.cases / 3, args.cases / 1.5, math.inf):
        killed += run(top, out, until, args.kill_every, chance)
    check(top, out, expected)
    print(f"{args.cases} cases, {BROKEN} of them broken, 2 interrupts, {killed} processes killed: the table is right")
    return 0


def make_cohort(top: Path, cases: int) -> dict[str, str]:
    """Write the cases; returns the status that each has to have in the end, by its name."""
    expected = {}
    for n in range(cases - BROKEN):
        phases = 1 + n % 3
        stack = Phantom(phases=phases, slices=4, gap=10.0, pixel=4.0, matrix=(36, 32), seed=n).sparse
        kind = n % 4
        name = (f"site a/p{n:03}.nii.gz", f"cines/ü{n:03}.seq.nrrd", f"dicom/{n:03}", f"p{n:03}/stack.mha")[kind]
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == 2:
            whole = Phantom(phases=8, slices=4, gap=10.0, pixel=4.0, matrix=(36, 32), seed=n).sparse
            shots = shoot(whole, 1, each_its_own=n % 8 == 2, StudyInstanceUID=uid("study", n))
            for k in range(2):
                save(shots[k::2], path / f"series {k}", f"IM{k}")
        else:
            calid.write_stack(stack, path)
        expected[name] = "done"
    for name, content in broken(top):
        path = top / "broken" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        expected[(path.parent if path.suffix == ".dcm" else path).relative_to(top).as_posix()] = "failed"
    return expected


def broken(top: Path) -> list[tuple[str, bytes]]:
    good = next(top.rglob("*.nii.gz")).read_bytes()
    nrrd = next(top.rglob("*.seq.nrrd")).read_bytes()
    return [
        ("empty.nii.gz", b""),
        ("cut short.nii.gz", good[: len(good) // 2]),
        ("text.nrrd", b"a letter"),
        ("cut short.seq.nrrd", nrrd[: len(nrrd) - 200]),
        ("header.mha", b"ObjectType = Image\n"),
        ("noise.nii", bytes(range(256)) * 8),
        ("no archive.zip", b"PK but not so"),
        ("study one/a.dcm", b"no DICOM"),
        ("study two/b.dcm", b"\0" * 128 + b"DICM" + b"rubbish"),
        ("empty.mha", b""),
    ]


def run(top: Path, out: Path, until: float, kill_every: float, chance: random.Random) -> int:
    """Run and kill until so many cases are published, then interrupt; returns how many processes were killed."""
    command = [sys.executable, "-m", "calid", "batch", str(top), str(out), "--resume", "--workers", "2"]
    command += ["--threads", "1", "--device", "cpu", "--spacing", str(SPACING), "--retries", "20"]
    process = subprocess.Popen(command)
    killed, next_kill = 0, time.monotonic() + kill_every
    while process.poll() is None:
        time.sleep(0.2)
        if time.monotonic() > next_kill:
            killed += kill_one(process.pid, out, chance)
            next_kill = time.monotonic() + kill_every
        if len(list(out.glob("sub-*"))) >= until:
            process.send_signal(signal.SIGINT)
            assert process.wait() == ExitCode.CANCELLED, process.returncode
            print(f"interrupted with {len(list(out.glob('sub-*')))} cases published", flush=True)
            assert list(out.glob(".calid-*")) == []
            return killed
    assert process.returncode == ExitCode.PARTIAL, process.returncode
    return killed


def kill_one(process: int, out: Path, chance: random.Random) -> int:
    """Kill a Dask worker or a process below one, whichever chance says."""
    if not list(out.glob("sub-*")):  # they are not started yet
        return 0
    words = chance.choice(["spawn_main", "calid.batch.child"])
    with suppress(psutil.Error):
        below = psutil.Process(process).children(recursive=True)
        victims = [each for each in below if words in " ".join(each.cmdline())]
        chance.choice(victims).kill()
        return 1
    return 0


def check(top: Path, out: Path, expected: dict[str, str]) -> None:
    """Raise ``AssertionError`` unless the table and the results are right."""
    with (out / "key.csv").open(encoding="utf-8", newline="") as file:
        names = {f"sub-{row['id']}": row["input"] for row in csv.DictReader(file)}
    with (out / "participants.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = {names[row["participant_id"]]: row for row in rows}
    assert len(found) == len(rows) == len(expected)
    wrong = {name: row for name, row in found.items() if row["status"] != expected[name]}
    assert not wrong, wrong
    kinds = Counter(row["error"] for row in rows if row["status"] == "failed")
    assert kinds == {"UnusableInput": BROKEN}, kinds
    done = [row for row in rows if row["status"] == "done"]
    for row in done[:: len(done) // CHECKED]:
        quiet = calid.reconstruct(calid.read_stack(top / names[row["participant_id"]]), spacing=SPACING, device="cpu")
        made = calid.read_stack(next((out / row["participant_id"]).glob("dense*")))
        np.testing.assert_array_equal(made.voxels, quiet.stack.voxels)
        assert int(row["slices_dense"]) == made.voxels.shape[1]
    assert list(out.glob(".calid-*")) == []


if __name__ == "__main__":
    sys.exit(main())
