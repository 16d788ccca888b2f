"""What this machine has for workers: cores, memory, graphics processors."""

from __future__ import annotations

import os
import shutil

from calid.memory import available_bytes

NEED_BYTES = round(1.5 * 2**30)
"""Of a worker: what a cine of 30 phases and 256 x 256 pixels takes, measuring included, and room."""


def cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def devices_for(device: str) -> list[str]:
    """Numbers of the NVIDIA cards among which workers are spread, where ``device`` names none of its own."""
    return graphics_processors() if device in ("auto", "cuda") else []


def graphics_processors() -> list[str]:
    """Numbers of the NVIDIA cards that may be used; loads PyTorch only where there is a driver."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name]
    if shutil.which("nvidia-smi") is None:
        return []
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def workers_for(device: str) -> int:
    """One for each card, or one where a card is named; on the processor as many as cores and memory allow."""
    if cards := devices_for(device):
        return len(cards)
    if device not in ("auto", "cpu"):
        return 1
    free = available_bytes()
    return cores() if free is None else min(cores(), max(1, free // NEED_BYTES))
