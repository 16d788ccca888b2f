"""The real collaborators of the panel: where its parts meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from calid.errors import OutOfResources

from .. import Host
from ..Display import Showing as Display
from ..Setup.Dependencies import Dependencies
from ..Setup.DeviceProbe import DeviceProbe, DeviceReport, forgetDevices, probeDevice
from ..Setup.FreeSpace import freeDisk, freeMemory
from ..Setup.ModelStore import ModelStore
from ..Setup.Preflight import preflight
from .Services import PanelServices
from .Understanding import understand


def realServices(
    logic: Any,
    ask: Callable[[str], bool],
    tell: Callable[[str], None],
    chooseFile: Callable[[], str],
    chooseStudy: Callable[[], str],
    chooseOutput: Callable[[str, str], str],
    openFile: Callable[[str], None],
    read: Callable[[str], None],
    isInFront: Callable[[], bool],
) -> PanelServices:
    """Those of Slicer."""
    return PanelServices(
        logic=logic,
        ask=ask,
        tell=tell,
        chooseFile=chooseFile,
        chooseStudy=chooseStudy,
        chooseOutput=chooseOutput,
        open=openFile,
        read=read,
        understand=understand,
        dependencies=Dependencies(),
        findDevice=findDevice,
        forgetDevices=forgetDevices,
        preflight=preflight,
        freeMemory=freeMemory,
        freeDisk=freeDisk,
        models=ModelStore(),
        display=Display,
        isInFront=isInFront,
        notify=Host.notify,
    )


def findDevice(wanted: str) -> DeviceReport:
    """The best device, or the best of a kind: ``"auto"``, ``"cuda"``, ``"mps"`` or ``"cpu"``.

    :raises DependencyError: naming the package that is missing or broken.
    :raises OutOfResources: if there is no such device.
    """
    best = probeDevice()
    if wanted == "auto":
        return best
    known = DeviceProbe()
    known.start()  # answers from what was just found
    for report in known.devices:
        if report.device.startswith(wanted):
            return report
    raise OutOfResources(f"this computer has no device {wanted} that can be used", "use {device:auto}")
