"""What all training runs share: writing weights, checkpoints to resume from, averaged weights, the learning rate."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from calid.model.layers import Net


@dataclass(frozen=True)
class Recipe:
    """How a network is led to its weights.

    :param rate: learning rate of AdamW after ``warmup`` steps; held until ``decay_from``, then a cosine down to
        ``floor`` of it at ``steps``.
    :param average: share of the moving average of the weights that a step leaves.
    :param settling: the average remembers less at first: at step ``n`` no more than ``n / (n + settling)``.
    :param clip: norm that a gradient is cut to.
    """

    steps: int
    rate: float
    average: float
    warmup: int = 100
    decay_from: int = 0
    floor: float = 0.02
    settling: int = 0
    weight_decay: float = 1e-2
    clip: float = 1.0

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> Recipe:
        """From a section of a config, which says more than this."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in about.items() if name in names})

    def rate_factor(self, step: int) -> float:
        """Of the learning rate.

        A run that holds its rate for long can be given more steps later and goes on as if they had been meant from the
        start.
        """
        if step < self.warmup:
            return (step + 1) / self.warmup
        start = max(self.warmup, self.decay_from)
        done = min(1.0, max(0, step - start) / max(1, self.steps - start))
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))

    def kept(self, step: int) -> float:
        """Share of the moving average that ``step`` leaves; nothing is left of what there was before the first."""
        return min(self.average, step / (step + self.settling)) if step else 0.0


def export(net: nn.Module, path: Path) -> None:
    """Write fp16 weights; every validation leaves a set that can be evaluated."""
    # Counters, as of batch normalisation, stay integers.
    state = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    save_file({k: v.contiguous() for k, v in state.items()}, path)


_STATES = ("net", "averaged", "optimiser", "schedule")


class Run(Generic[Net]):
    """One training run in a folder: the network, its average, the optimiser, and a log of JSON lines.

    :param net: on the device it is trained on.
    """

    def __init__(self, folder: Path, net: Net, recipe: Recipe) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.net, self.recipe, self.step = folder, net, recipe, 0
        self.averaged = copy.deepcopy(net).eval().requires_grad_(False)  # what is validated and shipped
        self.optimiser = torch.optim.AdamW(
            net.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98)
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, recipe.rate_factor)

    @property
    def checkpoint(self) -> Path:
        """The file a killed run resumes from."""
        return self.folder / "checkpoint.pt"

    def resume(self) -> None:
        """Continue from the checkpoint if there is one."""
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            for name in _STATES:
                getattr(self, name).load_state_dict(state[name])
            self.step = state["step"]

    def save(self) -> None:
        """Write the checkpoint; a kill while writing leaves the previous one."""
        state = {name: getattr(self, name).state_dict() for name in _STATES} | {"step": self.step}
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        os.replace(part, self.checkpoint)

    def log(self, **fields: Any) -> None:
        """Append one line to ``log.jsonl`` and print it."""
        line = json.dumps({"step": self.step, **fields})
        print(line, flush=True)
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as log:
            log.write(line + "\n")

    def train(
        self,
        loss: Callable[[int], tuple[Tensor, Mapping[str, float | Tensor]]],
        validate: Callable[[], Mapping[str, float]],
        every: int = 200,
    ) -> None:
        """Step until the last: ``loss(step)`` gives the loss and numbers to log; ``validate`` sees the average.

        Numbers that are tensors are summed where they are, so that no step waits for the device.
        """
        started, shown = time.monotonic(), self.step
        sums: dict[str, float | Tensor] = {}
        while self.step < self.recipe.steps:
            self.net.train()
            value, numbers = loss(self.step)
            self._descend(value)
            sums = {k: sums.get(k, 0.0) + v for k, v in numbers.items()}
            if self.step % every == 0 or self.step == self.recipe.steps:
                means = {k: round(float(v) / (self.step - shown), 5) for k, v in sums.items()}
                seconds = (time.monotonic() - started) / (self.step - shown)
                self.log(**means, **validate(), seconds_per_step=round(seconds, 3))
                self.save()
                started, shown, sums = time.monotonic(), self.step, {}

    def _descend(self, value: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.schedule.step()
        kept = self.recipe.kept(self.step)
        with torch.no_grad():
            for mean, now in zip(self.averaged.state_dict().values(), self.net.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(now, 1 - kept)
                else:  # counters, as of batch normalisation
                    mean.copy_(now)
        self.step += 1
