"""A worker that repeats each acquired slice, and after some phases waits or fails: what becomes of views is asked here.

PythonSlicer obedient_worker.py all|fail|wait PHASES JOB_FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from calid.protocol import Done, Job, PhaseFinished, Progress, Started
from calid.stacks.plan import plan_slices


def main(ending: str, phases: int, folder: Path) -> int:
    job, voxels = Job.read(folder), np.load(folder / "input.npy")
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


def say(event) -> None:
    print(event.to_line(), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
