"""Where the networks run and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from calid.errors import OutOfResources

CPU = torch.device("cpu")


def choose_device(name: str) -> torch.device:
    """``"auto"`` prefers CUDA, then MPS, then the CPU.

    :raises OutOfResources: if the named device does not exist here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise OutOfResources(f"there is no device {name!r}", "use auto, cpu, cuda, cuda:N or mps") from error
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    known = {"cpu": 1, "cuda": cuda, "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= known.get(device.type, 0):
        raise OutOfResources(f"there is no device {name!r} on this machine", "use {device:auto} or {device:cpu}")
    return device


def autocast(device: torch.device) -> AbstractContextManager:
    """Half precision where the processor computes in it, full precision elsewhere."""
    if device.type == "cuda":
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.autocast("cuda", dtype)
    fast = device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast("cpu", torch.bfloat16, enabled=fast)
