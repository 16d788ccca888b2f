"""What every network around a gap is trained with: batches from dense hearts and from hidden slices of real stacks.

Where slices lie, how they are shifted, from which side a heart is seen: that is drawn by several processes, ahead of
time. Pictures are made from it many at once on the device, from hearts and slices that stay there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from calid.model.gap import GapNeighbours, GapNet
from calid.model.knots import KNOTS
from calid.reconstruction.device import autocast
from calid.training.acquire import MARGIN, acquire
from calid.training.data import TrainingStack
from calid.training.hearts import bent
from calid.training.hidden import Shelf, draw_hidden, look, shelve
from calid.training.slabs import draw_slabs
from calid.training.surroundings import batched, neighbours, on_device

AHEAD = 6  # batches that each process has ready


@dataclass(frozen=True)
class Known:
    """``n`` gaps and what is known of them.

    :param consistency: (n, 9, 6) of :attr:`~calid.model.gap.GapNeighbours.consistency`.
    :param weights: (n, t, 9) from the knots of a gap to what is known.
    :param slices: (n, t, rows, columns) network units.
    """

    near: GapNeighbours
    consistency: Tensor
    weights: Tensor
    slices: Tensor

    def of(self, knots: Tensor) -> Tensor:
        """(n, t, rows, columns) what ``knots`` (n, 9, rows, columns) say of that which is known."""
        return torch.einsum("ntk,nkhw->nthw", self.weights, knots.float())

    def split(self, count: int) -> list[Known]:
        """The same in parts of ``count`` gaps."""
        near = zip(*(getattr(self.near, field.name).split(count) for field in fields(self.near)), strict=True)
        others = (each.split(count) for each in (self.consistency, self.weights, self.slices))
        return [Known(GapNeighbours(*part), *rest) for part, *rest in zip(near, *others, strict=True)]


Batch = dict[str, Known]
"""By kind of truth: the knots of ``"dense"`` hearts and hidden slices, ``"thick"``; a kind not asked for lacks."""


@dataclass(frozen=True)
class Mixture:
    """How much of what; ``batches`` of a config, and the counts of a stage.

    :param pool: bent hearts that are kept, of which ``renew`` are replaced before each batch.
    :param workers: processes that draw.
    """

    dense: int
    thick: int
    crop: int
    pool: int
    renew: float
    fine_weight: float
    workers: int = 0


class Geometry(IterableDataset[dict[str, Any]]):
    """Endless draws for batches, by kind of truth; those of each process are its own, and the same in each run."""

    def __init__(self, layers: Sequence[int], shelf: Shelf, how: Mixture, seed: int) -> None:
        self.layers, self.shelf, self.how, self.seed = layers, shelf, how, seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, 1 + (worker.id if worker else 0)])  # 0 bends hearts
        while True:
            drawn: dict[str, Any] = {}
            if self.how.dense:
                drawn["dense"] = batched([self._slabs(rng) for _ in range(self.how.dense)])
            if self.how.thick:
                drawn["thick"] = batched([draw_hidden(self.shelf, rng) for _ in range(self.how.thick)])
            yield drawn

    def _slabs(self, rng: np.random.Generator) -> Any:
        slot = int(rng.integers(self.how.pool))
        return draw_slabs(slot, self.layers[slot % len(self.layers)], max(self.layers), rng)


class Material:
    """Draws batches.

    :param hearts: of :func:`~calid.training.hearts.load_hearts`; the places of the pool are theirs in turn.
    """

    def __init__(
        self,
        hearts: Sequence[Tensor],
        stacks: Sequence[TrainingStack],
        how: Mixture,
        seed: int,
        device: torch.device,
    ) -> None:
        self.how, self.device, self.hearts = how, device, [heart.to(device) for heart in hearts]
        planes, shelf = shelve(stacks, how.fine_weight)
        self.planes, self.rng = planes.to(device), np.random.default_rng([seed, 0])
        self.noise = Generator(device).manual_seed(seed)
        self.due, size = 0.0, how.crop + 2 * MARGIN
        layers = [len(heart) for heart in hearts]
        shape = (how.pool, max(layers), size, size) if how.dense else (0, 1, size, size)
        self.pool = torch.zeros(shape, dtype=torch.float16, device=device)
        for slot in range(len(self.pool)):
            self._bend(slot)
        self.drawn = iter(
            DataLoader(
                Geometry(layers, shelf, how, seed),
                batch_size=None,
                num_workers=how.workers,
                prefetch_factor=AHEAD if how.workers else None,
                pin_memory=device.type == "cuda",
            )
        )

    def draw(self) -> Batch:
        """The next batch."""
        self._renew()
        drawn = next(self.drawn)
        made = {"dense": self._dense, "thick": self._thick}
        return {kind: made[kind](on_device(draw, self.device)) for kind, draw in drawn.items()}

    def _dense(self, drawn: Any) -> Known:
        slices, thin = acquire(self.pool, drawn, self.noise)
        knots = torch.eye(KNOTS, device=self.device).expand(len(thin), KNOTS, KNOTS)
        return Known(neighbours(drawn.around, slices), drawn.around.consistency, knots, thin)

    def _thick(self, drawn: Any) -> Known:
        slices, hidden = look(self.planes, drawn, self.how.crop)
        return Known(neighbours(drawn.around, slices), drawn.around.consistency, drawn.slab, hidden)

    def _renew(self) -> None:
        self.due += self.how.renew if len(self.pool) else 0.0
        while self.due >= 1:
            self._bend(int(self.rng.integers(len(self.pool))))
            self.due -= 1

    def _bend(self, slot: int) -> None:
        heart = self.hearts[slot % len(self.hearts)]
        self.pool[slot, : len(heart)] = bent(heart, self.pool.shape[-1], self.rng)


def predict(net: GapNet, batch: Batch) -> dict[str, Tensor]:
    """(n, 9, rows, columns) what a network says at the knots, by kind of truth, of one evaluation for all kinds."""
    names = [field.name for field in fields(GapNeighbours)]
    near = GapNeighbours(*(torch.cat([getattr(part.near, name) for part in batch.values()]) for name in names))
    consistency = torch.cat([part.consistency for part in batch.values()])
    with autocast(near.slices.device):
        knots = net(near, consistency)
    return dict(zip(batch, knots.float().split([len(part.slices) for part in batch.values()]), strict=True))
