"""How much alike slices are, and what that says of their order and their place."""

from __future__ import annotations

import numpy as np

SHIFT_MM = 6.0
"""A smaller shift cannot be told from the taper of the heart; breath holds differ by up to 10 mm and more."""
LARGEST_DRIFT = 0.5
"""Of both moves together, as a share of the shift: a slice at the end of the heart is like neither neighbour."""
LARGEST_SHIFT_MM = 40.0
"""What seems to be off by more fits anywhere: other slices are between it and its neighbours, or none of the heart."""
SHIFT_GAIN, SHIFT_GAIN_TOGETHER = 0.05, 0.14
"""How much more a slice must correlate with each neighbour when it is moved back, and with both together. What gains
less in 208 real stacks is the taper of a heart whose contours lie within 2 mm of those of its neighbours."""
SWAP_GAIN = 0.1
"""How much more neighbours must correlate when two slices change places; by less than 0.08 in 208 real stacks."""
SAME_IMAGE, SAME_IMAGE_MM = 0.995, 3.0
"""Slices that far apart correlate by less than 0.93 in 208 real stacks, whatever noise there is."""
ORDER_GAIN = 0.3
"""The same for any other order: all correlations of neighbours together."""

_NOTHING = 1e-12


def correlations(images: np.ndarray) -> np.ndarray:
    """(n, n) of n images, of any shape each."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    centred = flat - flat.mean(axis=1, keepdims=True)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), _NOTHING)
    return unit @ unit.T


def better_order(alike: np.ndarray) -> tuple[list[int], float]:
    """The order in which neighbours are most alike, as far as a search finds it, and how much more they are together.

    The search exchanges ends of the row and moves single slices until nothing gets better (2-opt and or-opt).
    """
    order = max((_improved(alike, start) for start in _starts(alike)), key=lambda order: _together(alike, order))
    return order, _together(alike, order) - _together(alike, list(range(len(alike))))


def _starts(alike: np.ndarray) -> list[list[int]]:
    """As it is, and from the two ends of the first axis along which slices differ (spectral seriation)."""
    weights = np.clip(alike, 0, None)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    _, vectors = np.linalg.eigh(laplacian)
    return [list(range(len(alike))), [int(k) for k in np.argsort(vectors[:, 1], kind="stable")]]


def _improved(alike: np.ndarray, order: list[int]) -> list[int]:
    best, value = order, _together(alike, order)
    while True:
        other = max(_neighbouring(best), key=lambda one: _together(alike, one))
        if (found := _together(alike, other)) <= value + 1e-9:
            return best
        best, value = other, found


def _neighbouring(order: list[int]) -> list[list[int]]:
    count = len(order)
    turned = [order[:a] + order[a:b][::-1] + order[b:] for a in range(count) for b in range(a + 2, count + 1)]
    moved = []
    for a in range(count):
        rest = order[:a] + order[a + 1 :]
        moved += [[*rest[:b], order[a], *rest[b:]] for b in range(count) if b != a]
    return turned + moved


def _together(alike: np.ndarray, order: list[int]) -> float:
    return float(alike[order[:-1], order[1:]].sum())


def swapped(alike: np.ndarray) -> dict[int, float]:
    """The slices that had better change places with the next one, and by how much neighbours become more alike."""
    gains = {}
    for k in range(len(alike) - 1):
        below = alike[k - 1, k + 1] - alike[k - 1, k] if k > 0 else 0.0
        above = alike[k, k + 2] - alike[k + 1, k + 2] if k + 2 < len(alike) else 0.0
        gains[k] = float(below + above)
    return {k: gain for k, gain in gains.items() if gain > SWAP_GAIN}


def shifted(slices: np.ndarray, pixel_spacing: tuple[float, float]) -> dict[int, tuple[float, float]]:
    """The slices that had better be moved in their plane, by how many mm, and how much more they correlate then.

    Each is compared with both neighbours: the taper of the heart moves these apart, a shift moves both alike.
    """
    spectra = _spectra(slices)
    moves = [_displacement(spectra[k + 1], spectra[k], slices.shape[1:]) for k in range(len(slices) - 1)]
    found: dict[int, tuple[float, float]] = {}
    for k in range(1, len(slices) - 1):
        (below, gain_below), (above, gain_above) = moves[k - 1], moves[k]
        shift = float(np.linalg.norm((below - above) / 2 * pixel_spacing))
        drift = np.linalg.norm((below + above) / 2 * pixel_spacing)
        if (
            SHIFT_MM <= shift <= LARGEST_SHIFT_MM
            and drift <= LARGEST_DRIFT * shift
            and min(gain_below, gain_above) >= SHIFT_GAIN
            and gain_below + gain_above >= SHIFT_GAIN_TOGETHER
        ):
            found[k] = shift, gain_below + gain_above
    # The neighbours of a shifted slice look shifted by half as much.
    none = (0.0, 0.0)
    return {k: move for k, move in found.items() if move >= max(found.get(k - 1, none), found.get(k + 1, none))}


def _spectra(slices: np.ndarray) -> np.ndarray:
    window = np.outer(np.hanning(slices.shape[1]), np.hanning(slices.shape[2]))
    framed = (slices - slices.mean(axis=(1, 2), keepdims=True)) * window
    norms = np.linalg.norm(framed, axis=(1, 2), keepdims=True)
    return np.fft.rfft2(framed / np.maximum(norms, _NOTHING))


def _displacement(moved: np.ndarray, fixed: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """The shift (rows, columns) in pixels by which two spectra correlate best, and how much more than without it."""
    correlation = np.fft.irfft2(moved * np.conj(fixed), shape)
    peak = np.array(np.unravel_index(correlation.argmax(), shape))
    half = np.array(shape) // 2
    return (peak + half) % np.array(shape) - half, float(correlation.max() - correlation[0, 0])
