"""Where the anatomy of a missing slice lies in the slices that bound its gap.

Between two slices the heart's outline moves. A network that only weighs pixels can blur that motion, not follow it; so
the first thing that is learned is the displacement, and both neighbours are pulled to the missing slice along it, as
in video frame interpolation (Jiang et al., CVPR 2018). The neighbours are warped as pictures: their texture stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calid.conditioning import Neighbours
from calid.layers import Fourier, UNet
from calid.vae import SliceAutoencoder

FIELD = 4  # pixels per displacement vector: anatomy moves smoothly
LARGEST = 24.0  # pixels


@dataclass(frozen=True)
class MotionConfig:
    """Architecture of the motion network; channel counts per level, finest first."""

    channels: Sequence[int] = (64, 96, 128)
    blocks: int = 1
    embedding: int = 64

    @property
    def multiple(self) -> int:
        """Rows and columns of a slice must be a multiple of this."""
        return FIELD * 2 ** (len(self.channels) - 1)


class MotionEstimator(nn.Module):
    """Both slices that bound a gap, and a position in it, to both slices as seen from that position."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Sequential(
            Fourier(8, 0.25, 4.0),
            nn.Linear(2 * 16, config.embedding),
            nn.SiLU(),
            nn.Linear(config.embedding, config.embedding),
        )
        self.net = UNet(2 * FIELD**2, tuple(config.channels), config.blocks, config.embedding)
        self.to_field = nn.Conv2d(config.channels[0], 4, 3, padding=1)
        nn.init.zeros_(self.to_field.weight)

    def forward(self, bounding: Tensor, fraction: Tensor, gap: Tensor) -> Tensor:
        """Displacements (n, 4, rows, columns) in pixels, (x, y) into the slice below, then (x, y) into the one above.

        :param bounding: (n, 2, rows, columns) the slices below and above, in network units.
        :param fraction: (n,) relative position in the gap, 0 at the slice below.
        :param gap: (n,) in units of :data:`calid.conditioning.MM_SCALE`.
        """
        upward = self._one_direction(bounding, fraction, gap)
        downward = self._one_direction(bounding.flip(1), 1 - fraction, gap)
        field = (upward + downward.roll(2, dims=1)) / 2  # symmetric under reversal of the stack
        return F.interpolate(field.float(), scale_factor=float(FIELD), mode="bilinear", align_corners=False)

    def follow(self, vae: SliceAutoencoder, bounding: Tensor, neighbours: Neighbours) -> Tensor:
        """(n, 2, c, h, w) latents of the ``bounding`` slices (n, 2, rows, columns) as seen from the missing one."""
        seen = warp(bounding, self(bounding, neighbours.fraction, neighbours.reach[:, 0]))
        latents = vae.encode(seen.reshape(-1, 1, *seen.shape[2:]).contiguous(memory_format=torch.channels_last))
        return latents.float().unflatten(0, (-1, 2))

    def _one_direction(self, bounding: Tensor, fraction: Tensor, gap: Tensor) -> Tensor:
        blocks = F.pixel_unshuffle(bounding, FIELD)
        features = self.net(blocks, self.embed(torch.stack([fraction, gap], dim=1)))[0]
        return LARGEST * torch.tanh(self.to_field(features) / LARGEST)


def warp(bounding: Tensor, field: Tensor) -> Tensor:
    """Both slices (n, 2, rows, columns) seen through a displacement field (n, 4, rows, columns) in pixels."""
    n, _, rows, columns = bounding.shape
    y = torch.arange(rows, device=field.device, dtype=field.dtype)[:, None].expand(rows, columns)
    x = torch.arange(columns, device=field.device, dtype=field.dtype)[None].expand(rows, columns)
    at = torch.stack([x, y], dim=-1) + field.reshape(n * 2, 2, rows, columns).permute(0, 2, 3, 1)
    grid = at * at.new_tensor([2 / columns, 2 / rows]) + at.new_tensor([1 / columns - 1, 1 / rows - 1])
    flat = bounding.reshape(n * 2, 1, rows, columns).to(field.dtype)
    seen = F.grid_sample(flat, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return seen.reshape(n, 2, rows, columns)
