"""In-plane resampling between the scanner's pixels and the model's square pixels, over the whole field of view.

Each axis is one small matrix (Lanczos kernel, widened when it has to suppress aliasing), so resampling a slice is
``R @ slice @ C.T`` on any device, and the way back is the same construction with the grids exchanged. Both grids
share their centre. The model grid is rounded up to a multiple of what the networks need; positions outside the
acquired field repeat its edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LOBES = 3


@lru_cache(maxsize=16)
def _axis_matrix(n_in: int, d_in: float, n_out: int, d_out: float, offset: float = 0.0) -> np.ndarray:
    """(n_out, n_in) Lanczos weights; grids of ``n`` samples ``d`` mm apart whose centres are ``offset`` mm apart."""
    centres = ((np.arange(n_out) - (n_out - 1) / 2) * d_out + offset) / d_in + (n_in - 1) / 2
    width = max(1.0, d_out / d_in)
    reach = math.ceil(LOBES * width)
    taps = np.floor(centres)[:, None].astype(int) + np.arange(-reach + 1, reach + 1)
    distance = (taps - centres[:, None]) / width
    weights = np.where(np.abs(distance) < LOBES, np.sinc(distance) * np.sinc(distance / LOBES), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((n_out, n_in))
    np.add.at(matrix, (np.arange(n_out)[:, None], np.clip(taps, 0, n_in - 1)), weights)
    found = matrix.astype(np.float32)
    found.flags.writeable = False  # it is handed out again
    return found


def displaced(picture: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """What (rows, columns) show, ``pixels`` further down and to the right, float32; what comes in repeats the edge."""
    along = (_axis_matrix(n, 1.0, n, 1.0, -by) for n, by in zip(picture.shape, pixels.tolist(), strict=True))
    rows, columns = along
    return rows @ picture.astype(np.float32) @ columns.T


@dataclass(frozen=True)
class InplaneGrid:
    """The pair of grids of a stack: ``shape`` pixels of ``spacing`` mm (row, column), and the model's grid."""

    shape: tuple[int, int]
    spacing: tuple[float, float]
    pixel: float
    multiple: int

    @property
    def model_shape(self) -> tuple[int, int]:
        """Rows and columns of the model grid: covers the field of view, a multiple of ``multiple``."""
        rows, columns = (
            max(1, math.ceil(n * d / self.pixel / self.multiple - 1e-6)) * self.multiple
            for n, d in zip(self.shape, self.spacing, strict=True)
        )
        return rows, columns

    @property
    def acquired(self) -> np.ndarray:
        """(rows, columns) bool of the model grid: whether a pixel lies in the acquired field, not beside it."""
        fields = zip(self.model_shape, self.shape, self.spacing, strict=True)
        rows, columns = (np.abs(np.arange(m) - (m - 1) / 2) * self.pixel <= n * d / 2 for m, n, d in fields)
        return rows[:, None] & columns

    def to_model(self, slices: np.ndarray) -> np.ndarray:
        """(..., rows, columns) scanner pixels to (..., rows, columns) model pixels, float32."""
        to = self.model_shape
        rows = _axis_matrix(self.shape[0], self.spacing[0], to[0], self.pixel)
        columns = _axis_matrix(self.shape[1], self.spacing[1], to[1], self.pixel)
        return rows @ np.asarray(slices, dtype=np.float32) @ columns.T

    def from_model(self, slices: np.ndarray) -> np.ndarray:
        """(..., rows, columns) model pixels back to scanner pixels, float32."""
        of = self.model_shape
        rows = _axis_matrix(of[0], self.pixel, self.shape[0], self.spacing[0])
        columns = _axis_matrix(of[1], self.pixel, self.shape[1], self.spacing[1])
        return rows @ np.asarray(slices, dtype=np.float32) @ columns.T

    def from_part(self, part: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """(..., h, w) model pixels of these rows and columns, with zeros all around, back to scanner pixels, float32.

        As :meth:`from_model`, but what is zero is not multiplied.
        """
        of, found = self.model_shape, np.zeros((*part.shape[:-2], *self.shape), dtype=np.float32)
        down = _axis_matrix(of[0], self.pixel, self.shape[0], self.spacing[0])[:, rows]
        along = _axis_matrix(of[1], self.pixel, self.shape[1], self.spacing[1])[:, columns]
        i, j = (
            slice(there[0], there[-1] + 1) for there in (np.flatnonzero(each.any(axis=1)) for each in (down, along))
        )
        found[..., i, j] = down[i] @ np.asarray(part, dtype=np.float32) @ along[j].T
        return found
