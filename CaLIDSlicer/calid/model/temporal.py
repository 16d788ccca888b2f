"""2D+T: what a slice at one phase of the heart cycle learns from the same slice at the other phases.

The spatial model sees one phase at a time. Here tau_theta1 is continued in time: its features of a phase are compared
with those of phases before and after, and the differences correct its mean. The heart cycle is periodic, so time is
circular. Only differences enter, through layers without bias: where there is nothing to compare with, as in a single
phase, the correction is exactly zero, and the spatial model is left as it is.

The correction of a phase depends on no phase further than :data:`REACH` away, so a cine of any length is worked on in
windows, without seams.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calid.model.conditioning import Context, Neighbours
from calid.model.layers import Fourier

OFFSETS = (-8, -5, -3, -2, -1, 1, 2, 3, 5, 8)
"""Phases to compare with: dense nearby, where motion is smooth, and far enough to see half a cycle."""

REACH = max(OFFSETS)


@dataclass(frozen=True)
class TemporalConfig:
    """Architecture of the temporal part.

    :param context_channels: of the finest features of the context encoder.
    :param width: channels that are compared between phases.
    """

    latent_channels: int = 8
    context_channels: int = 64
    width: int = 64


class TemporalCorrection(nn.Module):
    """Features of the same missing slice at several phases to a correction of its mean."""

    def __init__(self, config: TemporalConfig) -> None:
        super().__init__()
        self.config = config
        latent_channels, width = config.latent_channels, config.width
        self.read_context = nn.Conv2d(config.context_channels + 4 * latent_channels, width, 1)
        self.fourier, self.rate = Fourier(8, 0.25, 4.0), nn.Linear(16, len(OFFSETS) * width)
        self.compare = nn.Conv2d(len(OFFSETS) * width, 2 * width, 1, bias=False)
        self.gate = nn.Conv2d(width, 2 * width, 1)
        self.refine = nn.Conv2d(2 * width, width, 3, padding=1, bias=False)
        self.to_mean = nn.Conv2d(width, latent_channels, 3, padding=1, bias=False)
        for parameter in (self.to_mean.weight, self.rate.weight, self.rate.bias):
            nn.init.zeros_(parameter)

    def read(self, context: Context, neighbours: Neighbours) -> Tensor:
        """(n, width, h, w) what of ``n`` slices is compared between phases."""
        assert neighbours.followed is not None
        seen = [context.features[0], context.mean, neighbours.linear, neighbours.followed.flatten(1, 2)]
        return F.silu(self.read_context(torch.cat(seen, dim=1)))

    def forward(self, here: Tensor, others: Tensor, phases: int) -> Tensor:
        """Correction (n, c, h, w) of the means of ``n`` slices.

        :param here: (n, width, h, w) from :meth:`read`, of the phase to correct.
        :param others: (n, offsets, width, h, w) the same of the phases :data:`OFFSETS` away.
        :param phases: of the whole cycle.
        """
        scale = 1 + self.rate(self.fourier(here.new_full((1, 1), 10 / phases))).reshape(1, len(OFFSETS), -1, 1, 1)
        differences = ((others - here[:, None]) * scale).flatten(1, 2)
        noticed = self.compare(differences) * torch.sigmoid(self.gate(here))
        return self.to_mean(F.silu(self.refine(F.silu(noticed))))


def phases_around(phase: int, phases: int) -> list[int]:
    """The phases that ``phase`` is compared with, on the circle of all ``phases``."""
    return [(phase + offset) % phases for offset in OFFSETS]
