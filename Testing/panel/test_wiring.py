"""The real collaborators fit what the panel asks of them."""

from __future__ import annotations

import dataclasses

import pytest

from calid.errors import OutOfResources

SHOWN = (
    "begin",
    "end",
    "isReportShown",
    "leave",
    "listen",
    "play",
    "putBack",
    "remember",
    "showBeforeAfter",
    "showInTurns",
    "showReport",
    "showResult",
    "showSynthesised",
    "showUncertainty",
    "showVolumeRendering",
    "shownOf",
)


@pytest.fixture
def devices(lib, monkeypatch):
    """A graphics card and a processor, found without asking."""
    wiring, DeviceReport = lib("Panel.Wiring"), lib("Setup.DeviceProbe").DeviceReport
    found = [
        DeviceReport("cuda:0", "Card", 5 * 2**30, 6 * 2**30, "2.12", True),
        DeviceReport("cpu", "CPU with 8 cores", None, None, "2.12", True, 8),
    ]

    class Known:
        devices = found

        def start(self) -> None:
            pass

    monkeypatch.setattr(wiring, "probeDevice", lambda: found[0])
    monkeypatch.setattr(wiring, "DeviceProbe", Known)
    return wiring


def test_everything_is_there(lib):
    real = lib("Panel.Wiring").realServices(
        "logic", "ask", "tell", "chooseFile", "chooseStudy", "chooseOutput", "open", "read", "isInFront"
    )
    given = {field.name: getattr(real, field.name) for field in dataclasses.fields(real)}
    assert [name for name, value in given.items() if value is None] == []
    assert [name for name in SHOWN if not callable(getattr(real.display, name))] == []
    assert real.freeDisk() > 0


@pytest.mark.parametrize(("wanted", "device"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cpu", "cpu")])
def test_a_device_is_found_by_its_kind(devices, wanted, device):
    assert devices.findDevice(wanted).device == device


def test_a_device_that_is_not_there(devices):
    with pytest.raises(OutOfResources, match="no device mps"):
        devices.findDevice("mps")


def test_the_chosen_device_survives_the_real_preflight(widget, services, devices, lib):
    services.findDevice, services.preflight = devices.findDevice, lib("Setup.Preflight").preflight
    widget.ui.deviceComboBox.setCurrentIndex(3)
    widget.ui.applyButton.click()
    assert services.logic.job.options["device"] == "cpu"
    assert "CPU with 8 cores (cpu)" in widget.ui.deviceLabel.text()
    assert widget.ui.notesLabel.text().startswith("This takes about")
