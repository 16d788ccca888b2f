"""How long it takes to measure a heart that was made dense before."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from calid.benchmarking.settings import HeartSize
from calid.errors import StackWarning
from calid.measurement.measure import measure
from calid.options import Options
from calid.phantom.beating_heart import Phantom


def time_heart(size: HeartSize, device: str) -> dict[str, Any]:
    """Seconds to label and measure a dense cine, its model loaded and its labels included.

    A few phases are shown again and again, for a phantom takes its time to be drawn.
    """
    side = (size.matrix, size.matrix)
    phantom = Phantom(phases=size.drawn, slices=size.slices, gap=size.gap, thickness=size.gap, matrix=side).sparse
    cine = replace(phantom, voxels=np.resize(phantom.voxels, (size.phases, *phantom.voxels.shape[1:])), times=None)
    acquired = [k // size.every if k % size.every == 0 else None for k in range(size.slices)]
    started, worked = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StackWarning)
        measure(cine, acquired=acquired, labels=True, options=Options(device=device))
    return {
        "slices": size.slices,
        "phases": size.phases,
        "matrix": size.matrix,
        "measure_s": time.perf_counter() - started,
        "processor_s": time.process_time() - worked,
    }
