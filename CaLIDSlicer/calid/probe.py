"""What this Python can compute with: ``python -m calid.probe`` prints one JSON line and always exits with 0.

The line is a :class:`Probe` with the version of the protocol. Slicer runs it in a child process, because importing
PyTorch can crash, locks its files and holds memory. It works where PyTorch is missing or broken: then ``error`` says
which package it is.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from calid.protocol import PROTOCOL_VERSION

PACKAGES = ("numpy", "torch", "safetensors", "SimpleITK", "diffusers")
BACKEND = "calid.reconstruction.reconstruct"
"""Imports from each package what is used of it: some load their parts, and fail, only then."""


@dataclass(frozen=True)
class Device:
    """One processor, usable unless ``error`` says why not.

    :param free_bytes: of its own memory; ``None`` for a CPU, and where the system does not tell.
    :param half_precision: whether reconstructions compute in half precision on it.
    """

    device: str
    name: str
    free_bytes: int | None = None
    total_bytes: int | None = None
    half_precision: bool = False
    error: str | None = None


@dataclass(frozen=True)
class ImportFailure:
    """The first package that could not be imported; ``missing`` tells one that is absent from one that is broken."""

    package: str
    missing: bool
    message: str


@dataclass(frozen=True)
class Probe:
    """Versions by package, devices with the best one first, cores that may be used, and what could not be imported."""

    versions: dict[str, str] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=list)
    cores: int = 1
    error: ImportFailure | None = None
    version: int = PROTOCOL_VERSION


def main() -> int:
    """Print the probe of this process; what libraries print meanwhile goes to stderr."""
    with contextlib.redirect_stdout(sys.stderr):
        result = probe()
    print(json.dumps(asdict(result)), flush=True)
    return 0


def probe(packages: tuple[str, ...] = PACKAGES, backend: str = BACKEND) -> Probe:
    """Import what a reconstruction needs, and try each device."""
    versions: dict[str, str] = {}
    for package in (*packages, backend):
        try:
            module = importlib.import_module(package)
        except Exception as error:
            return Probe(versions, cores=_cores(), error=_failure(package, error))
        if package in packages:
            versions[package] = _version(module)
    return Probe(versions, list(_devices()), _cores())


def _version(module: Any) -> str:
    return str(getattr(module, "__version__", "unknown"))


def _failure(package: str, error: Exception) -> ImportFailure:
    named = getattr(error, "name", None) or package  # of an ImportError: the module that it is about
    missing = isinstance(error, ModuleNotFoundError) and "." not in named  # a part that is absent is a broken whole
    return ImportFailure(named.partition(".")[0], missing, f"{type(error).__name__}: {error}")


def _devices() -> Iterator[Device]:
    """All of them, in the order in which ``auto`` prefers them; those that do not work come last."""
    import torch

    found = [_cuda(index) for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        total = torch.mps.recommended_max_memory()
        found.append(_tried(Device("mps", "Apple GPU", total_bytes=total)))
    cores = _cores()
    cpu = Device("cpu", f"CPU with {cores} core{'s' * (cores > 1)}", half_precision=_has_half_precision("cpu"))
    return iter(sorted([*found, cpu], key=lambda device: device.error is not None))


def _cuda(index: int) -> Device:
    import torch

    name = f"cuda:{index}"
    try:
        free, total = torch.cuda.mem_get_info(index)
        return _tried(Device(name, torch.cuda.get_device_name(index), free, total, _has_half_precision(name)))
    except (RuntimeError, AssertionError) as error:
        return Device(name, name, error=_first_line(error))


def _tried(device: Device) -> Device:
    """The device after a small computation: a card that is newer than this PyTorch is found, but has no kernels."""
    import torch

    try:
        torch.nn.functional.conv2d(*torch.ones(2, 1, 1, 8, 8, device=device.device)).sum().item()
    except RuntimeError as error:
        return Device(device.device, device.name, error=_first_line(error))
    return device


def _has_half_precision(name: str) -> bool:
    import torch

    from calid.reconstruction.device import autocast

    device = torch.device(name)
    with autocast(device):
        return torch.is_autocast_enabled(device.type)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


if __name__ == "__main__":
    sys.exit(main())
