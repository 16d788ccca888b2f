"""The network that labels slices: a residual U-Net on the model's pixels, which may see the slices beside as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = 4  # with the background, 0


@dataclass(frozen=True)
class SegmentationConfig:
    """Architecture: channels per level, finest first, halving the size each time; residual blocks per level.

    :param reach: mm to the slices on either side that the network sees too; 0 if it sees one slice at a time.
    """

    channels: Sequence[int] = (16, 32, 64, 128, 128)
    blocks: int = 1
    reach: float = 0.0

    @property
    def seen(self) -> int:
        """Slices that are put in to label one."""
        return 3 if self.reach else 1

    @property
    def multiple(self) -> int:
        """Rows and columns must be a multiple of this."""
        return 2 ** (len(self.channels) - 1)


class PlainBlock(nn.Module):
    """Two convolutions beside the identity.

    Batch normalisation is frozen once trained, so that a crop and the whole field of view give the same values.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.conv_out = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm_in, self.norm_out = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.skip = nn.Conv2d(channels_in, channels, 1) if channels_in != channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, h, w) to (n, channels, h, w)."""
        h = F.relu(self.norm_in(self.conv_in(x)))
        return F.relu(self.skip(x) + self.norm_out(self.conv_out(h)))


def _level(channels_in: int, channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(PlainBlock(channels if n else channels_in, channels) for n in range(blocks)))


class SegmentationNet(nn.Module):
    """Residual U-Net, fully convolutional: any field of view of a multiple of rows and columns."""

    def __init__(self, config: SegmentationConfig) -> None:
        super().__init__()
        self.config = config
        widths, blocks = tuple(config.channels), config.blocks
        self.enter = nn.Conv2d(config.seen, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_level(w, w, blocks) for w in widths)
        self.up = nn.ModuleList(_level(2 * w, w, blocks) for w in widths[:-1])
        pairs = list(pairwise(widths))
        self.shrink = nn.ModuleList(nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairs)
        self.grow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.leave = nn.Conv2d(widths[0], CLASSES, 1)

    def features(self, slices: Tensor) -> list[Tensor]:
        """Slices (n, seen, h, w) to the features of every level on the way up, finest first: (n, c, h / 2^l, …)."""
        h, skips = self.enter(slices), []
        for level, blocks in enumerate(self.down):
            h = blocks(h if level == 0 else self.shrink[level - 1](h))
            skips.append(h)
        found = [skips.pop()]
        for level in reversed(range(len(self.up))):
            grown = F.interpolate(self.grow[level](found[0]), scale_factor=2.0, mode="nearest")
            found.insert(0, self.up[level](torch.cat([grown, skips[level]], dim=1)))
        return found

    def forward(self, slices: Tensor) -> Tensor:
        """Slices (n, seen, h, w) in network units to logits (n, classes, h, w)."""
        return self.leave(self.features(slices)[0])
