"""What the phantom is made of: a pixel grid in mm, smooth random textures, and tissue painted over tissue.

A shape is a distance in the slice plane in mm, negative inside; :func:`cover` turns it into the fraction of a pixel
that it covers, and :func:`paint` lays a tissue there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

FloatArray = np.ndarray


@dataclass(frozen=True)
class Grid:
    """Pixel centres in mm: ``x`` (slices, 1, columns), ``y`` (slices, rows, 1), ``z`` (slices, 1, 1), float32."""

    x: FloatArray
    y: FloatArray
    z: FloatArray
    pixel: float

    def window(self, x: tuple[float, float], y: tuple[float, float]) -> tuple[Grid, tuple[slice, slice, slice]]:
        """The part of the grid between two x and two y in mm, and where it lies in the whole grid."""
        columns, rows = _span(self.x[:, 0, :], *x), _span(self.y[:, :, 0], *y)
        return Grid(self.x[:, :, columns], self.y[:, rows], self.z, self.pixel), (slice(None), rows, columns)


class Texture:
    """Smooth random field of zero mean and unit variance: a sum of plane waves with a Gaussian spectrum.

    :param size: correlation length in mm along x, y and z.
    """

    def __init__(self, rng: np.random.Generator, size: tuple[float, float, float], waves: int) -> None:
        self._vectors = (rng.normal(size=(waves, 3)) / size).astype(np.float32)
        self._phases = rng.uniform(0.0, 2.0 * np.pi, waves).astype(np.float32)
        self._amplitude = np.float32(np.sqrt(2.0 / waves))

    def on(self, grid: Grid) -> FloatArray:
        """The field on a grid, (slices, rows, columns); plane waves separate, so this is one matrix product."""
        kx, ky, kz = self._vectors.T
        across = grid.x.transpose(0, 2, 1) * kx
        down = grid.y * ky + grid.z * kz + self._phases
        left = np.concatenate([np.cos(down), -np.sin(down)], axis=2)
        right = np.concatenate([np.cos(across), np.sin(across)], axis=2)
        return self._amplitude * (left @ right.transpose(0, 2, 1))

    def at(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """The field at arbitrary points of one shape."""
        total = np.zeros(np.broadcast(x, y, z).shape, np.float32)
        for (kx, ky, kz), phase in zip(self._vectors, self._phases, strict=True):
            total += np.cos(kx * x + ky * y + (kz * z + phase))
        return self._amplitude * total


@dataclass(frozen=True)
class Textures:
    """All random fields of one phantom."""

    shape: Texture
    lobes: Texture
    grain: Texture
    vessels: Texture
    trabeculae: Texture

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Textures:
        """Draw all of them from one generator."""
        return cls(
            shape=Texture(rng, (26.0, 26.0, 40.0), 16),
            lobes=Texture(rng, (9.0, 9.0, 16.0), 48),
            grain=Texture(rng, (2.2, 2.2, 6.0), 64),
            vessels=Texture(rng, (3.2, 3.2, 9.0), 64),
            trabeculae=Texture(rng, (2.1, 2.1, 9.0), 28),
        )


@dataclass(frozen=True)
class Field:
    """The textures on one grid, (slices, rows, columns) each, evaluated once for all phases."""

    grid: Grid
    textures: Textures

    @cached_property
    def shape(self) -> FloatArray:
        """Bulges of organs and layers."""
        return self.textures.shape.on(self.grid)

    @cached_property
    def lobes(self) -> FloatArray:
        """Uneven blood, fat lobules, stomach content."""
        return self.textures.lobes.on(self.grid)

    @cached_property
    def grain(self) -> FloatArray:
        """Fine structure of tissue."""
        return self.textures.grain.on(self.grid)

    @cached_property
    def vessels(self) -> FloatArray:
        """Its peaks are the vessels of lung and liver."""
        return self.textures.vessels.on(self.grid)


def cover(distance: FloatArray, pixel: float) -> FloatArray:
    """Fraction of a pixel of width ``pixel`` inside a shape whose edge is ``distance`` mm away (negative inside)."""
    return np.clip(0.5 - distance * np.float32(1.0 / (1.25 * pixel)), 0.0, 1.0)


def paint(image: FloatArray, tissue: FloatArray | float, coverage: FloatArray) -> None:
    """Lay a tissue over the image, in place."""
    image += coverage * (tissue - image)


def smooth_max(a: FloatArray, b: FloatArray, width: float) -> FloatArray:
    """Maximum with the corner rounded over ``width`` mm (polynomial blend after I. Quilez)."""
    near = np.clip(1.0 - np.abs(a - b) / width, 0.0, None)
    return np.maximum(a, b) + near**2 * np.float32(0.25 * width)


def _span(values: FloatArray, low: float, high: float) -> slice:
    """The columns of (slices, n) values that lie between low and high in any slice."""
    hit = np.flatnonzero(((values > low) & (values < high)).any(axis=0))
    return slice(int(hit[0]), int(hit[-1]) + 1) if hit.size else slice(0, 0)
