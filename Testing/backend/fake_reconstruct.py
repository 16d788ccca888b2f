"""A stand-in for ``calid.reconstruct``, and a script that runs the worker or the command line with it.

python fake_reconstruct.py BEHAVIOUR worker JOBDIR
python fake_reconstruct.py BEHAVIOUR cli reconstruct IN OUT ...
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from calid import cli
from calid.errors import WeightsError
from calid.options import Options
from calid.protocol import Progress, Started, Warned
from calid.stacks.plan import plan_slices
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import choose_thickness
from calid.worker import run as worker


def succeed() -> None:
    """Nothing goes wrong."""


def chatter() -> None:
    print("a library prints")
    os.write(1, b"a C library prints\n")
    os.system("echo a child prints")


def wait() -> None:
    time.sleep(60)


def exhaust_python() -> None:
    raise MemoryError


def exhaust_cuda() -> None:
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee documentation")


def exhaust_cpu() -> None:
    raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")


def lose_weights() -> None:
    raise WeightsError("vae.safetensors is missing", "reinstall the extension")


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/scratch.bin")


def crash() -> None:
    raise ZeroDivisionError("division by zero\nsecond line")


def reconstruct(
    stack: SliceStack,
    *,
    options: Options,
    long_axes: Sequence[Any] = (),
    progress: Callable[[Any], None],
    behave: Callable[[], None] = succeed,
    on_phase: Callable[..., None] = lambda *result: None,
    gather: bool = True,
) -> SimpleNamespace:
    """Repeat the slice below every missing one."""
    plan = plan_slices(stack.positions, options.spacing)
    phases = len(stack.voxels)
    thickness = choose_thickness(stack, options.thickness)
    counts = phases, len(stack.positions), len(plan.positions)
    progress(Started("fake", "cpu", *counts, thickness.mm, thickness.source))
    progress(Warned("this is a fake"))
    source = [0]
    for index in plan.acquired[1:]:
        source.append(source[-1] if index is None else index)
    dense = SliceStack(stack.voxels[:, source], stack.frame, plan.positions, stack.times)
    spread = (
        np.broadcast_to(plan.synthesised[:, None, None] * np.float32(3), dense.voxels.shape)
        if options.uncertainty
        else None
    )
    for phase in range(phases):
        progress(Progress(phase, phases, 1, 1, (phase + 1) / phases, 0.0))
        behave()
        on_phase(phase, dense.voxels[phase], None if spread is None else spread[phase])
    if not gather:
        dense, spread = replace(dense, voxels=dense.voxels[:0], times=None), None
    made = plan.for_choice(options.acquired)
    provenance = {
        "model": "fake",
        "long_axes": len(long_axes),
        **{name: value for name, value in asdict(options).items() if name != "models"},
    }
    return SimpleNamespace(stack=dense, uncertainty=spread, synthesised=made.synthesised, provenance=provenance)


if __name__ == "__main__":
    behaviour, program, *arguments = sys.argv[1:]
    main = {"worker": worker.main, "cli": cli.main}[program]
    sys.exit(main(arguments, partial(reconstruct, behave=globals()[behaviour])))
