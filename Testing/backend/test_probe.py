"""The probe: one JSON line, whatever is missing or broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from calid import probe as module
from calid.probe import Device, ImportFailure, probe
from calid.protocol import PROTOCOL_VERSION


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a package whose import runs the given lines."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, lines: str) -> str:
        (tmp_path / f"{name}.py").write_text(lines)
        return name

    return make


def ask(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "calid.probe"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


def test_the_command_prints_one_line(child_environment) -> None:
    (line,) = ask(child_environment).stdout.splitlines()
    answer = json.loads(line)
    assert answer["version"] == PROTOCOL_VERSION
    assert answer["error"] is None
    assert answer["versions"]["torch"] == torch.__version__
    assert set(answer["versions"]) == set(module.PACKAGES)
    assert "cpu" in [device["device"] for device in answer["devices"]]
    assert answer["cores"] >= 1


def test_without_pytorch_the_command_names_it(child_environment, tmp_path: Path) -> None:
    """A package that is as absent as can be: importing it says so, and printing on the way does no harm."""
    (tmp_path / "torch.py").write_text(
        "print('a library prints')\nraise ModuleNotFoundError(\"No module named 'torch'\", name='torch')"
    )
    environment = child_environment | {"PYTHONPATH": f"{tmp_path}:{child_environment['PYTHONPATH']}"}
    answer = json.loads(ask(environment).stdout)
    assert answer["error"]["package"] == "torch"
    assert answer["error"]["missing"]
    assert answer["devices"] == []
    assert set(answer["versions"]) == {"numpy"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("import no_such_package", ImportFailure("no_such_package", True, "")),
        ("import json.no_such_part", ImportFailure("json", False, "")),
        ("from json import no_such_name", ImportFailure("json", False, "")),
        ("raise OSError('libcudart.so.13: cannot open shared object file')", ImportFailure("broken", False, "")),
        ("raise RuntimeError('operator torchvision::nms does not exist')", ImportFailure("broken", False, "")),
    ],
)
def test_what_cannot_be_imported_is_named(package, lines: str, expected: ImportFailure) -> None:
    found = probe((package("broken", lines),)).error
    assert (found.package, found.missing) == (expected.package, expected.missing)
    assert found.message


def test_the_backend_is_imported_too(package) -> None:
    found = probe((), package("backend", "raise ImportError('cannot import AutoencoderKL', name='diffusers.models')"))
    assert found.error.package == "diffusers"
    assert not found.error.missing


def test_devices_that_do_not_work_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = {0: Device("cuda:0", "new card", error="no kernel image"), 1: Device("cuda:1", "card", 3, 4, True)}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
    monkeypatch.setattr(module, "_cuda", cards.__getitem__)
    assert [device.device for device in probe((), "json").devices] == ["cuda:1", "cpu", "cuda:0"]


def test_a_card_without_kernels_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nlong advice")

    monkeypatch.setattr(torch.nn.functional, "conv2d", fail)
    found = module._tried(Device("cpu", "card", 3, 4, True))
    assert found == Device("cpu", "card", error="CUDA error: no kernel image is available for execution on the device")
