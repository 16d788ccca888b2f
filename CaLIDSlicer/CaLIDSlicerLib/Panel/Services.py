"""What the panel works with, handed in: tests give scripted ones, the module the real ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..Setup.DeviceProbe import DeviceReport
from ..Setup.Preflight import Preflight


@dataclass
class PanelServices:
    """The panel's collaborators.

    :param logic: ``CaLIDSlicerLogic``: ``start``, ``selfCheck``, ``measure`` and ``openStudy``.
    :param ask: shows a question and returns whether it was answered with OK.
    :param tell: shows an error.
    :param chooseFile: lets the user choose a file of weights; empty if none was chosen.
    :param chooseStudy: lets the user choose the folder of a study; empty if none was chosen.
    :param chooseOutput: lets the user choose where something is saved, by a name and what the dialog calls such files;
        empty if that was declined.
    :param open: shows a file in the program that the system has for it.
    :param read: shows a long text.
    :param findDevice: the report of a device by the name in :class:`calid.options.Options`; takes seconds.
    :param forgetDevices: makes ``findDevice`` look anew.
    :param freeMemory: of this computer in bytes, as ``freeDisk``; ``None`` if unknown.
    :param display: with the functions of the module ``Display.Showing``.
    :param isInFront: whether the user is in the panel; what comes meanwhile shall not take other work away.
    :param notify: says something in passing to a user who is elsewhere.
    :param clock: seconds.
    """

    logic: Any
    ask: Callable[[str], bool]
    tell: Callable[[str], None]
    chooseFile: Callable[[], str]
    chooseStudy: Callable[[], str]
    chooseOutput: Callable[[str, str], str]
    open: Callable[[str], None]
    read: Callable[[str], None]
    understand: Callable[[Any], Any]
    dependencies: Any
    findDevice: Callable[[str], DeviceReport]
    forgetDevices: Callable[[], None]
    preflight: Callable[..., Preflight]
    freeMemory: Callable[[], int | None]
    freeDisk: Callable[[], int | None]
    models: Any
    display: Any
    isInFront: Callable[[], bool]
    notify: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
