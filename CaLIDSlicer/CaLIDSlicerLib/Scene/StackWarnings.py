"""What looks wrong in a stack, from its positions and the voxels of one phase. Warns only on clear evidence.

The limits were set on short-axis stacks of patients, where few are warned of, and on the phantom.
"""

from __future__ import annotations

import numpy as np

from ..Translation import _

MULTIPLE_TOLERANCE = 0.1
"""A gap of 15.5 mm is twice one of 8 mm."""
SHIFT_MM = 6.0
"""A smaller shift cannot be told from the taper of the heart; breath holds differ by up to 10 mm and more."""
SHIFT_GAIN = 0.05
"""How much more a slice must correlate with both neighbours when it is moved back."""
ORDER_GAIN = 0.1
"""How much more neighbours must correlate when two slices change places."""


def warnings(voxels: np.ndarray, gaps: np.ndarray, pixelSpacing: tuple[float, float]) -> list[str]:
    """A sentence for each thing that looks wrong; slices are counted from 1.

    :param voxels: (slices, rows, columns).
    :param gaps: (slices - 1,) distances in mm.
    :param pixelSpacing: mm between rows and between columns.
    """
    slices = np.minimum(voxels, np.percentile(voxels, 99)).astype(np.float64)  # fat is no landmark
    return _missing(gaps) + _duplicated(voxels) + _misplaced(slices, pixelSpacing)


def commonGap(gaps: np.ndarray) -> float:
    """The distance in mm that most neighbours have."""
    return float(np.median(gaps))


def _missing(gaps: np.ndarray) -> list[str]:
    multiples = gaps / commonGap(gaps)
    isMultiple = (multiples > 1.5) & (np.abs(multiples - np.round(multiples)) < MULTIPLE_TOLERANCE)
    text = _("A slice seems to be missing between slices {below} and {above}, which are {gap:.3g} mm apart.")
    return [text.format(below=k + 1, above=k + 2, gap=gaps[k]) for k in np.flatnonzero(isMultiple)]


def _duplicated(voxels: np.ndarray) -> list[str]:
    same = [k for k in range(len(voxels) - 1) if np.array_equal(voxels[k], voxels[k + 1])]
    return [_("Slices {below} and {above} are the same image.").format(below=k + 1, above=k + 2) for k in same]


def _misplaced(slices: np.ndarray, pixelSpacing: tuple[float, float]) -> list[str]:
    alike = _correlations(slices)
    if len(slices) > 2 and np.diag(alike, 2).mean() > np.diag(alike, 1).mean():
        return [_("The slices seem to be out of order: neighbours are less alike than slices further apart.")]
    swaps, shifts = _swapped(alike), _shifted(slices, pixelSpacing)
    # Either may look like the other; what explains more is taken.
    kept = [k for k in swaps if swaps[k] > max(shifts.get(n, (0.0, 0.0))[1] for n in range(k - 1, k + 3))]
    order = _("Slices {below} and {above} seem to be in the wrong order.")
    shifted = _("Slice {number} seems to be shifted by {shift:.0f} mm in its plane.")
    near = {n for k in kept for n in range(k - 1, k + 3)}
    return [order.format(below=k + 1, above=k + 2) for k in kept] + [
        shifted.format(number=k + 1, shift=shift) for k, (shift, _gain) in shifts.items() if k not in near
    ]


def _swapped(alike: np.ndarray) -> dict[int, float]:
    """The slices that had better change places with the next one, and by how much neighbours become more alike."""
    neighbours = np.diag(alike, 1)
    gains = {
        k: float(alike[k - 1, k + 1] + alike[k, k + 2] - neighbours[k - 1] - neighbours[k + 1])
        for k in range(1, len(alike) - 2)
    }
    return {k: gain for k, gain in gains.items() if gain > ORDER_GAIN}


def _correlations(slices: np.ndarray) -> np.ndarray:
    centred = (slices - slices.mean(axis=(1, 2), keepdims=True)).reshape(len(slices), -1)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return unit @ unit.T


def _shifted(slices: np.ndarray, pixelSpacing: tuple[float, float]) -> dict[int, tuple[float, float]]:
    """The slices that had better be moved in their plane, by how many mm, and how much more they correlate then.

    Each is compared with both neighbours: the taper of the heart moves these apart, a shift moves both alike.
    """
    spectra = _spectra(slices)
    moves = [_displacement(spectra[k + 1], spectra[k], slices.shape[1:]) for k in range(len(slices) - 1)]
    found: dict[int, tuple[float, float]] = {}
    for k in range(1, len(slices) - 1):
        (below, gainBelow), (above, gainAbove) = moves[k - 1], moves[k]
        shift = float(np.linalg.norm((below - above) / 2 * pixelSpacing))
        drift = np.linalg.norm((below + above) / 2 * pixelSpacing)
        if shift >= SHIFT_MM and drift <= 0.75 * shift and min(gainBelow, gainAbove) >= SHIFT_GAIN:
            found[k] = shift, gainBelow + gainAbove
    # The neighbours of a shifted slice look shifted by half as much.
    none = (0.0, 0.0)
    return {k: move for k, move in found.items() if move >= max(found.get(k - 1, none), found.get(k + 1, none))}


def _spectra(slices: np.ndarray) -> np.ndarray:
    window = np.outer(np.hanning(slices.shape[1]), np.hanning(slices.shape[2]))
    framed = (slices - slices.mean(axis=(1, 2), keepdims=True)) * window
    norms = np.linalg.norm(framed, axis=(1, 2), keepdims=True)
    return np.fft.rfft2(framed / np.maximum(norms, 1e-12))


def _displacement(moved: np.ndarray, fixed: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """The shift (rows, columns) in pixels by which two spectra correlate best, and how much more than without it."""
    correlation = np.fft.irfft2(moved * np.conj(fixed), shape)
    peak = np.array(np.unravel_index(correlation.argmax(), shape))
    half = np.array(shape) // 2
    return (peak + half) % np.array(shape) - half, float(correlation.max() - correlation[0, 0])
