"""Tiles cover the grid and their weights add up to one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from calid.reconstruction.tiles import tile_weights, tile_windows

sides = st.integers(1, 40).map(lambda n: 16 * n)


@given(sides, sides, st.sampled_from([64, 192, 384]))
def test_weights_of_all_tiles_add_up_to_one_everywhere(rows, columns, tile):
    windows = tile_windows((rows, columns), tile)
    total = np.zeros((rows, columns))
    for window, weight in zip(windows, tile_weights(windows, (rows, columns)), strict=True):
        assert weight.shape == total[window].shape == (min(tile, rows), min(tile, columns))
        assert all(span.start % 16 == 0 and span.stop % 16 == 0 for span in window)
        total[window] += weight
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_a_field_of_view_that_fits_is_one_tile():
    assert tile_windows((256, 240), 768) == [(slice(0, 256), slice(0, 240))]
