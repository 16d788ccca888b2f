"""Where the slices around gaps lie: drawn on the processor, for pictures that are made on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from calid.model.gap import GapNeighbours
from calid.model.knots import consistent_weights

Draw = TypeVar("Draw", bound=tuple[Any, ...])


class Surroundings(NamedTuple):
    """The six slices around a gap, or those around ``n`` gaps as tensors with a first axis: all but the pictures.

    The fields are those of :class:`~calid.model.gap.GapNeighbours`; ``consistency`` (9, 6) is computed here, where
    several processes can do it.
    """

    present: np.ndarray
    offset: np.ndarray
    gap: float
    thickness: float
    consistency: np.ndarray

    @classmethod
    def of(cls, present: np.ndarray, offset: np.ndarray, gap: float, thickness: float) -> Surroundings:
        """One gap, ``gap`` mm wide, between slices of ``thickness`` mm."""
        weights = consistent_weights(tuple(offset.tolist()), tuple(map(bool, present)), gap, thickness)
        return cls(present.astype(np.float32), offset.astype(np.float32), gap, thickness, weights)


def batched(draws: Sequence[Draw]) -> Draw:
    """Named tuples of arrays and numbers as one of tensors, with a new first axis; fractions in single precision."""
    return _single(cast(Draw, default_collate(list(draws))))


def _single(draw: Draw) -> Draw:
    parts = (
        _single(each) if isinstance(each, tuple) else each.float() if each.is_floating_point() else each
        for each in draw
    )
    return type(draw)(*parts)


def on_device(draw: Draw, device: torch.device) -> Draw:
    """Named tuples of tensors, on the device."""
    parts = (
        on_device(each, device) if isinstance(each, tuple) else each.to(device, non_blocking=True) for each in draw
    )
    return type(draw)(*parts)


def neighbours(around: Any, slices: Tensor) -> GapNeighbours:
    """The surroundings of ``n`` gaps, with pictures (n, 6, rows, columns) of those slices that exist.

    :param around: :class:`Surroundings` as tensors.
    """
    shown = slices * around.present[:, :, None, None]
    return GapNeighbours(shown, around.present, around.offset, around.gap, around.thickness)
