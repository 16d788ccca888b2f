"""Start a process as the head of a tree of its own, and end the whole tree at once.

PythonSlicer is a launcher: killing only the process that was started would leave the real one running.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any


def startTree(command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start ``command`` with all three standard streams as pipes; raises ``OSError`` if it cannot be started."""
    options: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NO_WINDOW
    else:
        options["start_new_session"] = True
    return subprocess.Popen(command, env=environment, **options)


def endTree(process: subprocess.Popen[bytes], patience: float = 1.0) -> None:
    """Kill the process and all it has started; returns when it is gone, after at most ``patience`` seconds."""
    if sys.platform == "win32":
        if process.poll() is None:  # the number of a dead process may already belong to a stranger
            _taskkill(process.pid)
            process.kill()  # where that is forbidden, at least this one; its child hears the end of its stdin
    else:
        with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)


def _taskkill(pid: int) -> None:
    command = ["taskkill", "/PID", str(pid), "/T", "/F"]
    options: dict[str, Any] = {"capture_output": True, "creationflags": subprocess.CREATE_NO_WINDOW}  # type: ignore[attr-defined]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, check=False, timeout=5, **options)
