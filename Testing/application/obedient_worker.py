"""A worker that repeats each acquired slice, and after some phases waits or fails: what becomes of views is asked here.

Asked to measure, it labels a heart of rings that beats.

PythonSlicer obedient_worker.py all|fail|wait PHASES JOB_FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from calid.protocol import MEASURE, Done, Job, Measured, PhaseFinished, Progress, Started
from calid.stacks.plan import plan_slices


def main(ending: str, phases: int, folder: Path) -> int:
    job, voxels = Job.read(folder), np.load(folder / "input.npy")
    if job.task == MEASURE:
        return measure(ending, phases, folder, job, voxels)
    plan = plan_slices(job.positions, job.options.spacing)
    below = np.maximum.accumulate([-1 if k is None else k for k in plan.acquired])
    say(Started("repeat", "cpu", len(voxels), voxels.shape[1], len(plan.positions)))
    for number in range(len(voxels)):
        if ending != "all" and number == phases:
            if ending == "wait":
                time.sleep(600)
            return 1
        dense, spread = f"dense_{number:03d}.npy", f"uncertainty_{number:03d}.npy"
        np.save(folder / dense, voxels[number][below])
        unsure = np.random.default_rng(number).uniform(0, 50, voxels[number][below].shape)
        np.save(folder / spread, unsure.astype(np.float32))
        say(Progress(number, len(voxels), 1, 1, (number + 1) / len(voxels), 0.0))
        say(PhaseFinished(number, dense, spread if job.options.uncertainty else None))
    say(Done(plan.positions.tolist(), plan.acquired, {"model": "repeat", "seed": job.options.seed}))
    return 0


def measure(ending: str, phases: int, folder: Path, job: Job, voxels: np.ndarray) -> int:
    labels = np.stack([rings(voxels.shape[1:], number / len(voxels)) for number in range(len(voxels))])
    for number, drawn in zip(job.heart.drawn, np.load(folder / "drawn.npy") if job.heart.drawn else (), strict=True):
        labels[number] = drawn
    for number in range(len(voxels)):
        if ending == "wait" and number == phases:
            time.sleep(600)
        say(Progress(number, len(voxels), number + 1, len(voxels), (number + 1) / len(voxels), 0.0))
    np.save(folder / "labels.npy", labels)
    counts = {
        name: [float((one == value).sum()) for one in labels] for value, name in ((3, "lv"), (2, "wall"), (1, "rv"))
    }
    sides = {name: {"edv_ml": max(counts[name]), "ef_percent": 50.0} for name in ("lv", "rv")}
    numbers = {
        **sides,
        "intervals": {"lv": {}, "rv": {}},
        "phases": {f"{name}_ml": values for name, values in counts.items()},
        "notes": [f"Drawn: {job.heart.drawn}."] if job.heart.drawn else [],
    }
    say(Measured(numbers, [["left ventricle", "EF", "50.0", "%", "", ""]], "labels.npy", job.positions, None))
    say(Done(job.positions, list(range(len(job.positions))), {"labels": "rings"}))
    return 0


def rings(shape: tuple[int, ...], time_: float) -> np.ndarray:
    """Labels of two cylinders side by side, the left one with a wall, that are smallest in the middle of the beat."""
    _slices, rows, columns = shape
    j, i = np.indices((rows, columns))
    radius = rows * (0.12 + 0.04 * np.cos(2 * np.pi * time_))
    left, right = (np.hypot(j - rows / 2, i - columns * at) for at in (0.6, 0.35))
    plane = np.select([left < radius, left < radius + rows * 0.06, right < radius], [3, 2, 1], 0)
    labels = np.broadcast_to(plane, shape).astype(np.uint8)
    labels[[0, -1]] = 0
    return labels


def say(event) -> None:
    print(event.to_line(), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
