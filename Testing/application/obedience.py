"""Runs of the obedient worker in place of the model's: quick, and they end as a test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from driving import apply, panel, parameters, waitForRun

WORKER = Path(__file__).with_name("obedient_worker.py")


@contextmanager
def worker(ending: str = "all", phases: int = 1) -> Iterator[None]:
    """All runs meanwhile are of the obedient worker, which after some phases does what ``ending`` says.

    It computes nothing, so nobody asks for PyTorch and a device, which takes the better part of a minute.
    """
    from CaLIDSlicerLib import Host
    from CaLIDSlicerLib.Setup.DeviceProbe import DeviceReport

    services, command = panel().services, Host.workerCommand
    kept = services.dependencies, services.findDevice
    Host.workerCommand = lambda: [command()[0], str(WORKER), ending, str(phases)]
    services.dependencies = SimpleNamespace(question=lambda: None)
    services.findDevice = lambda _wanted: DeviceReport("cpu", "CPU", None, None, "", True, 1)
    try:
        yield
    finally:
        Host.workerCommand = command
        services.dependencies, services.findDevice = kept


def reconstructed(**settings: Any) -> Any:
    """A finished result, by the obedient worker."""
    with worker():
        apply(**settings)
        waitForRun()
    return parameters().result
