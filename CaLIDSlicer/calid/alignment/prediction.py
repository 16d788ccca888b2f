"""What should be seen in the place of each slice: the model's prediction of it from the slices around it.

Anatomy moves from slice to slice by more than most shifts, and bends by as much. The network of a gap has learned how
hearts do that: a slice that is hidden from it, and predicted from its neighbours, differs from what it predicts by its
shift against them and little else.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from calid.model.gap import NEIGHBOURS, GapNeighbours, GapNet
from calid.model.knots import slab_weights


def predicted(net: GapNet, slices: Tensor, positions: np.ndarray, thickness: float) -> Tensor:
    """Each inner slice (k - 2, rows, columns) from the others, read in both directions.

    :param slices: (k, rows, columns) network units, square pixels of the network's size; rows and columns are a
        multiple of :attr:`GapNet.multiple`.
    :param positions: (k,) mm.
    :param thickness: mm of the acquired slices.
    """
    device = next(net.parameters()).device
    made = [_hidden(net, slices.to(device), positions, k, thickness) for k in range(1, len(slices) - 1)]
    return torch.stack(made).cpu()


def _hidden(net: GapNet, slices: Tensor, positions: np.ndarray, k: int, thickness: float) -> Tensor:
    """Slice ``k``, in the gap that is left between ``k - 1`` and ``k + 1`` without it."""
    half = NEIGHBOURS // 2
    near = GapNeighbours.around(slices, positions, [*range(k - half, k), *range(k + 1, k + half + 1)], thickness)
    with torch.inference_mode():
        thin = (net(near)[0] + net(near.reversed())[0].flip(0)).float() / 2
    gap = positions[k + 1] - positions[k - 1]
    weights = slab_weights([(positions[k] - positions[k - 1]) / gap], thickness / gap)
    return torch.tensordot(torch.from_numpy(weights).to(thin), thin, 1)[0]
