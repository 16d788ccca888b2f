"""How thick slices are: asked, said by the file, or assumed; and what cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calid.errors import UnusableInput
from calid.stacks.stack import SliceStack
from calid.stacks.thickness import choose_thickness


@pytest.mark.parametrize(
    ("gaps", "file", "asked", "expected"),
    [
        ((10, 10), None, None, (8, "assumed")),
        ((10, 5), None, None, (5, "assumed")),
        ((10, 5), 6.0, None, (6, "file")),
        ((10, 5), 6.0, 15.0, (15, "asked")),
    ],
)
def test_who_says_how_thick(gaps: tuple, file: float | None, asked: float | None, expected: tuple) -> None:
    voxels = np.arange(48.0).reshape(1, 3, 4, 4)
    stack = SliceStack(voxels, np.eye(4), np.cumsum([0, *gaps]), thickness=file)
    chosen = choose_thickness(stack, asked)
    assert (chosen.mm, chosen.source) == expected
    assert stack.reversed().thickness == stack.phase(0).thickness == file


@pytest.mark.parametrize("mm", [0, -2, 24.01, float("nan"), float("inf")])
def test_what_cannot_be_is_refused_with_both_numbers(stack: SliceStack, mm: float) -> None:
    for refused in (lambda: choose_thickness(stack, mm), lambda: choose_thickness(replace(stack, thickness=mm))):
        with pytest.raises(UnusableInput, match=f"{mm:g} mm thick.*smallest gap is 8 mm") as caught:
            refused()
        assert "24 mm" in caught.value.remedy
    assert choose_thickness(stack, 24.0).mm == 24
