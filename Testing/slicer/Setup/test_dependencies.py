"""Installing what the worker needs, on stand-ins for ``slicer.packaging`` and the PyTorch extension.

Their signatures are those documented (Slicer's ``Base/Python/slicer/packaging.py``; ``PyTorchUtils.py`` of the PyTorch
extension, of which two generations are in use): a call that they would refuse fails here too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import CalledProcessError
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from calid.errors import CalidError, Cancelled, DependencyError, OutOfResources
from CaLIDSlicerLib.Setup import Dependencies as module
from CaLIDSlicerLib.Setup.Dependencies import GB, REQUIREMENTS, Dependencies
from CaLIDSlicerLib.Setup.DeviceProbe import DeviceReport

REPORT = DeviceReport("cuda:0", "RTX A2000", None, None, "2.12.1", True, 4)
SLICERS_OWN = {"numpy": "2.4.6", "SimpleITK": "2.5.5", "pydicom": "3.0.2", "requests": "2.34.2"}


class Python:
    """Slicer's Python: what is installed, and what the two installers do to it."""

    def __init__(self) -> None:
        self.installed = dict(SLICERS_OWN)
        self.calls: list = []
        self.constraints = ""
        self.lines = ["Collecting diffusers", "Successfully installed"]
        self.failure: Exception | None = None
        self.damage: dict[str, str] = {}

    def work(self, packages: dict[str, str]) -> None:
        for line in self.lines:
            print(line)
        if self.failure:
            raise self.failure
        self.installed |= packages | self.damage

    # slicer.packaging

    def load_requirements(self, path: str | Path) -> list[Requirement]:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]

    def pip_check(self, req: str | Requirement | list[str | Requirement], _seen: set | None = None) -> bool:
        requirement = Requirement(req)
        installed = self.installed.get(requirement.name)
        return installed is not None and installed in requirement.specifier

    def pip_ensure(
        self,
        requirements: str | Requirement | list[str | Requirement],
        constraints: str | Path | None = None,
        skip_packages: list[str] | None = None,
        prompt_install: bool = True,
        prompt_restart: bool = True,
        requester: str | None = None,
        skip_in_testing: bool = True,
        show_progress: bool = True,
    ) -> list[str] | None:
        assert not prompt_install
        assert not prompt_restart
        self.calls.append(("pip", requirements, requester))
        self.constraints = Path(constraints).read_text(encoding="utf-8")
        self.work({Requirement(each).name: "1.0" for each in requirements})

    # PyTorchUtils

    def installTorch(
        self,
        askConfirmation=False,
        forceComputationBackend=None,
        torchVersionRequirement=None,
        torchvisionVersionRequirement=None,
    ):
        assert not askConfirmation
        assert torchvisionVersionRequirement is None
        self.calls.append(("torch", torchVersionRequirement))
        self.work({"torch": "2.12.1+cu130"})
        return SimpleNamespace(__version__="2.12.1+cu130")


@pytest.fixture
def python(monkeypatch):
    python = Python()
    monkeypatch.setattr(module, "installedVersion", python.installed.get)
    monkeypatch.setattr(module.importlib.util, "find_spec", python.installed.get)
    monkeypatch.setattr(module, "freeDisk", lambda folder: 123 * GB)
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    monkeypatch.setattr(module.sys, "platform", "linux")
    return python


@pytest.fixture
def make(python):
    def make(**options) -> Dependencies:
        logic = SimpleNamespace(installTorch=python.installTorch)
        return Dependencies(**{"packaging": python, "torchLogic": lambda: logic, "probe": lambda: REPORT} | options)

    return make


def failure(dependencies: Dependencies, kind: type[CalidError] = DependencyError) -> CalidError:
    with pytest.raises(kind) as caught:
        dependencies.install()
    assert caught.value.remedy or kind is Cancelled
    return caught.value


def test_everything_is_installed_and_proven(python, make):
    dependencies = make()
    assert [package.name for package in dependencies.missing()] == ["torch", "diffusers", "safetensors"]
    assert dependencies.install() is REPORT
    assert python.calls == [
        ("torch", ">=2.6"),
        ("pip", ["diffusers>=0.31", "safetensors>=0.4"], "CaLIDSlicer"),
    ]
    assert dependencies.missing() == []
    assert dependencies.question() is None


def test_slicers_own_packages_and_torch_are_constrained_to_what_is_there(python, make):
    make().install()
    assert python.constraints.splitlines() == [
        *(f"{name}=={version}" for name, version in SLICERS_OWN.items()),
        "torch==2.12.1+cu130",
    ]


def test_only_what_is_missing_is_installed(python, make):
    python.installed |= {"torch": "2.9.0", "safetensors": "0.8.0"}
    make().install()
    assert python.calls == [("pip", ["diffusers>=0.31"], "CaLIDSlicer")]


def test_nothing_is_installed_where_nothing_is_missing(python, make):
    python.installed |= {"torch": "2.9.0", "safetensors": "0.8.0", "diffusers": "0.40.0"}
    assert make(ask=pytest.fail).install() is REPORT
    assert python.calls == []


def test_a_version_that_is_too_old_is_missing_and_said(python, make):
    python.installed |= {"torch": "2.2.2"}
    assert "- torch>=2.6 (installed: 2.2.2)\n" in make().question()


def test_metadata_without_the_package_is_missing(python, make, monkeypatch):
    python.installed |= {"torch": "2.9.0", "safetensors": "0.8.0", "diffusers": "0.40.0"}
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == "torch" else name)
    assert [package.name for package in make().missing()] == ["torch"]


def test_on_windows_versions_with_long_paths_are_avoided(python, make, monkeypatch):
    monkeypatch.setattr(module.sys, "platform", "win32")
    make().install()
    assert python.calls[0] == ("torch", ">=2.6,<2.13")


def test_the_question_says_what_how_large_and_where(python, make, monkeypatch):
    question = make().question()
    for words in ("diffusers>=0.31", "for CPU", "about 0.4 GB", "about 1.3 GB", str(module.sitePackages()), "123.0 GB"):
        assert words in question
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert "for CUDA" in make().question()
    assert "about 3.0 GB" in make().question()
    python.installed["torch"] = "2.9.0"
    assert "about 0.1 GB" in make().question()
    assert "PyTorch" not in make().question()


def test_the_user_says_no(python, make):
    asked: list[str] = []
    failure(make(ask=asked.append), Cancelled)
    assert len(asked) == 1
    assert python.calls == []


def test_the_pytorch_extension_was_declined(make):
    logic = SimpleNamespace(installTorch=lambda askConfirmation=False: None)
    failure(make(torchLogic=lambda: logic), Cancelled)


def test_an_older_pytorch_extension_knows_fewer_keywords(python, make):
    def installTorch(askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
        return python.installTorch(askConfirmation, forceComputationBackend, torchVersionRequirement)

    make(torchLogic=lambda: SimpleNamespace(installTorch=installTorch)).install()
    assert python.calls[0] == ("torch", ">=2.6")


def test_a_pytorch_extension_with_other_keywords_still_installs(python, make):
    def installTorch(confirm=False):
        return python.installTorch()

    make(torchLogic=lambda: SimpleNamespace(installTorch=installTorch)).install()
    assert python.calls[0] == ("torch", None)


def test_a_pytorch_extension_that_installs_too_old_a_version(python, make, monkeypatch):
    monkeypatch.setattr(python, "installTorch", lambda: python.work({"torch": "2.2.2"}) or "torch")
    assert "torch>=2.6 (installed: 2.2.2)" in str(failure(make()))


def test_without_the_pytorch_extension(python, make):
    error = failure(make(torchLogic=None))
    assert "extension PyTorch is not installed" in str(error)
    assert "Extensions Manager" in error.remedy
    assert "restart" in error.remedy


def test_without_the_pytorch_extension_nothing_is_asked_in_vain(python, make):
    asked = []
    with pytest.raises(DependencyError) as caught:
        make(torchLogic=None, ask=asked.append).question()
    for said in ("Extensions Manager", "restart", "torch>=2.6, diffusers>=0.31, safetensors>=0.4", "0.4 GB", "1.3 GB"):
        assert said in caught.value.remedy
    failure(make(torchLogic=None, ask=asked.append))
    assert asked == []


def test_pytorch_that_is_there_needs_no_extension(python, make):
    python.installed |= {"torch": "2.9.0"}
    assert "diffusers" in make(torchLogic=None).question()


def test_the_pytorch_extension_is_found_by_its_module(python, make, monkeypatch):
    logic = SimpleNamespace(installTorch=python.installTorch)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=lambda: logic))
    assert make(torchLogic=None).install() is REPORT


def test_a_slicer_without_packaging_is_too_old(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    with pytest.raises(DependencyError) as caught:
        make(packaging=None).missing()
    assert "3D Slicer 5.12 or newer" in caught.value.remedy


def test_a_disk_that_is_too_small_is_said_before(python, make, monkeypatch):
    monkeypatch.setattr(module, "freeDisk", lambda folder: GB)
    assert "need about 1.3 GB" in str(failure(make(), OutOfResources))
    assert python.calls == []


def test_macs_with_intel_processors_have_no_such_pytorch(python, make, monkeypatch):
    monkeypatch.setattr(module.sys, "platform", "darwin")
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    assert "Intel" in str(failure(make()))
    assert python.calls == []


@pytest.mark.parametrize("raised", [CalledProcessError(1, "pip install"), AttributeError("no _executePythonModule")])
@pytest.mark.parametrize("installed", [{}, {"torch": "2.9.0"}])
@pytest.mark.parametrize(
    ("line", "kind", "remedy"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            OutOfResources,
            "free",
        ),
        ("ERROR: [WinError 206] The filename or extension is too long: 'C:\\\\Users'", DependencyError, "short path"),
        (
            "WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.')'",
            DependencyError,
            "PROXY",
        ),
        ("ERROR: No matching distribution found for diffusers>=0.31", DependencyError, "internet"),
        ("ERROR: [WinError 5] Access is denied: 'torch_cpu.dll'", DependencyError, "restart Slicer"),
        ("ERROR: ResolutionImpossible: for help visit", DependencyError, "another extension"),
        ("ERROR: something new", DependencyError, "Python console"),
    ],
)
def test_a_failure_of_pip_keeps_its_last_lines(python, make, capsys, line, kind, remedy, installed, raised):
    python.installed |= installed
    python.lines = [f"line {number}" for number in range(100)] + [line]
    python.failure = raised
    error = failure(make(), kind)
    assert line in str(error)
    assert "line 99" in str(error)
    assert "line 50" not in str(error)
    assert remedy in error.remedy
    assert "line 50" in capsys.readouterr().out  # the console has all of it


def test_torch_that_is_installed_but_broken_is_named(python, make):
    python.failure = ImportError("DLL load failed while importing _C", name="torch._C")
    error = failure(make())
    assert "package torch was installed but cannot be imported" in str(error)
    assert "DLL load failed" in str(error)


def test_torch_that_pip_believes_to_be_there(python, make):
    python.lines = ["Requirement already satisfied: torch"]
    python.failure = ModuleNotFoundError("No module named 'torch'", name="torch")
    assert "uninstall PyTorch" in failure(make()).remedy


@pytest.mark.parametrize("damage", [{"numpy": "1.26.4"}, {"SimpleITK": None}])
def test_a_change_of_slicers_own_packages_is_noticed(python, make, damage):
    ((name, version),) = damage.items()
    python.damage = damage
    error = failure(make())
    assert f"{name} {SLICERS_OWN[name]} -> {version or 'none'}" in str(error)
    assert f'pip_install("{name}=={SLICERS_OWN[name]}")' in error.remedy


def test_an_installation_that_cannot_be_imported_is_no_success(python, make):
    def probe():
        raise DependencyError("the Python package torch is installed but cannot be used: DLL", "reinstall")

    assert "cannot be used" in str(failure(make(probe=probe)))


def test_an_installation_that_was_skipped_is_no_success(python, make, monkeypatch):
    """As in Slicer's testing mode, in which ``pip_ensure`` does nothing."""
    monkeypatch.setattr(python, "pip_ensure", lambda *_args, **_options: None)
    assert "still missing after the installation: diffusers>=0.31" in str(failure(make()))


def test_devices_are_asked_for_again_after_an_installation(python, make, monkeypatch):
    forgotten: list = []
    monkeypatch.setattr(module, "forgetDevices", lambda: forgotten.append(True))
    make().install()
    assert forgotten
    make().install()
    assert len(forgotten) == 1


def test_the_floors_are_those_of_the_package():
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 2
    for line in lines:
        assert f'"{line}"' in project


def test_this_python_is_complete(monkeypatch):
    """With nothing replaced but Slicer's own functions, which this file checks against packages that are here."""
    python = Python()
    python.installed = {name: module.installedVersion(name) for name in ("torch", "diffusers", "safetensors")}
    assert Dependencies(packaging=python).missing() == []
    assert module.keptVersions()["numpy"]
    assert module.installedVersion("no-such-package") is None
