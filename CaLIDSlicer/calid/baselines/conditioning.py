"""Two-part conditioning of the baselines: tau_theta1 reads neighbouring slices, tau_theta2 injects what it read.

tau_theta1 sees four slices (the two that bound the gap and the two beyond), the relative position in the gap and the
distances in millimetres. It reads them once in each direction and averages, so that reversing a stack reverses the
result by construction. It proposes a mean: the learned interpolation that the diffusion model refines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from calid.model.layers import Fourier, UNet

MM_SCALE = 20.0  # distances enter the network in units of this many mm


@dataclass(frozen=True)
class Neighbours:
    """What is known around ``n`` missing slices.

    :param latents: (n, 4, c, h, w), in stack order: beyond below, below, above, beyond above.
    :param present: (n, 4) 1 where the slice exists; the outer ones are missing at the ends of a stack.
    :param distance: (n, 4) mm from the missing slice to each of the four, all positive; 0 where missing.
    """

    latents: Tensor
    present: Tensor
    distance: Tensor

    @property
    def fraction(self) -> Tensor:
        """(n,) relative position in the gap: 0 at the slice below, 1 at the slice above."""
        return self.distance[:, 1] / (self.distance[:, 1] + self.distance[:, 2])

    @property
    def linear(self) -> Tensor:
        """(n, c, h, w) the latents that linear interpolation between the two bounding slices gives."""
        return self.blend(self.latents[:, 1:3])

    def blend(self, bounding: Tensor) -> Tensor:
        """(n, c, h, w) what lies between two of anything (n, 2, c, h, w), each weighed by the other's distance."""
        towards = self.fraction[:, None, None, None]
        return (1 - towards) * bounding[:, 0] + towards * bounding[:, 1]

    @property
    def reach(self) -> Tensor:
        """(n, 2) width of the gap and distance to the nearer neighbour, in units of :data:`MM_SCALE`."""
        bounding = self.distance[:, 1:3]
        return torch.stack([bounding.sum(dim=1), bounding.amin(dim=1)], dim=1) / MM_SCALE

    def reversed(self) -> Neighbours:
        """The same neighbours of the reversed stack."""
        return Neighbours(self.latents.flip(1), self.present.flip(1), self.distance.flip(1))


@dataclass(frozen=True)
class Context:
    """What tau_theta1 says: the mean latent (n, c, h, w) and features of every level, finest first.

    :param reach: (n, 2) how far the slice had to be inferred, see :attr:`Neighbours.reach`.
    """

    mean: Tensor
    features: list[Tensor]
    reach: Tensor


class ContextEncoder(nn.Module):
    """tau_theta1: neighbouring slices and geometry to a mean latent and multi-resolution features."""

    def __init__(self, latent_channels: int, channels: Sequence[int], blocks: int, embedding: int) -> None:
        super().__init__()
        self.fourier = Fourier(8, 0.25, 4.0)
        scalars = 1 + 1 + 4  # fraction, gap, four distances
        self.embed = nn.Sequential(
            nn.Linear(scalars * 2 * 8 + 4, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.net = UNet(4 * latent_channels, tuple(channels), blocks, embedding)
        self.to_mean = nn.Conv2d(channels[0], latent_channels, 3, padding=1)
        nn.init.zeros_(self.to_mean.weight)

    def forward(self, neighbours: Neighbours, symmetric: bool = True) -> Context:
        """Context of ``n`` missing slices, by construction symmetric under reversal of the stack.

        :param symmetric: ``False`` reads in stack order only: half the work, for the first part of a training run.
        """
        features = self._one_direction(neighbours)
        if symmetric:
            mirrored = self._one_direction(neighbours.reversed())
            features = [(a + b) / 2 for a, b in zip(features, mirrored, strict=True)]
        mean = neighbours.linear + self.to_mean(features[0])
        return Context(mean, features, neighbours.reach)

    def _one_direction(self, neighbours: Neighbours) -> list[Tensor]:
        latents = (neighbours.latents * neighbours.present[:, :, None, None, None]).flatten(1, 2)
        gap = neighbours.distance[:, 1] + neighbours.distance[:, 2]
        scalars = torch.cat(
            [neighbours.fraction[:, None], gap[:, None] / MM_SCALE, neighbours.distance / MM_SCALE], dim=1
        )
        return self.net(latents, self.embed(torch.cat([self.fourier(scalars), neighbours.present], dim=1)))


class ContextInjection(nn.Module):
    """tau_theta2: context features of each level to a scale and shift of the denoiser's blocks of that level."""

    def __init__(self, context_channels: Sequence[int], channels: Sequence[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(c, 2 * d, 1) for c, d in zip(context_channels, channels, strict=True))

    def forward(self, context: Context) -> list[Tensor]:
        """One (n, 2 c, h, w) modulation a level, finest first."""
        return [level(feature) for level, feature in zip(self.levels, context.features, strict=True)]
