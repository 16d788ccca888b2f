"""The beating-heart phantom: a short-axis cine of a synthetic chest whose truth between the slices is known.

It is the sample data of the extension and the fixture of its tests. :mod:`calid.phantom.anatomy` says what is where;
this file scans it: slice thickness, coil shading, breath-hold shifts, Rician noise, and the geometry of a real
double-oblique short-axis stack (LPS, right-handed, hence from the apex to the base).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np

from calid.errors import UnusableInput
from calid.options import LARGEST_SEED
from calid.phantom.anatomy import HEART_EXTENT, HEART_MIDDLE, LEFT_BLOOD, Heart, paint_torso
from calid.phantom.shapes import Field, Grid, Textures
from calid.stacks.stack import SliceStack

_CYCLE_SECONDS = 0.9
_RANGES = {
    "phases": (1, 1000, ""),
    "slices": (2, 1000, ""),
    "gap": (0.1, 100, " mm"),
    "pixel": (0.1, 10, " mm"),
    "matrix": (8, 4096, " pixels"),
    "noise": (0, 10, ""),
    "breath_hold_shift": (0, 100, " mm"),
    "seed": (0, LARGEST_SEED, ""),
    "dense_spacing": (0.1, 100, " mm"),
    "thickness": (0, 100, " mm"),
}
"""Of each argument: lowest, highest, unit."""
_PROFILE_POINTS = 5
_TEXTURE_STREAM, _SHIFT_STREAM, _NOISE_STREAM = range(3)

# LPS directions of a usual short-axis view: its right edge is the patient's left and back, its lower edge inferior.
_ACROSS = np.array([0.66, 0.75, 0.0]) / np.hypot(0.66, 0.75)
_APEX_TO_BASE = np.array([-0.62, 0.5456, 0.5638]) / np.linalg.norm([-0.62, 0.5456, 0.5638])


@dataclass(frozen=True)
class Phantom:
    """A beating heart, scanned. Every stack is computed when it is first asked for; the same arguments repeat it.

    :param phases: time points over one heart beat; phase 0 is end-diastole.
    :param slices: acquired slices, from the apex to the base.
    :param gap: mm between acquired slices.
    :param pixel: mm, square pixels.
    :param matrix: (rows, columns).
    :param noise: standard deviation of the Rician noise in the sparse stack, relative to left-ventricular blood.
    :param breath_hold_shift: standard deviation in mm of the in-plane shift of each sparse slice.
    :param seed: of textures, shifts and noise.
    :param dense_spacing: largest distance in mm between the slices of the dense truth.
    :param thickness: mm of tissue averaged into each sparse slice; the dense truth is infinitely thin.
    :raises UnusableInput: naming the argument, for one out of range.
    """

    phases: int = 1
    slices: int = 10
    gap: float = 8.0
    pixel: float = 1.4
    matrix: tuple[int, int] = (176, 176)
    noise: float = 0.02
    breath_hold_shift: float = 0.0
    seed: int = 0
    dense_spacing: float = 1.0
    thickness: float = 6.0

    def __post_init__(self) -> None:
        for name, (low, high, unit) in _RANGES.items():
            for value in np.ravel(getattr(self, name)):
                if not low <= value <= high:
                    raise UnusableInput(
                        f"{name} is {value:.10g}{unit}", f"choose {low:g} to {high:.10g}{unit} for {name}"
                    )

    @cached_property
    def sparse(self) -> SliceStack:
        """The acquired stack, int16: thick slices with shifts and noise as asked for."""
        return self.acquire()

    def acquire(self, on_phase: Callable[[int], None] | None = None) -> SliceStack:
        """Compute what :attr:`sparse` is.

        :param on_phase: told after each phase how many there are by now; what it raises ends the computation.
        """
        offsets = self.thickness * ((np.arange(_PROFILE_POINTS) + 0.5) / _PROFILE_POINTS - 0.5)
        offsets = offsets if self.thickness > 0 else np.zeros(1)
        positions = self._dense_positions[:: self._steps]
        fine = (positions[:, None] + offsets).ravel()
        thin = self._scan(self._grid(fine, np.repeat(self._shifts, offsets.size, axis=0)))
        thick = (image.reshape(self.slices, offsets.size, *self.matrix).mean(axis=1) for image in thin)
        images = self._noisy(thick)
        return self._stack(_counted(images, on_phase) if on_phase else images, positions)

    @cached_property
    def dense(self) -> SliceStack:
        """The truth, int16: without thickness, shifts or noise; every sparse slice lies on one of its slices."""
        return self._stack(self._scan(self._dense_grid), self._dense_positions)

    @cached_property
    def labels(self) -> np.ndarray:
        """Labels of the dense truth, (phases, slices, rows, columns) uint8; see :meth:`Heart.labels`."""
        return self._label(self._dense_grid)

    @cached_property
    def sparse_labels(self) -> np.ndarray:
        """Labels in the middle of each sparse slice, (phases, slices, rows, columns) uint8."""
        return self._label(self._grid(self._dense_positions[:: self._steps], self._shifts))

    @property
    def _steps(self) -> int:
        return max(1, ceil(self.gap / self.dense_spacing - 1e-9))

    @property
    def _dense_positions(self) -> np.ndarray:
        return np.arange((self.slices - 1) * self._steps + 1) * (self.gap / self._steps)

    @property
    def _dense_grid(self) -> Grid:
        positions = self._dense_positions
        return self._grid(positions, np.zeros((positions.size, 2)))

    @cached_property
    def _textures(self) -> Textures:
        return Textures.draw(np.random.default_rng([self.seed, _TEXTURE_STREAM]))

    @cached_property
    def _shifts(self) -> np.ndarray:
        generator = np.random.default_rng([self.seed, _SHIFT_STREAM])
        return self.breath_hold_shift * generator.normal(size=(self.slices, 2))

    @property
    def _squeezes(self) -> list[float]:
        return [contraction(phase / self.phases) for phase in range(self.phases)]

    def _grid(self, positions: np.ndarray, shifts: np.ndarray) -> Grid:
        """Pixel centres of slices at ``positions`` mm, each displaced by its (x, y) shift in mm."""
        rows, columns = self.matrix
        x = (np.arange(columns) - (columns - 1) / 2) * self.pixel - shifts[:, :1]
        y = (np.arange(rows) - (rows - 1) / 2) * self.pixel - shifts[:, 1:]
        z = HEART_MIDDLE + (self.slices - 1) * self.gap / 2 - positions
        return Grid(
            x[:, None, :].astype(np.float32),
            y[:, :, None].astype(np.float32),
            z[:, None, None].astype(np.float32),
            self.pixel,
        )

    def _scan(self, grid: Grid) -> Iterator[np.ndarray]:
        """(slices, rows, columns) float32 images without noise, phase by phase."""
        surroundings = paint_torso(Field(grid, self._textures))
        window, where = grid.window(*HEART_EXTENT)
        field = Field(window, self._textures)
        for squeeze in self._squeezes:
            image = surroundings.copy()
            Heart(field, squeeze).paint(image[where])
            yield image * self._coil_gain

    def _label(self, grid: Grid) -> np.ndarray:
        labels = np.zeros((self.phases, grid.z.size, *self.matrix), np.uint8)
        window, where = grid.window(*HEART_EXTENT)
        field = Field(window, self._textures)
        for volume, squeeze in zip(labels, self._squeezes, strict=True):
            volume[where] = Heart(field, squeeze).labels()
        return labels

    @cached_property
    def _coil_gain(self) -> np.ndarray:
        """(rows, columns) receive sensitivity: an anterior coil at the top left, a weaker one behind."""
        grid = self._grid(np.zeros(1), np.zeros((1, 2)))
        front = np.exp(-((grid.x + 75.0) ** 2 + (grid.y + 80.0) ** 2) / np.float32(2 * 85.0**2))
        back = np.exp(-((grid.x - 120.0) ** 2 + (grid.y - 90.0) ** 2) / np.float32(2 * 70.0**2))
        return (0.70 + 0.62 * front + 0.30 * back)[0]

    def _noisy(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        generator = np.random.default_rng([self.seed, _NOISE_STREAM])
        sigma = np.float32(self.noise * LEFT_BLOOD)
        for image in images:
            real, imaginary = sigma * generator.standard_normal((2, *image.shape), np.float32)
            yield np.hypot(image + real, imaginary)

    def _stack(self, images: Iterable[np.ndarray], positions: np.ndarray) -> SliceStack:
        seconds = tuple(phase * _CYCLE_SECONDS / self.phases for phase in range(self.phases))
        return SliceStack(
            voxels=np.stack([np.rint(image).astype(np.int16) for image in images]),
            frame=self._frame,
            positions=positions,
            times=seconds if self.phases > 1 else None,
        )

    @property
    def _frame(self) -> np.ndarray:
        """The middle of the stack is the scanner's isocentre."""
        rows, columns = self.matrix
        frame = np.eye(4)
        frame[:3, 0] = _ACROSS * self.pixel
        frame[:3, 1] = np.cross(_APEX_TO_BASE, _ACROSS) * self.pixel
        frame[:3, 2] = _APEX_TO_BASE
        middle = [(columns - 1) / 2, (rows - 1) / 2, (self.slices - 1) * self.gap / 2]
        frame[:3, 3] = -frame[:3, :3] @ middle
        return frame


def _counted(images: Iterable[np.ndarray], on_phase: Callable[[int], None]) -> Iterator[np.ndarray]:
    for number, image in enumerate(images, 1):
        yield image
        on_phase(number)


def contraction(phase: float) -> float:
    """0 at end-diastole, 1 at end-systole, for a phase of the cycle in 0..1 (periodic, smooth).

    Ejection, early filling, diastasis and the atrial kick follow each other as in a healthy volume curve.
    """
    knots, values = (0.0, 0.36, 0.60, 0.80, 1.0), (0.0, 1.0, 0.26, 0.20, 0.0)
    phase %= 1.0
    part = int(np.searchsorted(knots, phase, side="right")) - 1
    along = (phase - knots[part]) / (knots[part + 1] - knots[part])
    ease = 0.5 - 0.5 * np.cos(np.pi * along)
    return float(values[part] + (values[part + 1] - values[part]) * ease)


make_phantom = Phantom
"""The name by which callers ask for one."""
