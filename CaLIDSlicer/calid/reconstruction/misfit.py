"""What a stack holds besides the heart: noise, and shifts from one breath-hold to the next.

Both look like detail along the axis that slabs could explain, and explaining them harms: noise is amplified, a shifted
slice becomes a bead on the wall. So both are measured on what linear interpolation leaves unexplained of the acquired
slices, whatever the model that fills the gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calid.stacks.stack import SliceStack

EXACT, NOISE, SHIFT = 0.02, 0.1, 8.0
"""Penalty of a perfect stack, and what is added for each unit of noise and of shifts, relative to the energy of the
residual. Least error on dense hearts (003 and 024 not among them) acquired with 0 to 4 % noise and 0 to 4 mm shifts."""

STILL = 0.01
"""Share of the residual's energy that shifts explain in stacks that have none: walls that drift along the axis."""

_DETAIL_OF_NOISE = 1 - 2 * 4 / 16 + 36 / 256
"""Variance of white noise of unit variance less its own binomial mean over 3 x 3 pixels."""

_TINY = 1e-12


@dataclass(frozen=True)
class Misfit:
    """How far the slices of a stack are to be trusted.

    :param noise: variance of a voxel, in squared intensity units.
    :param penalty: variance of what no heart explains, in units of the variance of a correction.
    """

    noise: float
    penalty: float

    @classmethod
    def of(cls, stack: SliceStack, explained: np.ndarray) -> Misfit:
        """Of all phases together, or a cine would flicker.

        :param explained: (acquired, acquired), from the acquired slices to what linear interpolation makes of them.
        """
        noise = shifts = rest = _TINY
        for phase in stack.voxels:
            slices = phase.astype(np.float32)
            residual = slices - np.tensordot(explained.astype(np.float32), slices, 1)
            kept = without_shifts(residual, slices)
            noise += noise_variance(slices)
            shifts += float(np.square(_central(residual - kept)).mean())
            rest += float(np.square(_central(kept)).mean())
        penalty = EXACT + NOISE * noise / rest + SHIFT * max(0.0, shifts / rest - STILL)
        return cls(noise / len(stack.voxels), penalty)


def without_shifts(residual: np.ndarray, slices: np.ndarray) -> np.ndarray:
    """The residual (k, rows, columns) of ``slices`` less what a small shift of each in its plane explains.

    To first order a shifted slice differs by its gradient times the shift, which is fitted over the middle of the
    field of view.
    """
    left = residual.copy()
    for one, image in zip(left, slices, strict=True):
        slopes = np.stack(np.gradient(_smoothed(image)))
        inside = _central(slopes).reshape(2, -1)
        shift, *_ = np.linalg.lstsq(inside @ inside.T, inside @ _central(one).ravel(), rcond=None)
        one -= np.tensordot(shift.astype(np.float32), slopes, 1)
    return left


def without_noise(residual: np.ndarray, noise: float) -> np.ndarray:
    """The residual (k, rows, columns) with as much of its finest detail as noise of that variance leaves to the heart.

    A Wiener filter of two bands: the binomial mean over 3 x 3 pixels, and what is finer.
    """
    coarse = np.stack([_smoothed(one) for one in residual])
    fine = residual - coarse
    energy = float(np.square(_central(fine)).mean())
    return coarse + np.float32(max(0.0, 1 - _DETAIL_OF_NOISE * noise / max(energy, _TINY))) * fine


def noise_variance(slices: np.ndarray) -> float:
    """Of the voxels of (k, rows, columns): from second differences along both axes at once, which hardly see anatomy.

    The median over the slices (Immerkaer, CVIU 64(2), 1996, with a median instead of a mean, robust against edges).
    """
    second = np.diff(np.diff(_central(slices), 2, axis=-1), 2, axis=-2) / 6
    deviation = np.median(np.abs(second), axis=(-2, -1)) / 0.6745  # of a Gaussian
    return float(np.median(deviation) ** 2)


def _smoothed(image: np.ndarray) -> np.ndarray:
    """Binomial mean over 3 x 3 pixels; at the border as if it went on."""
    for axis in (0, 1):
        padded = np.pad(image, [(1, 1) if axis == a else (0, 0) for a in (0, 1)], "edge")
        before, here, after = (np.take(padded, np.arange(n, n + image.shape[axis]), axis) for n in (0, 1, 2))
        image = (before + 2 * here + after) / 4
    return image


def _central(images: np.ndarray) -> np.ndarray:
    """The middle half of the field of view, where short-axis stacks are planned to have the heart."""
    rows, columns = (slice(size // 4, size - size // 4) for size in images.shape[-2:])
    return images[..., rows, columns]
