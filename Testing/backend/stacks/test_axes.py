"""Along which axis the slices lie, whatever their pixels, gaps and order; and k where nothing is clear."""

from __future__ import annotations

import numpy as np
import pytest

from calid.stacks.axes import LAST, inverse, slices_last


def found(sizes: tuple[float, ...], shape: tuple[int, ...], axes: tuple[int, int, int]) -> tuple[int, int, int]:
    """What is found of a usual stack (i, j, slices) whose axes were put into another order."""
    affine = np.diag([*(sizes[axis] for axis in axes), 1.0])
    return slices_last(tuple(shape[axis] for axis in axes), affine)


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0), (0, 2, 1), (1, 2, 0)])
@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ((1.4, 1.4, 8.0), (256, 216, 10)),
        ((1.3, 1.7, 9.6), (192, 144, 8)),
        ((1.0, 1.9, 8.0), (256, 128, 12)),
        ((2.0, 2.5, 10.0), (72, 64, 6)),
        ((1.4, 1.4, 8.0), (256, 216, 2)),
        ((2.5, 2.5, 3.0), (72, 64, 12)),
    ],
)
def test_slices_are_found_along_any_axis(sizes, shape, axes) -> None:
    order = found(sizes, shape, axes)
    assert axes[order[2]] == 2
    assert sorted(inverse(order)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ((1.25, 1.25, 1.25), (128, 128, 96)),  # dense
        ((8.0, 1.4, 1.4), (256, 216, 10)),  # no slice is 256 x 8 mm away: the header is odd, not the order
        ((8.0, 1.4, 3.5), (10, 216, 30)),  # no scanner has such pixels
        ((2.6, 2.5, 2.5), (30, 64, 72)),
        ((8.0, 1.4, 1.4), (1, 216, 256)),
    ],
)
def test_the_usual_order_is_kept_where_nothing_is_clear(sizes, shape) -> None:
    assert slices_last(shape, np.diag([*sizes, 1.0])) == LAST
