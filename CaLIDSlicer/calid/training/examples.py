"""What the learned baselines learn from: a slice of a stack, and slices around it from which it has to be predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from calid.baselines.conditioning import Neighbours
from calid.model.vae import SliceAutoencoder
from calid.reconstruction.device import CPU, autocast
from calid.training.augment import Augmentation, change_contrast, crop_stack
from calid.training.data import TrainingStack


@dataclass(frozen=True)
class EncodedStack:
    """One augmented view of a stack: latents (k, c, h, w), half precision.

    Zooming the anatomy zooms ``gap`` (mm) with it.
    """

    latents: Tensor
    gap: float


@dataclass(frozen=True)
class Examples:
    """``n`` slices to predict, ``latents`` (n, c, h, w) of the true ones."""

    neighbours: Neighbours
    latents: Tensor

    def reversed(self) -> Examples:
        """The same examples of the reversed stacks."""
        return Examples(self.neighbours.reversed(), self.latents)

    @classmethod
    def joined(cls, parts: Sequence[Examples]) -> Examples:
        """All examples of the parts, in one batch."""
        fields = ("latents", "present", "distance")
        neighbours = Neighbours(*(torch.cat([getattr(p.neighbours, f) for p in parts]) for f in fields))
        return cls(neighbours, torch.cat([p.latents for p in parts]))


class LatentPool:
    """Augmented, encoded stacks, renewed a few per step: encoding costs little, views hardly repeat."""

    def __init__(self, stacks: Sequence[TrainingStack], vae: SliceAutoencoder, how: Augmentation, size: int) -> None:
        self.stacks, self.vae, self.how, self.size = stacks, vae, how, size
        self.weights = torch.tensor([_stack_weight(s) for s in stacks])
        self.entries: list[EncodedStack] = []

    def renew(self, count: int, rng: Generator) -> None:
        """Replace ``count`` entries; fills the pool on the first call."""
        for _ in range(max(count, self.size - len(self.entries))):
            entry = self._encode(self.stacks[int(torch.multinomial(self.weights, 1, generator=rng))], rng)
            if len(self.entries) < self.size:
                self.entries.append(entry)
            else:
                self.entries[int(torch.randint(self.size, (), generator=rng))] = entry

    def _encode(self, stack: TrainingStack, rng: Generator) -> EncodedStack:
        view, zoom = crop_stack(torch.from_numpy(stack.slices), stack.centre, self.how, rng)
        view = change_contrast(view, self.how, rng)
        with torch.no_grad(), autocast(CPU):
            latents = self.vae.encode(view[:, None].contiguous(memory_format=torch.channels_last))
        return EncodedStack(latents.half(), stack.gap / zoom)

    def draw(self, batch: int, rng: Generator) -> Examples:
        """``batch`` random examples from random stacks of the pool, half of them seen in reversed order."""
        parts: list[Examples] = []
        while len(parts) < batch:
            entry = self.entries[int(torch.randint(len(self.entries), (), generator=rng))]
            if (example := draw_example(entry, rng)) is not None:
                parts.append(example.reversed() if torch.rand((), generator=rng) < 0.5 else example)
        return Examples.joined(parts)


def _stack_weight(stack: TrainingStack) -> float:
    """Thin-gap stacks are few and teach the most; cine phases of one patient resemble each other."""
    return (3.0 if stack.gap < 8 else 1.0) * (0.12 if stack.is_crop else 1.0)


def draw_example(entry: EncodedStack, rng: Generator) -> Examples | None:
    """A slice to predict from slices ``step`` apart around it; ``None`` if the stack is too short for the draw."""
    count = len(entry.latents)
    step = 2 + int(torch.multinomial(torch.tensor([0.7, 0.2, 0.1]), 1, generator=rng))
    if count <= step:
        return None
    below = int(torch.randint(count - step, (), generator=rng))
    # Now and then the answer is a neighbour itself: pins the ends of the gap, where no held-out slice exists.
    pinned = bool(torch.rand((), generator=rng) < 0.06)
    inside = step * int(torch.randint(2, (), generator=rng)) if pinned else 0
    inside = inside if pinned else 1 + int(torch.randint(step - 1, (), generator=rng))
    indices = [below - step, below, below + step, below + 2 * step]
    dropped = torch.rand(2, generator=rng) < 0.15
    present = [indices[0] >= 0 and not dropped[0], True, True, indices[3] < count and not dropped[1]]
    here = below + inside
    near = entry.latents[[i if p else here for i, p in zip(indices, present, strict=True)]].float()
    mask = torch.tensor(present, dtype=torch.float32)
    distance = torch.tensor([abs(i - here) * entry.gap for i in indices]) * mask
    neighbours = Neighbours((near * mask[:, None, None, None])[None], mask[None], distance[None])
    return Examples(neighbours, entry.latents[None, here].float())
