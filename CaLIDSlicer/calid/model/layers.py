"""Building blocks shared by the context encoder and the denoiser."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


def channels_last(net: Net) -> Net:
    """The network with its weights laid out as convolutions are fastest on processors with half precision."""
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in stubs


class ChannelNorm(nn.Module):
    """Normalises the channels of each position by themselves.

    Unlike group normalisation it does not look across the image, so a network made of it computes the same values
    for a crop, a tile and the whole field of view.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to the same."""
        normed = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias)
        return normed.permute(0, 3, 1, 2)


class Fourier(nn.Module):
    """A scalar (n, s) becomes sines and cosines (n, s * 2 * count) of geometrically spaced frequencies."""

    frequencies: Tensor

    def __init__(self, count: int, lowest: float, highest: float) -> None:
        super().__init__()
        ratio = torch.linspace(0, 1, count)
        self.register_buffer("frequencies", lowest * (highest / lowest) ** ratio, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Angles are ``2 pi frequency x``."""
        angles = 2 * math.pi * x[..., None] * self.frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(1)


class ResidualBlock(nn.Module):
    """Two convolutions around a modulation: per channel by an embedding, per position by injected context."""

    def __init__(self, channels_in: int, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm_in, self.norm_mid = ChannelNorm(channels_in), ChannelNorm(channels)
        self.conv_in = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.conv_out = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * channels)
        self.skip = nn.Conv2d(channels_in, channels, 1) if channels_in != channels else nn.Identity()
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, embedding: Tensor, injected: Tensor | None = None) -> Tensor:
        """``x`` (n, c, h, w), ``embedding`` (n, e), ``injected`` (n, 2 c, h, w) scale and shift."""
        h = self.conv_in(F.silu(self.norm_in(x)))
        modulation = self.modulation(F.silu(embedding))[:, :, None, None]
        scale, shift = (modulation if injected is None else modulation + injected).chunk(2, dim=1)
        h = self.norm_mid(h) * (1 + scale) + shift
        return self.skip(x) + self.conv_out(F.silu(h))


class Blocks(nn.ModuleList):
    """Residual blocks of one level, one after the other."""

    def forward(self, x: Tensor, embedding: Tensor, injected: Tensor | None) -> Tensor:
        """See :meth:`ResidualBlock.forward`."""
        for block in self:
            x = block(x, embedding, injected)
        return x


class UNet(nn.Module):
    """Residual U-Net with one embedding; ``inject`` gives each level a (n, 2 c, h, w) modulation or ``None``."""

    def __init__(self, channels_in: int, channels: tuple[int, ...], blocks: int, embedding: int) -> None:
        super().__init__()
        self.channels = channels
        self.enter = nn.Conv2d(channels_in, channels[0], 3, padding=1)
        self.down, self.up, self.shrink, self.grow = (nn.ModuleList() for _ in range(4))
        for level, width in enumerate(channels):
            self.down.append(Blocks(ResidualBlock(width, width, embedding) for _ in range(blocks)))
            if level + 1 < len(channels):
                self.shrink.append(nn.Conv2d(width, channels[level + 1], 3, stride=2, padding=1))
                self.grow.append(nn.Conv2d(channels[level + 1], width, 3, padding=1))
                ups = [ResidualBlock(2 * width if b == 0 else width, width, embedding) for b in range(blocks)]
                self.up.append(Blocks(ups))

    def forward(self, x: Tensor, embedding: Tensor, inject: list[Tensor] | None = None) -> list[Tensor]:
        """Features of every level on the way up, finest first: (n, channels[l], h / 2^l, w / 2^l)."""
        injected: list[Tensor | None] = list(inject) if inject else [None] * len(self.channels)
        h, skips = self.enter(x), []
        for level, blocks in enumerate(self.down):
            h = blocks(h, embedding, injected[level])
            if level < len(self.shrink):
                skips.append(h)
                h = self.shrink[level](h)
        features = [h]
        for level in reversed(range(len(self.up))):
            h = self.grow[level](F.interpolate(h, scale_factor=2.0, mode="nearest"))
            h = self.up[level](torch.cat([h, skips[level]], dim=1), embedding, injected[level])
            features.insert(0, h)
        return features
