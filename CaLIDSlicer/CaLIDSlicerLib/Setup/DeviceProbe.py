"""Which devices the worker will find, and whether its packages can be imported: asked in a child process.

Nothing of PyTorch is loaded into Slicer for it. The answer is kept for the session, until :func:`forgetDevices`.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from calid.errors import CalidError, DependencyError, OutOfResources
from calid.failures import missing_package
from calid.protocol import PROTOCOL_VERSION

from .. import Host
from ..Jobs.ProcessTree import endTree, startTree
from ..Translation import _

PATIENCE_SECONDS = 180.0
"""A first import of PyTorch under a virus scanner takes long."""

_REINSTALL_TORCH = (
    "in the module PyTorch Utils press Uninstall PyTorch, restart Slicer and install again; on Windows, Slicer has to "
    "be in a folder with a short path, such as C:\\Slicer"
)
_known: list[DeviceReport] = []


@dataclass(frozen=True)
class DeviceReport:
    """A device that works.

    :param device: ``"cuda:0"``, ``"mps"`` or ``"cpu"``, as :class:`calid.options.Options` takes it.
    :param freeBytes: of its own memory when it was asked; ``None`` for a CPU, and where the system does not tell.
    :param torch: version of PyTorch.
    :param halfPrecision: whether reconstructions compute in half precision on it.
    :param cores: of the CPU that may be used.
    """

    device: str
    name: str
    freeBytes: int | None
    totalBytes: int | None
    torch: str
    halfPrecision: bool
    cores: int = 1

    @property
    def text(self) -> str:
        """One line for people."""
        memory = ""
        if self.freeBytes is not None and self.totalBytes is not None:
            memory = _(", {free:.1f} of {total:.1f} GB free").format(
                free=self.freeBytes / 2**30, total=self.totalBytes / 2**30
            )
        return f"{self.name} ({self.device}){memory}, PyTorch {self.torch}"


class DeviceProbe:
    """Asks without blocking: :meth:`start`, then :meth:`poll` until it is true, then :attr:`devices` or :attr:`error`.

    >>> probe = DeviceProbe()
    >>> probe.start()
    >>> while not probe.poll(): Host.pause(0.1)
    >>> probe.result().text
    'NVIDIA RTX A2000 (cuda:0), 5.2 of 6.0 GB free, PyTorch 2.12.1+cu130'

    :param command: replaces the program that is asked.
    """

    def __init__(self, command: Sequence[str] | None = None, patience: float = PATIENCE_SECONDS) -> None:
        self.devices: list[DeviceReport] = []
        self.error: CalidError | None = None
        self._command, self._patience = command or Host.workerCommand("calid.probe"), patience
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._said = (b"", b"")
        self._deadline = 0.0

    def start(self) -> None:
        """Start asking, or answer from what is known."""
        self.devices = list(_known)
        if self.devices:
            return
        try:
            self._process = startTree(self._command, Host.workerEnvironment())
        except OSError as error:
            self.error = CalidError(f"{self._command[0]} cannot be started: {error.strerror}", "reinstall Slicer")
            return
        self._deadline = time.monotonic() + self._patience
        self._reader.start()

    def poll(self) -> bool:
        """Whether there is an answer; never waits."""
        if self.devices or self.error:
            return True
        if self._reader.is_alive() and time.monotonic() < self._deadline:
            return False
        self._conclude(isLate=self._reader.is_alive())
        return True

    def result(self) -> DeviceReport:
        """The best device; raises what went wrong: most often :class:`DependencyError`."""
        if self.error:
            raise self.error
        return self.devices[0]

    def end(self) -> None:
        """End the child process and all it started."""
        if self._process:
            endTree(self._process)
            self._reader.join(timeout=1)

    def _read(self) -> None:
        assert self._process
        self._said = self._process.communicate()

    def _conclude(self, isLate: bool) -> None:
        self.end()
        if isLate:
            message = f"Slicer's Python did not answer within {self._patience:g} s when it was asked for its devices"
            self.error = OutOfResources(message, "close other programs and try again")
            return
        try:
            self.devices = parseProbe(*(said.decode("utf-8", errors="replace") for said in self._said))
            _known[:] = self.devices
        except CalidError as error:
            self.error = error


def probeDevice(command: Sequence[str] | None = None) -> DeviceReport:
    """The best device. Blocks, while an application's window stays alive; see :class:`DeviceProbe`.

    :raises DependencyError: naming the package that is missing or broken.
    """
    probe = DeviceProbe(command)
    probe.start()
    try:
        while not probe.poll():
            Host.pause(0.05)
    finally:
        probe.end()
    return probe.result()


def forgetDevices() -> None:
    """Ask again next time: packages were installed, or memory has become free."""
    _known.clear()


def parseProbe(said: str, lastWords: str = "") -> list[DeviceReport]:
    """The devices that work, best first, from the JSON line of :mod:`calid.probe`.

    :param said: all of its stdout.
    :param lastWords: its stderr, for the message if there is no such line.
    :raises DependencyError: if a package is missing or broken.
    :raises CalidError: if there is no answer, or one of another version.
    """
    answer = _answer(said)
    if answer is None:
        raise CalidError(f"no answer about devices from Slicer's Python: {lastWords[-1000:].strip()}", "restart Slicer")
    if answer["version"] != PROTOCOL_VERSION:
        raise CalidError(
            f"calid.probe speaks version {answer['version']}, this module {PROTOCOL_VERSION}",
            "two versions of CaLIDSlicer are mixed: uninstall it, restart Slicer and install it again",
        )
    if answer["error"]:
        raise _importError(**answer["error"])
    shared = {"torch": answer["versions"]["torch"], "cores": answer["cores"]}
    return [
        DeviceReport(
            found["device"], found["name"], found["free_bytes"], found["total_bytes"],
            halfPrecision=found["half_precision"], **shared,
        )
        for found in answer["devices"]
        if not found["error"]
    ]  # fmt: skip


def _answer(said: str) -> dict[str, Any] | None:
    for line in reversed(said.splitlines()):
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if isinstance(answer, dict) and "version" in answer:
            return answer
    return None


def _importError(package: str, missing: bool, message: str) -> DependencyError:
    if missing:
        return missing_package(package)
    remedy = f'in the Python console, run slicer.packaging.pip_uninstall("{package}"), restart Slicer and try again'
    return DependencyError(
        f"the Python package {package} is installed but cannot be used: {message}",
        _REINSTALL_TORCH if package == "torch" else remedy,
    )
