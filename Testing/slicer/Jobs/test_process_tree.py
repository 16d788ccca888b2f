"""The end of a process tree on Windows, with its system calls replaced; on Linux see ``test_faults.py``."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from CaLIDSlicerLib.Jobs import ProcessTree


@pytest.fixture
def windows(monkeypatch):
    """Makes ``ProcessTree`` believe it runs on Windows; the commands it ran."""
    ran: list[list[str]] = []
    monkeypatch.setattr(ProcessTree, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
    monkeypatch.setattr(subprocess, "run", lambda command, **_options: ran.append(command))
    return ran


@pytest.fixture
def process():
    calls: list[str] = []
    return SimpleNamespace(
        pid=42, calls=calls, poll=lambda: None, kill=lambda: calls.append("kill"), wait=lambda _seconds: None
    )


def test_the_launcher_goes_with_all_it_has_started(windows, process):
    ProcessTree.endTree(process)
    assert windows == [["taskkill", "/PID", "42", "/T", "/F"]]


@pytest.mark.parametrize("refusal", [FileNotFoundError, PermissionError])
def test_without_taskkill_the_launcher_goes_at_least(windows, process, monkeypatch, refusal):
    def refuse(*_command, **_options):
        raise refusal

    monkeypatch.setattr(subprocess, "run", refuse)
    ProcessTree.endTree(process)
    assert process.calls == ["kill"]


def test_a_dead_process_is_left_alone_for_its_number_may_be_a_strangers(windows, process):
    process.poll = lambda: 0
    ProcessTree.endTree(process)
    assert (windows, process.calls) == ([], [])
