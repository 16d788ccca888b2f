"""Asking a child process for its devices: without blocking, with a time limit, and once in a session."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from calid.errors import CalidError, DependencyError, OutOfResources
from calid.probe import Device, ImportFailure, Probe
from CaLIDSlicerLib import Host
from CaLIDSlicerLib.Setup.DeviceProbe import DeviceProbe, DeviceReport, forgetDevices, parseProbe, probeDevice

VERSIONS = {"numpy": "2.4.6", "torch": "2.12.1+cu130"}
CARD = Device("cuda:0", "RTX A2000", 4 * 2**30, 6 * 2**30, half_precision=True)
CPU = Device("cpu", "CPU with 4 cores")


def line(**fields) -> str:
    probe = Probe(**{"versions": VERSIONS, "devices": [CARD, CPU], "cores": 4} | fields)
    return json.dumps(json.loads(json.dumps(probe, default=vars)))


def saying(text: str, tail: str = "") -> list[str]:
    return [sys.executable, "-c", f"import sys, time; print({text!r}, flush=True); {tail}"]


@pytest.fixture(autouse=True)
def freshSession():
    forgetDevices()
    yield
    forgetDevices()


def finish(probe: DeviceProbe) -> DeviceProbe:
    deadline = time.monotonic() + 60
    while not probe.poll():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return probe


def test_the_real_probe_finds_the_cpu():
    report = probeDevice()
    assert report.device in ("cpu", "cuda:0", "mps")
    assert report.torch[0].isdigit()
    assert report.cores >= 1
    assert report.name in report.text


def test_the_probe_runs_in_the_python_of_the_worker():
    assert Host.workerCommand("calid.probe") == [*Host.workerCommand()[:-1], "calid.probe"]


def test_the_best_device_is_first_and_all_can_be_chosen():
    probe = DeviceProbe(saying(line()))
    probe.start()
    finish(probe)
    assert probe.result() == DeviceReport("cuda:0", "RTX A2000", 4 * 2**30, 6 * 2**30, "2.12.1+cu130", True, 4)
    assert [report.device for report in probe.devices] == ["cuda:0", "cpu"]
    assert probe.result().text == "RTX A2000 (cuda:0), 4.0 of 6.0 GB free, PyTorch 2.12.1+cu130"
    assert probe.devices[1].text == "CPU with 4 cores (cpu), PyTorch 2.12.1+cu130"


def test_a_device_that_does_not_work_is_not_offered():
    broken = Device("cuda:0", "new card", error="no kernel image is available")
    assert [report.device for report in parseProbe(line(devices=[CPU, broken]))] == ["cpu"]


def test_it_is_asked_once_in_a_session(tmp_path):
    count = tmp_path / "count"
    command = saying(line(), f"open({str(count)!r}, 'a').write('.')")
    assert probeDevice(command) == probeDevice(command)
    assert count.read_text() == "."
    forgetDevices()
    probeDevice(command)
    assert count.read_text() == ".."


def test_starting_does_not_wait():
    probe = DeviceProbe(saying("", "time.sleep(60)"))
    probe.start()
    assert not probe.poll()
    assert not probe.devices
    probe.end()
    assert finish(probe).error


def test_a_late_answer_ends_the_whole_tree(processesNaming):
    mark = "calid-probe-that-hangs"
    child = f"import time; time.sleep(60) # {mark}"
    probe = DeviceProbe(saying("", f"import subprocess; subprocess.run([sys.executable, '-c', {child!r}])"), 1.0)
    probe.start()
    finish(probe)
    with pytest.raises(OutOfResources, match="did not answer within 1 s"):
        probe.result()
    assert processesNaming(mark) == []


def test_a_flood_of_warnings_does_not_stall():
    probe = DeviceProbe(saying(line(), "sys.stderr.write('warning ' * 1_000_000)"))
    probe.start()
    assert finish(probe).result().device == "cuda:0"


def test_a_program_that_cannot_be_started():
    with pytest.raises(CalidError, match="cannot be started"):
        probeDevice(["/no/such/program"])


def test_a_missing_package_is_named_with_what_to_do():
    with pytest.raises(DependencyError, match="package torch is not installed") as caught:
        parseProbe(line(error=ImportFailure("torch", True, "No module named 'torch'")))
    assert "install" in caught.value.remedy


@pytest.mark.parametrize(
    ("package", "remedy"), [("torch", "PyTorch Utils"), ("diffusers", 'pip_uninstall("diffusers")')]
)
def test_a_broken_package_is_named_with_its_own_words(package, remedy):
    failure = ImportFailure(package, False, "ImportError: DLL load failed")
    with pytest.raises(DependencyError, match=f"package {package} is installed but .*DLL load failed") as caught:
        parseProbe(line(error=failure))
    assert remedy in caught.value.remedy


def test_a_probe_of_another_version():
    with pytest.raises(CalidError, match="version 99") as caught:
        parseProbe(line(version=99))
    assert "install it again" in caught.value.remedy


@pytest.mark.parametrize("said", ["", "no json", "[1]", '{"event": "done"}'])
def test_no_answer_keeps_the_last_words(said):
    with pytest.raises(CalidError, match="Segmentation fault"):
        parseProbe(said, "lots\nSegmentation fault\n")


def test_what_is_printed_around_the_answer_does_no_harm():
    assert parseProbe(f"hello\n{line()}\n{{}}\nbye\n")[0].device == "cuda:0"


def test_nothing_heavy_is_imported_into_slicer():
    names = "DeviceProbe, Dependencies, FreeSpace, ModelStore, Preflight"
    code = f"""
import sys
from CaLIDSlicerLib.Setup import {names}
print(*sorted(set(sys.modules) & {{"torch", "diffusers", "SimpleITK", "safetensors", "packaging", "qt", "numpy"}}))
"""
    environment = {**Host.workerEnvironment(), "PYTHONPATH": str(Host.CALID_PARENT)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert set(result.stdout.split()) <= {"numpy"}  # slicer itself brings it
