"""What sets the slices of a real stack apart: each has a breath-hold of its own, and a coil's noise.

Shifts are drawn from Student's t with 3 degrees of freedom times 0.8 mm along each axis: 1.1 mm in the median, a few
above 5 mm, as published for real stacks.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SHIFT_MM = 0.8
NOISE = 0.02
"""Standard deviation, of the intensity that counts as 1."""


def disturb(stack: np.ndarray, one: float, pixel_mm: float, seed: int) -> np.ndarray:
    """The slices (k, rows, columns) shifted, all but the first, and noisy; the same for the same seed.

    :param one: the intensity that counts as 1.
    """
    random = np.random.default_rng(seed)
    shifts = random.standard_t(3, (len(stack), 2)) * SHIFT_MM / pixel_mm
    shifts[0] = 0
    moved = [ndimage.shift(image, by, order=3, mode="nearest") for image, by in zip(stack, shifts, strict=True)]
    return np.clip(np.stack(moved) + random.normal(0, NOISE * one, stack.shape), 0, None)
