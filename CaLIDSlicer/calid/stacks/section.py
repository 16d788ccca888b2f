"""A plane through a stack, of any direction: what a stack, sparse or dense, shows on it.

A picture is the mean over its thickness, so the plane is sampled in layers and these are averaged. Sampling is
trilinear in millimetres: of a sparse stack it is linear interpolation between its slices, whatever their gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from calid.stacks.stack import SliceStack

_LAYERS = 5
_ON_THE_EDGE = 0.01
"""Pixels and mm by which rounded headers may put a pixel outside of a stack that it is on the edge of."""


@dataclass(frozen=True, eq=False)
class Section:
    """Where the pixels of a plane are in a stack.

    :param places: (layers, rows, columns, 3): mm along the slice axis, row and column of the stack, with fractions.
    :param inside: (rows, columns) bool, all layers are within the stack.
    """

    places: np.ndarray
    inside: np.ndarray

    @classmethod
    def of(
        cls, stack: SliceStack, affine: np.ndarray, shape: tuple[int, int], thickness: float | None = None
    ) -> Section:
        """The section of a plane.

        :param affine: 4 x 4, (column, row, mm along the normal) of the plane to the world of the stack's frame.
        :param shape: rows and columns of the plane.
        :param thickness: mm that its pixels average over; ``None`` takes it as infinitely thin.
        """
        depths = (thickness or 0.0) * ((np.arange(_LAYERS) + 0.5) / _LAYERS - 0.5) if thickness else np.zeros(1)
        depth, row, column = np.meshgrid(depths, *map(np.arange, shape), indexing="ij")
        plane = np.stack([column, row, depth, np.ones_like(depth)], axis=-1)
        places = (plane @ (np.linalg.inv(stack.frame) @ affine).T)[..., 2::-1]
        last = np.array([stack.positions[-1], *(size - 1 for size in stack.voxels.shape[2:])])
        within = (places >= -_ON_THE_EDGE) & (places <= last + _ON_THE_EDGE)
        return cls(places, within.all(axis=(0, -1)))

    def within(self, rows: slice, columns: slice) -> np.ndarray:
        """(rows, columns) bool of the plane: which of its pixels are in these rows and columns of the stack."""
        middle = self.places[len(self.places) // 2]
        kept = [
            (at >= (part.start or 0)) & (at < (np.inf if part.stop is None else part.stop))
            for at, part in ((middle[..., 1], rows), (middle[..., 2], columns))
        ]
        return kept[0] & kept[1]

    def sample(self, volume: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """(rows, columns) float32 of a volume (slices, rows, columns); not a number outside of the stack.

        :param positions: (slices,) mm of the slices of the volume, which reaches as far as the stack.
        """
        inside = self.places[:, self.inside]
        slices = np.interp(inside[..., 0], positions, np.arange(len(positions)))
        layers = _trilinear(volume, np.stack([slices, inside[..., 1], inside[..., 2]]))
        image = np.full(self.inside.shape, np.nan, np.float32)
        image[self.inside] = layers.mean(axis=0)
        return image


def _trilinear(volume: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values of a volume at ``places`` (3, ...) within it, in voxels along its axes."""
    last = np.array(volume.shape).reshape(3, *[1] * (places.ndim - 1)) - 1
    places = np.clip(places, 0, last)
    low = np.floor(places).astype(int)
    high, part = np.minimum(low + 1, last), places - low
    total = np.zeros(places.shape[1:])
    for corner in product((False, True), repeat=3):
        weights = [part[axis] if up else 1 - part[axis] for axis, up in enumerate(corner)]
        total += np.prod(weights, axis=0) * volume[tuple((high if up else low)[n] for n, up in enumerate(corner))]
    return total
