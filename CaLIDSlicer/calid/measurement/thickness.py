"""Wall thickness in three dimensions: the length of the field lines from the inside of the wall to its outside.

Laplace's equation in the wall, 0 inside and 1 outside; its gradient lines cross no other, and their length is had
without tracing them from two first-order equations (A. Yezzi and J. Prince, IEEE TMI 22(10), 2003). Measured in single
slices, a wall that is oblique to them, as at the apex, seems thicker than it is.
"""

from __future__ import annotations

import numpy as np

from calid.measurement.wall import CUT, INSIDE, OUTSIDE, Wall

_TOLERANCE = 1e-4
_MOST_ITERATIONS = 500
_MOST_SWEEPS = 200
_SETTLED_MM = 0.01


def wall_thickness(wall: Wall) -> tuple[np.ndarray, np.ndarray]:
    """Thickness in mm at each voxel of a wall (n,), and how far through the wall it lies, 0 to 1 (n,)."""
    depth = _potential(wall)
    along = _directions(wall, depth)
    return _lengths(wall, along, INSIDE) + _lengths(wall, -along, OUTSIDE), depth


def _potential(wall: Wall) -> np.ndarray:
    """The harmonic function that is 0 inside and 1 outside, (n,), by conjugate gradients.

    A border between voxels is taken at its own distance, in the symmetric form of F. Gibou et al., Journal of
    Computational Physics 176(1), 2002; nothing flows through a cut.
    """
    weights = np.where(wall.beside == CUT, 0, 1 / (wall.steps * wall.spacing[:, None]))
    diagonal = weights.sum(axis=(1, 2))
    within = wall.beside >= 0
    shared = np.where(within, weights, 0)
    neighbour = np.where(within, wall.beside, 0)

    def applied(x: np.ndarray) -> np.ndarray:
        return diagonal * x - (shared * x[neighbour]).sum(axis=(1, 2))

    right = np.where(wall.beside == OUTSIDE, weights, 0).sum(axis=(1, 2))
    depth = np.full(len(right), 0.5)
    residual = right - applied(depth)
    eased = residual / diagonal
    search, power = eased.copy(), residual @ eased
    enough = _TOLERANCE**2 * max(power, 1e-30)
    for _ in range(_MOST_ITERATIONS):
        if power <= enough:
            break
        image = applied(search)
        step = power / (search @ image)
        depth += step * search
        residual -= step * image
        eased = residual / diagonal
        power, before = residual @ eased, power
        search = eased + power / before * search
    return depth


def _directions(wall: Wall, depth: np.ndarray) -> np.ndarray:
    """(n, 3) unit vectors of steepest ascent, from differences to both sides, each weighted as the other is far."""
    values = np.where(wall.beside >= 0, depth[np.maximum(wall.beside, 0)], depth[:, None, None])
    values = np.where(wall.beside == INSIDE, 0, np.where(wall.beside == OUTSIDE, 1, values))
    slopes = (values - depth[:, None, None]) / wall.steps * np.array([-1, 1])
    near = 1 / wall.steps
    gradient = (slopes * near).sum(axis=2) / near.sum(axis=2)
    return gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-9)


def _lengths(wall: Wall, along: np.ndarray, start: int) -> np.ndarray:
    """(n,) mm from a border to each voxel along the field: Yezzi and Prince's upwind scheme, swept until settled."""
    upwind = (along < 0).astype(int)[..., None]  # the side that a line comes from: below where it ascends
    source = np.take_along_axis(wall.beside, upwind, axis=2)[..., 0]
    rate = np.abs(along) / np.take_along_axis(wall.steps, upwind, axis=2)[..., 0]
    rate = np.where((source >= 0) | (source == start), rate, 0)  # from elsewhere no line comes
    total = np.maximum(rate.sum(axis=1), 1e-9)
    within, neighbour = source >= 0, np.maximum(source, 0)
    carried = np.where(within, rate, 0)
    slope = np.where(rate > 0, along**2, 0).sum(axis=1)  # of the unit slope, what the remaining axes have to explain
    lengths = np.zeros(len(total))
    for _ in range(_MOST_SWEEPS):
        before = lengths
        lengths = (slope + (carried * before[neighbour]).sum(axis=1)) / total
        if np.abs(lengths - before).max() < _SETTLED_MM:
            break
    return lengths
