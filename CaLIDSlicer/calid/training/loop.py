"""What all training runs share: writing weights, checkpoints to resume from, averaged weights, the learning rate."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from calid.model.layers import Net


def cosine_rate(step: int, steps: int, warmup: int = 100, decay_from: int = 0) -> float:
    """Learning-rate factor: linear warm-up, 1 until ``decay_from``, then a cosine down to 2 %.

    A run that holds its rate for long can be given more steps later and goes on as if they had been meant from the
    start.
    """
    if step < warmup:
        return (step + 1) / warmup
    start = max(warmup, decay_from)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0, step - start) / max(1, steps - start))))


def export(net: nn.Module, path: Path) -> None:
    """Write fp16 weights; every validation leaves a set that can be evaluated."""
    # Counters, as of batch normalisation, stay integers.
    state = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    save_file({k: v.contiguous() for k, v in state.items()}, path)


class Run(Generic[Net]):
    """One training run in a folder: the network, its average, the optimiser, and a log of JSON lines."""

    def __init__(self, folder: Path, net: Net, steps: int, rate: float, average: float, decay_from: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.net, self.steps, self.step = folder, net, steps, 0
        self.average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(average), use_buffers=True)
        self.optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-2, betas=(0.9, 0.98))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda s: cosine_rate(s, steps, decay_from=decay_from)
        )

    @property
    def averaged(self) -> Net:
        """The moving average of the network, in evaluation mode: what is validated and shipped."""
        return cast(Net, self.average.module.eval())

    @property
    def checkpoint(self) -> Path:
        """The file a killed run resumes from."""
        return self.folder / "checkpoint.pt"

    def resume(self) -> None:
        """Continue from the checkpoint if there is one."""
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, weights_only=True)
            for name in ("net", "average", "optimiser", "schedule"):
                getattr(self, name).load_state_dict(state[name])
            self.step = state["step"]

    def save(self) -> None:
        """Write the checkpoint; a kill while writing leaves the previous one."""
        names = ("net", "average", "optimiser", "schedule")
        state = {name: getattr(self, name).state_dict() for name in names} | {"step": self.step}
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
        loss: Callable[[int], tuple[Tensor, dict[str, float]]],
        validate: Callable[[], dict[str, float]],
        every: int = 200,
    ) -> None:
        """Step until ``steps``: ``loss(step)`` gives the loss and numbers to log; ``validate`` sees the average."""
        started, shown = time.monotonic(), self.step
        sums: dict[str, float] = {}
        while self.step < self.steps:
            self.net.train()
            value, numbers = loss(self.step)
            self.optimiser.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self.optimiser.step()
            self.schedule.step()
            self.average.update_parameters(self.net)
            self.step += 1
            sums = {k: sums.get(k, 0.0) + v for k, v in numbers.items()}
            if self.step % every == 0 or self.step == self.steps:
                means = {k: round(v / (self.step - shown), 5) for k, v in sums.items()}
                seconds = (time.monotonic() - started) / (self.step - shown)
                self.log(**means, **validate(), seconds_per_step=round(seconds, 3))
                self.save()
                started, shown, sums = time.monotonic(), self.step, {}
