"""The memory that a job needs at least, before a model is loaded or memory is asked for. Needs no PyTorch.

What is refused here would be killed by the system half-way.
"""

from __future__ import annotations

import math

from calid.errors import OutOfResources
from calid.memory import available_bytes
from calid.model.manifest import find_models, read_manifest
from calid.options import Options
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack

BASE_BYTES = 500 * 2**20
"""Python, PyTorch and the weights."""
PIXEL_BYTES = 600
"""Features of a gap on one core, in bfloat16, by pixel of the model's grid: 49 MB at 256 x 256 of 1.4 mm."""
_SUM_BYTES = 4
_GRID_BYTES = 4


def least_bytes(stack: SliceStack, plan: DensePlan, options: Options, pixel: float) -> int:
    """Of one phase: acquired and dense slices, sums, deviations, and the slices on the model's grid of ``pixel`` mm."""
    rows, columns = stack.voxels.shape[2:]
    grid = math.prod(size * mm / pixel for size, mm in zip((rows, columns), stack.pixel_spacing, strict=True))
    dense = len(plan.positions) * rows * columns * (stack.voxels.itemsize + _SUM_BYTES * (1 + options.uncertainty))
    on_grid = len(stack.positions) * grid * _GRID_BYTES
    return round(BASE_BYTES + dense + on_grid + grid * PIXEL_BYTES)


def check_memory(stack: SliceStack, plan: DensePlan, options: Options) -> None:
    """Refuse a job that cannot fit into the free memory.

    :raises OutOfResources: with both numbers.
    :raises WeightsError: if there is no model whose grid could be asked for.
    """
    pixel = float(read_manifest(find_models(options.models))["architecture"]["pixel"])
    needed, free = least_bytes(stack, plan, options, pixel), available_bytes()
    if free is not None and needed > free:
        rows, columns = stack.voxels.shape[2:]
        raise OutOfResources(
            f"{len(plan.positions)} slices of {rows} x {columns} pixels need {needed / 2**30:.3g} GB of memory at "
            f"least, and {free / 2**30:.3g} GB are free",
            f"ask for a larger spacing than {options.spacing:g} mm, or close other programs",
        )
