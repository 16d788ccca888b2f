"""The hardware and the versions that a time belongs to."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch

from calid.version import __version__


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Processor, cores and threads in use, graphics processor if it is the device, and versions."""
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "half_precision": bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {
            "calid": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "numpy": np.__version__,
        },
    }


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    """The model name where the system tells it (Linux), else what Python knows."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
