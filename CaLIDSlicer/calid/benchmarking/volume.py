"""A volume as a user gets it: the whole command in a process of its own, and the same work with the model loaded."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import calid
from calid.benchmarking.settings import Job
from calid.errors import CalidError
from calid.files.writing import write_stack
from calid.model.weights import CalidModel
from calid.protocol import Done, Event, Started, parse_event
from calid.reconstruction.gaps import Wanted, fill_gaps
from calid.reconstruction.reconstruct import choose_sampling
from calid.stacks.thickness import choose_thickness


def time_command(job: Job, device: str) -> dict[str, Any]:
    """``calid reconstruct`` from start to exit, in seconds, and its largest resident memory in bytes.

    Start-up ends when the model is loaded: interpreter, imports, reading the input, verifying and loading the weights.

    :raises CalidError: if the command fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, wanted = Path(folder) / "sparse.nrrd", Path(folder) / "dense.nrrd"
        write_stack(job.stack, given)
        options = ["--spacing", str(job.spacing), "--device", device, "--progress", "json"]
        started = time.perf_counter()
        heard, exit_code = _run(["reconstruct", str(given), str(wanted), *options])
        total = time.perf_counter() - started
    loaded = [when for when, event in heard if isinstance(event, Started)]
    done = [event for _, event in heard if isinstance(event, Done)]
    if exit_code or not loaded or not done:
        raise CalidError(f"calid reconstruct ended with exit code {exit_code}", "run it by itself to see why")
    start_up = loaded[0] - started
    return {
        "start_up_s": start_up,
        "compute_s": total - start_up,
        "total_s": total,
        "peak_memory_bytes": done[0].peak_memory_bytes,
    }


def _run(arguments: list[str]) -> tuple[list[tuple[float, Event]], int]:
    """The events of a ``calid`` command with the time at which each was heard, and its exit code."""
    package = str(Path(calid.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}
    heard = []
    command = [sys.executable, "-m", "calid", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        for line in child.stdout or ():
            event = parse_event(line)
            if event is not None:
                heard.append((time.perf_counter(), event))
    return heard, child.returncode


def time_loaded(model: CalidModel, job: Job, repeats: int) -> dict[str, Any]:
    """The same volume with the model loaded: seconds of the fastest of ``repeats``, per missing slice too."""
    device, stack, plan = model.device, job.stack, job.plan
    sampling, wanted = choose_sampling(model), Wanted(choose_thickness(stack).mm)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        fill_gaps(stack, plan, model, sampling, wanted, lambda phase, dense, uncertainty: None)
        seconds.append(time.perf_counter() - started)
    return {
        "matrix": job.matrix,
        "slices": job.slices,
        "phases": job.phases,
        "spacing_mm": job.spacing,
        "missing": job.missing,
        "compute_s": min(seconds),
        "per_slice_s": min(seconds) / job.missing,
        "device_memory_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
    }
