"""The mean of what lies in a gap, computed once: six acquired slices in, thin slices at nine knots of the gap out.

An acquired slice is the mean of the heart over its thickness, in a breath-hold of its own. The network sees three
slices on each side of a gap, so that it can tell anatomy from shifts and noise, and gives the heart at
:data:`KNOTS` equally spaced positions from one bounding slice to the other, both included: not the acquired slice
there, but the thin one in its middle. Any position between, and the mean over any thickness, is a fixed linear map of
the knots (:mod:`calid.model.knots`), so one evaluation serves every spacing. This is tau_theta1 of CaLID: it reads the
sparse slices and proposes the mean that the latent diffusion model (:mod:`calid.model.denoiser`) starts from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from calid.model.knots import KNOTS, consistent_weights

NEIGHBOURS = 6
GAP_MM, THICKNESS_MM = 10.0, 8.0  # what distances enter the network in units of
TYPICAL_ERROR = 0.1  # network units, expected where nothing was learned yet


@dataclass(frozen=True)
class GapNeighbours:
    """The acquired slices around ``n`` gaps.

    :param slices: (n, 6, rows, columns) network units, in stack order, the gap between the third and the fourth;
        0 where there is none. Rows and columns are a multiple of :attr:`GapNet.multiple`.
    :param present: (n, 6) 1 where the slice exists.
    :param offset: (n, 6) position of each in units of the gap: 0 at the slice below the gap, 1 at the one above.
    :param gap: (n,) mm between the two.
    :param thickness: (n,) mm that an acquired slice averages over.
    """

    slices: Tensor
    present: Tensor
    offset: Tensor
    gap: Tensor
    thickness: Tensor

    @classmethod
    def around(cls, slices: Tensor, positions: np.ndarray, chosen: Sequence[int], thickness: float) -> GapNeighbours:
        """Those of the gap between the third and the fourth of six ``chosen`` slices; n = 1.

        :param slices: (k, rows, columns) of a stack, network units.
        :param positions: (k,) mm.
        :param chosen: in stack order; a number that is no slice of the stack is one that does not exist.
        """
        wanted = np.array(chosen)
        present = (wanted >= 0) & (wanted < len(slices))
        nearest = wanted.clip(0, len(slices) - 1)
        below, above = positions[wanted[2:4]]
        # Where there is none, as far away as slices usually are.
        offset = np.where(present, (positions[nearest] - below) / (above - below), np.arange(-2, 4))
        shown = torch.from_numpy(present.astype(np.float32)).to(slices.device)
        pictures = slices[torch.from_numpy(nearest).to(slices.device)] * shown[:, None, None]
        at, gap, thick = (
            torch.tensor(each, dtype=torch.float32, device=slices.device)[None]
            for each in (offset, above - below, thickness)
        )
        return cls(pictures[None], shown[None], at, gap, thick)

    @property
    def linear(self) -> Tensor:
        """(n, 9, rows, columns) linear interpolation between the bounding slices at the knots."""
        at = torch.linspace(0, 1, KNOTS, dtype=self.slices.dtype, device=self.slices.device)[:, None, None]
        return torch.lerp(self.slices[:, 2:3], self.slices[:, 3:4], at)

    @property
    def consistency(self) -> Tensor:
        """(n, 9, 6) from the slices to what slabs of which are the slices again; see :func:`consistent_weights`."""
        geometry = zip(*(a.tolist() for a in (self.offset, self.present, self.gap, self.thickness)), strict=True)
        weights = [consistent_weights(tuple(o), tuple(map(bool, p)), gap, thick) for o, p, gap, thick in geometry]
        return torch.from_numpy(np.stack(weights)).to(self.slices)

    @property
    def scalars(self) -> Tensor:
        """(n, 15) what the network is told besides the slices."""
        geometry = torch.stack([self.gap / GAP_MM, self.thickness / THICKNESS_MM, self.thickness / self.gap], dim=1)
        return torch.cat([geometry, self.present, (self.offset - 0.5) * self.present], dim=1)

    def to(self, device: torch.device) -> GapNeighbours:
        """The same on a device."""
        return GapNeighbours(*(getattr(self, each.name).to(device) for each in fields(self)))

    def reversed(self) -> GapNeighbours:
        """The same neighbours of the reversed stack."""
        return GapNeighbours(
            self.slices.flip(1), self.present.flip(1), 1 - self.offset.flip(1), self.gap, self.thickness
        )


@dataclass(frozen=True)
class GapConfig:
    """Architecture: channels and blocks of each level on the way down and up, finest first; each halves the size."""

    channels: Sequence[int] = (48, 80, 112, 144)
    down: Sequence[int] = (1, 1, 1, 2)
    up: Sequence[int] = (2, 1, 1)
    embedding: int = 64
    fold: int = 2  # pixels along each axis that become channels

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> GapConfig:
        """From JSON, which knows no tuples."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in about.items()}
        return cls(**values)


class Block(nn.Module):
    """Two convolutions around a scale and shift of each channel, added to what came in.

    Without normalisation: a convolution network for pixels needs none (Lim et al., CVPRW 2017), and on a processor
    normalising costs as much as a convolution.
    """

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * channels)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        nn.init.normal_(self.second.weight, std=0.005)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """``x`` (n, c, h, w), ``embedding`` (n, e)."""
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        return x + self.second(F.relu(self.first(x) * (1 + scale) + shift))


class Level(nn.ModuleList):
    """The blocks of a level, one after the other."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """See :meth:`Block.forward`."""
        for block in self:
            x = block(x, embedding)
        return x


class GapNet(nn.Module):
    """A U-Net from six thick slices to nine thin ones, as a residual to what interpolation along the axis gives."""

    def __init__(self, config: GapConfig) -> None:
        super().__init__()
        self.config = config
        widths, cells = list(config.channels), config.fold**2
        self.embed = nn.Sequential(
            nn.Linear(15, config.embedding), nn.SiLU(), nn.Linear(config.embedding, config.embedding)
        )
        self.enter = nn.Conv2d(NEIGHBOURS * cells, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            Level(Block(w, config.embedding) for _ in range(n)) for w, n in zip(widths, config.down, strict=True)
        )
        self.up = nn.ModuleList(
            Level(Block(w, config.embedding) for _ in range(n)) for w, n in zip(widths[:-1], config.up, strict=True)
        )
        pairs = list(pairwise(widths))
        self.shrink = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.grow = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairs)
        self.leave = nn.Conv2d(widths[0], KNOTS * cells, 3, padding=1)
        self.trust = nn.Conv2d(widths[0], KNOTS * cells, 3, padding=1)
        self.doubt = nn.Conv2d(widths[0], KNOTS * cells, 3, padding=1)
        for layer, bias in ((self.leave, 0.0), (self.trust, 0.0), (self.doubt, math.log(TYPICAL_ERROR))):
            nn.init.zeros_(layer.weight)
            assert layer.bias is not None
            nn.init.constant_(layer.bias, bias)

    @property
    def multiple(self) -> int:
        """Rows and columns must be a multiple of this."""
        return self.config.fold * 2 ** (len(self.config.channels) - 1)

    def forward(self, neighbours: GapNeighbours, consistency: Tensor | None = None) -> Tensor:
        """(n, 9, rows, columns) thin slices at the knots, network units.

        :param consistency: :attr:`GapNeighbours.consistency` where it is known already: to compute it takes longer
            than a graphics card takes for the rest.
        """
        return self.thin(neighbours, self.features(neighbours), consistency)

    def beyond_linear(self, neighbours: GapNeighbours) -> Tensor:
        """(n, 9, rows, columns) the thin slices less linear interpolation between the bounding ones."""
        return self._added(neighbours, self.features(neighbours))

    def thin(self, neighbours: GapNeighbours, features: Tensor, consistency: Tensor | None = None) -> Tensor:
        """What :meth:`forward` gives, from the :meth:`features` of the neighbours."""
        return neighbours.linear + self._added(neighbours, features, consistency)

    def with_deviation(self, neighbours: GapNeighbours) -> tuple[Tensor, Tensor]:
        """What :meth:`beyond_linear` gives, and :meth:`expected_error` of it, for one reading of the slices."""
        features = self.features(neighbours)
        return self._added(neighbours, features), self.expected_error(features)

    def expected_error(self, features: Tensor, doubt: nn.Module | None = None) -> Tensor:
        """(n, 9, rows, columns) logarithm of the expected absolute error at the knots, network units.

        That of a Laplace distribution around the mean (Kendall and Gal, NeurIPS 2017).

        :param doubt: a last layer that is being trained, in the place of the network's own.
        """
        return F.pixel_shuffle((doubt or self.doubt)(features), self.config.fold).float().clamp(-7, 1)

    def _added(self, neighbours: GapNeighbours, features: Tensor, consistency: Tensor | None = None) -> Tensor:
        # Where slices fit each other, being consistent with their slabs is the better start than linear interpolation;
        # where one is shifted, it rings. How far to trust it is learned, for each pixel.
        added, trust = (
            F.pixel_shuffle(layer(features).float(), self.config.fold) for layer in (self.leave, self.trust)
        )
        weights = neighbours.consistency if consistency is None else consistency
        with torch.autocast(features.device.type, enabled=False):  # large weights of both signs cancel each other
            consistent = torch.einsum("nks,nshw->nkhw", weights, neighbours.slices)
        return added + trust * (consistent - neighbours.linear)

    def features(self, neighbours: GapNeighbours) -> Tensor:
        """(n, channels[0], rows / fold, columns / fold) what the last layer reads."""
        embedding = self.embed(neighbours.scalars)
        h, skips = self.enter(F.pixel_unshuffle(neighbours.slices, self.config.fold)), []
        for level, blocks in enumerate(self.down):
            h = blocks(h, embedding)
            if level < len(self.shrink):
                skips.append(h)
                h = self.shrink[level](h)
        for level in reversed(range(len(self.up))):
            h = skips[level] + F.pixel_shuffle(self.grow[level](h), 2)
            h = self.up[level](h, embedding)
        return h
