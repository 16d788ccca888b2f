"""The memory that a job needs at least, before a model is loaded or memory is asked for. Needs no PyTorch.

Of :mod:`docs/BENCHMARK.md`: 560 MB for Python, PyTorch and the weights, and 1.8 kB of features for each pixel of the
model's grid in one tile. What is refused here would be killed by the system half-way.
"""

from __future__ import annotations

import math

from calid.errors import OutOfResources
from calid.memory import available_bytes
from calid.model.manifest import find_models, read_manifest
from calid.options import Options
from calid.stacks.plan import DensePlan
from calid.stacks.stack import SliceStack

_BASE_BYTES = 560 * 2**20
_PIXEL_BYTES = 1800
_SMALLEST_TILE = 192
"""Side of the tiles that are left when memory runs out, :data:`calid.reconstruction.tiles.TILE_PIXELS`."""
_SUM_BYTES = 4
_GRID_BYTES = 4


def least_bytes(stack: SliceStack, plan: DensePlan, options: Options, pixel: float) -> int:
    """Of one phase: acquired and dense slices, sums, deviations, and the slices on the model's grid of ``pixel`` mm."""
    rows, columns = stack.voxels.shape[2:]
    grid = math.prod(size * mm / pixel for size, mm in zip((rows, columns), stack.pixel_spacing, strict=True))
    dense = len(plan.positions) * rows * columns * (stack.voxels.itemsize + _SUM_BYTES * (1 + options.uncertainty))
    on_grid = len(stack.positions) * grid * _GRID_BYTES
    return round(_BASE_BYTES + dense + on_grid + min(grid, _SMALLEST_TILE**2) * _PIXEL_BYTES)


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
