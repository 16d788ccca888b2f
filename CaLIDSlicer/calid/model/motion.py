"""Where the anatomy of a missing slice lies in the slices that bound its gap.

Between two slices the heart's outline moves. A network that only weighs pixels can blur that motion, not follow it; so
the first thing that is learned is the displacement, and both neighbours are pulled to the missing slice along it, as
in video frame interpolation (Jiang et al., CVPR 2018). The neighbours are warped as pictures: their texture stays.

Motion is found once for a gap, in its middle, and refined on the pictures themselves (:mod:`calid.model.demons`). From
there every point goes on a straight line through the gap: what holds for one missing slice holds for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calid.model.demons import refine, sample, warp
from calid.model.layers import Fourier, UNet
from calid.model.vae import SliceAutoencoder

BLOCK = 4  # pixels per displacement vector of the network: anatomy moves smoothly
FIELD = 2  # pixels per displacement vector once refined
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
        return BLOCK * 2 ** (len(self.channels) - 1)


class MotionEstimator(nn.Module):
    """Both slices that bound a gap to where each point of its middle lies in them."""

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Sequential(
            Fourier(8, 0.25, 4.0),
            nn.Linear(2 * 16, config.embedding),
            nn.SiLU(),
            nn.Linear(config.embedding, config.embedding),
        )
        self.net = UNet(2 * BLOCK**2, tuple(config.channels), config.blocks, config.embedding)
        self.to_field = nn.Conv2d(config.channels[0], 4, 3, padding=1)
        nn.init.zeros_(self.to_field.weight)

    def forward(self, bounding: Tensor, gap: Tensor) -> Tensor:
        """Displacements (n, 4, rows / 2, columns / 2) in pixels from the middle of a gap.

        The first two are (x, y) into the slice below, the others into the one above.

        :param bounding: (n, 2, rows, columns) the slices below and above, in network units.
        :param gap: (n,) in units of :data:`calid.model.conditioning.MM_SCALE`.
        """
        upward, downward = (self._one_direction(pair, gap) for pair in (bounding, bounding.flip(1)))
        field = (upward + downward.roll(2, dims=1)) / 2  # symmetric under reversal of the stack
        return F.interpolate(field.float(), scale_factor=BLOCK / FIELD, mode="bilinear", align_corners=False)

    def find(self, bounding: Tensor, gap: Tensor) -> Tensor:
        """The displacements of :meth:`forward`, refined on the slices themselves."""
        return FIELD * refine(F.avg_pool2d(bounding.float(), FIELD), self(bounding, gap) / FIELD)

    def follow(self, vae: SliceAutoencoder, bounding: Tensor, field: Tensor, fraction: Tensor) -> Tensor:
        """(n, 2, c, h, w) latents of the ``bounding`` slices (n, 2, rows, columns) as seen from the missing one.

        :param field: of :meth:`find` for the gaps that they bound.
        :param fraction: (n,) relative position in the gap, 0 at the slice below.
        """
        seen = see(bounding, field, fraction)
        latents = vae.encode(seen.reshape(-1, 1, *seen.shape[2:]).contiguous(memory_format=torch.channels_last))
        return latents.float().unflatten(0, (-1, 2))

    def _one_direction(self, bounding: Tensor, gap: Tensor) -> Tensor:
        blocks = F.pixel_unshuffle(bounding, BLOCK)
        middle = torch.full_like(gap, 0.5)
        features = self.net(blocks, self.embed(torch.stack([middle, gap], dim=1)))[0]
        return LARGEST * torch.tanh(self.to_field(features) / LARGEST)


def see(bounding: Tensor, field: Tensor, fraction: Tensor) -> Tensor:
    """Both ``bounding`` slices (n, 2, rows, columns) as seen from ``fraction`` (n,) of their gap."""
    there = F.interpolate(along(field, fraction), scale_factor=float(FIELD), mode="bilinear", align_corners=False)
    return warp(bounding, there, mode="bicubic")


def along(field: Tensor, fraction: Tensor) -> Tensor:
    """Displacements (n, 4, h, w) from the middle of a gap, as they are from ``fraction`` (n,) of it.

    Points move on straight lines between the two slices. What shifts the middle as a whole against them, as where a
    wall bulges, falls off to nothing at either slice.
    """
    below, above = field[:, :2], field[:, 2:]
    half, bulge = (above - below) / 2, (above + below) / 2
    at = fraction[:, None, None, None].to(field.dtype)
    back = (1 - 2 * at) / FIELD  # to the middle, in units of the grid of the field
    moved = half
    for _ in range(3):  # which point of the middle has come here: a fixed point, as displacements are smooth
        moved = sample(half, back * moved)
    bulge = 4 * at * (1 - at) * sample(bulge, back * moved)
    return torch.cat([bulge - 2 * at * moved, bulge + 2 * (1 - at) * moved], dim=1)
