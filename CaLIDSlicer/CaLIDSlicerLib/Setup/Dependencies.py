"""The Python packages of the worker: which are missing, one question, and their installation.

Nothing is installed or imported before it is asked for. PyTorch comes through the PyTorch extension, which knows the
graphics driver; the rest through ``slicer.packaging`` (3D Slicer 5.12), under constraints that keep Slicer's own
packages as they are. An installation counts only if a child process can import everything.
"""

from __future__ import annotations

import importlib
import importlib.util
import platform
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from inspect import signature
from pathlib import Path
from typing import Any

from calid.errors import Cancelled, DependencyError, OutOfResources

from ..Translation import _
from .DeviceProbe import DeviceReport, forgetDevices, probeDevice
from .FreeSpace import freeDisk
from .PipOutput import LastLines, installationError

REQUIREMENTS = Path(__file__).resolve().parents[2] / "Resources" / "requirements.txt"
OLDEST_SLICER = "5.12"
TORCH_FLOOR = ">=2.6"
"""What the current diffusers needs."""
TORCH_ON_WINDOWS = ">=2.6,<2.13"
"""From 2.13 on, the paths of its licence files are longer than PythonSlicer.exe can write (WinError 206)."""

KEPT = ("numpy", "SimpleITK", "pydicom", "requests", "torch")
"""Whoever installs these over Slicer's own breaks other modules."""

GB = 10**9
DOWNLOAD = {"CPU": 0.3 * GB, "CUDA": 2.9 * GB}
"""Estimates for PyTorch with what it brings along, by its build."""
ON_DISK = {"CPU": 1.2 * GB, "CUDA": 7 * GB}
SMALL_PACKAGES = 0.1 * GB

_RESTORE = 'in the Python console, run slicer.packaging.pip_install("{}"), then restart Slicer'
_EXTENSION = "open the Extensions Manager (View menu), install the extension PyTorch, restart Slicer and {again}"


@dataclass(frozen=True)
class Missing:
    """A package that has to be installed.

    :param installed: the version that is there but too old, or ``None``.
    """

    name: str
    requirement: str
    installed: str | None = None

    @property
    def text(self) -> str:
        """As in a list for people."""
        tooOld = _("{requirement} (installed: {version})").format(requirement=self.requirement, version=self.installed)
        return tooOld if self.installed else self.requirement


class Dependencies:
    """What the worker needs, in Slicer's Python.

    No window is opened here, but Slicer's own progress of pip. Every collaborator can be replaced.

    >>> dependencies = Dependencies()
    >>> question = dependencies.question()
    >>> if question is None or slicer.util.confirmOkCancelDisplay(question):
    ...     print(dependencies.install().text)

    :param packaging: the module ``slicer.packaging``.
    :param torchLogic: makes the logic of the PyTorch extension.
    :param probe: proves the installation; see :func:`CaLIDSlicerLib.Setup.DeviceProbe.probeDevice`.
    :param ask: called with the question by :meth:`install`; returns whether to go on.
    """

    def __init__(
        self,
        packaging: Any = None,
        torchLogic: Callable[[], Any] | None = None,
        probe: Callable[[], DeviceReport] = probeDevice,
        ask: Callable[[str], bool] = lambda question: True,
    ) -> None:
        self._packaging = packaging
        self._torchLogic = torchLogic or pyTorchLogic
        self._probe, self._ask = probe, ask

    def missing(self) -> list[Missing]:
        """The packages to install. Cheap: reads what is installed, and imports none of it.

        :raises DependencyError: if this Slicer is too old.
        """
        packaging = self._slicerPackaging()
        required = {"torch": f"torch{TORCH_FLOOR}"}
        required |= {each.name: str(each) for each in packaging.load_requirements(REQUIREMENTS)}
        return [
            Missing(name, requirement, installedVersion(name))
            for name, requirement in required.items()
            if not (packaging.pip_check(requirement) and importlib.util.find_spec(name))
        ]

    def question(self) -> str | None:
        """What would be installed, how large it is and where it goes; ``None`` if nothing is missing.

        :raises DependencyError: if an answer could not help: with all that has to be done before, and what comes then.
        """
        missing = self.missing()
        if not missing:
            return None
        self._checkPossible(missing)
        torch = any(package.name == "torch" for package in missing)
        download, onDisk = (_gigabytes(_size(missing, sizes)) for sizes in (DOWNLOAD, ON_DISK))
        free = _gigabytes(freeDisk(sitePackages()))
        comes = _("PyTorch comes through the PyTorch extension, most likely for {build}.")
        lines = [
            _("CaLIDSlicer needs Python packages that are not installed yet:"),
            *(f"- {package.text}" for package in missing),
            *([comes.format(build=_torchBuild())] if torch else []),
            _("To download: about {download}; on the disk: about {disk}.").format(download=download, disk=onDisk),
            _("They go to {folder} ({free} free). Slicer's own packages stay as they are.").format(
                folder=sitePackages(), free=free
            ),
            _("Install them now? It can take some minutes."),
        ]
        return "\n".join(lines)

    def install(self) -> DeviceReport:
        """Install what is missing, and prove it.

        :return: the device that was found.
        :raises Cancelled: if the user says no.
        :raises OutOfResources: if the disk is too small.
        :raises DependencyError: if it cannot be installed, does not work, or Slicer's own packages have changed.
        """
        missing = self.missing()
        if missing:
            self._checkBefore(missing)
            before = keptVersions()
            if any(package.name == "torch" for package in missing):
                self._installTorch()
            self._installOthers([package.requirement for package in missing if package.name != "torch"])
            _checkKept(before, keptVersions())
            forgetDevices()
        report = self._probe()
        self._checkComplete()
        return report

    def _checkPossible(self, missing: Sequence[Missing]) -> None:
        if not any(package.name == "torch" for package in missing):
            return
        if sys.platform == "darwin" and platform.machine() == "x86_64":
            raise DependencyError(
                f"there is no PyTorch {TORCH_FLOOR} for Macs with Intel processors, and this Slicer is built for them",
                "use a Slicer for Apple silicon, or Windows or Linux",
            )
        try:
            self._torchLogic()
        except DependencyError as error:
            download, onDisk = (_gigabytes(_size(missing, sizes)) for sizes in (DOWNLOAD, ON_DISK))
            names = ", ".join(package.text for package in missing)
            then = f"only then can {names} be installed: about {download} to download, {onDisk} on the disk"
            raise DependencyError(str(error), f"{error.terms}; {then}") from error

    def _checkBefore(self, missing: Sequence[Missing]) -> None:
        self._checkPossible(missing)
        free, needed = freeDisk(sitePackages()), _size(missing, ON_DISK)
        if free < needed:
            raise OutOfResources(
                f"the packages need about {_gigabytes(needed)} in {sitePackages()}, and {_gigabytes(free)} is free",
                "free disk space, or install Slicer on another disk",
            )
        if not self._ask(self.question() or ""):
            raise Cancelled("nothing was installed")

    def _installTorch(self) -> None:
        install = self._torchLogic().installTorch
        version = TORCH_ON_WINDOWS if sys.platform == "win32" else TORCH_FLOOR
        wanted = {"askConfirmation": False, "torchVersionRequirement": version}
        known = signature(install).parameters
        with _pipErrors("PyTorch"):
            torch = install(**{name: value for name, value in wanted.items() if name in known})
        if torch is None:
            raise Cancelled("the installation of PyTorch was declined")

    def _installOthers(self, requirements: list[str]) -> None:
        if not requirements:
            return
        with tempfile.TemporaryDirectory(prefix="calid-") as folder, _pipErrors(", ".join(requirements)):
            constraints = Path(folder, "constraints.txt")
            constraints.write_text("".join(f"{name}=={at}\n" for name, at in keptVersions().items()), encoding="utf-8")
            self._slicerPackaging().pip_ensure(
                requirements,
                constraints=constraints,
                prompt_install=False,
                prompt_restart=False,
                requester="CaLIDSlicer",
            )

    def _checkComplete(self) -> None:
        left = self.missing()
        if left:
            raise DependencyError(
                f"still missing after the installation: {', '.join(package.text for package in left)}",
                "restart Slicer and try again; if it stays so, see the Python console for what pip said",
            )

    def _slicerPackaging(self) -> Any:
        if self._packaging is None:
            try:
                self._packaging = importlib.import_module("slicer.packaging")
            except ImportError as error:
                raise DependencyError(
                    f"this Slicer cannot install Python packages for extensions ({error})",
                    f"update to 3D Slicer {OLDEST_SLICER} or newer",
                ) from error
        return self._packaging


def pyTorchLogic() -> Any:
    """The logic of the PyTorch extension; raises :class:`DependencyError` if it is not installed."""
    try:
        module = importlib.import_module("PyTorchUtils")
    except ModuleNotFoundError as error:
        raise DependencyError("the extension PyTorch is not installed", _EXTENSION) from error
    return module.PyTorchUtilsLogic()


def sitePackages() -> Path:
    """The folder that pip installs into."""
    return Path(sysconfig.get_path("purelib"))


def installedVersion(name: str) -> str | None:
    """Of a package, or ``None`` if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def keptVersions() -> dict[str, str]:
    """The installed ones of :data:`KEPT`, and their versions."""
    importlib.invalidate_caches()  # pip ran in another process
    versions = {name: installedVersion(name) for name in KEPT}
    return {name: version for name, version in versions.items() if version}


def _checkKept(before: dict[str, str], after: dict[str, str]) -> None:
    changed = {name: version for name, version in before.items() if name != "torch" and after.get(name) != version}
    if changed:
        news = ", ".join(f"{name} {version} -> {after.get(name, 'none')}" for name, version in changed.items())
        restored = " ".join(f"{name}=={version}" for name, version in changed.items())
        raise DependencyError(f"the installation has changed Slicer's own packages: {news}", _RESTORE.format(restored))


@contextmanager
def _pipErrors(what: str) -> Iterator[None]:
    """Inside, a failing installation becomes an error with the last lines that pip said."""
    with LastLines() as lines:
        try:
            yield
        except ModuleNotFoundError as error:
            raise installationError(what, [*lines.lines, str(error)]) from error
        except ImportError as error:
            package = (error.name or "torch").partition(".")[0]
            raise DependencyError(
                f"the Python package {package} was installed but cannot be imported: {error}",
                "restart Slicer and press Apply again; if it stays so, uninstall PyTorch in the module PyTorch Utils",
            ) from error
        except Exception as error:  # of whatever kind: what runs here belongs to Slicer and another extension
            raise installationError(what, [*lines.lines, str(error)]) from error


def _torchBuild() -> str:
    """Which build the PyTorch extension will most likely choose."""
    return "CUDA" if sys.platform != "darwin" and shutil.which("nvidia-smi") else "CPU"


def _size(missing: Sequence[Missing], torchSizes: dict[str, float]) -> float:
    return SMALL_PACKAGES + sum(torchSizes[_torchBuild()] for package in missing if package.name == "torch")


def _gigabytes(size: float) -> str:
    return f"{size / GB:.1f} GB"
