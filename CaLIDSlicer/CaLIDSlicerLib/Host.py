"""What depends on where the code runs: inside the Slicer application, or on the MRML library alone (tests, scripts)."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import slicer

from calid.errors import CalidError

NOTICE_MILLISECONDS = 15_000
"""How long a notice stays in the status bar."""

CALID_PARENT = Path(__file__).resolve().parents[1]


def application():
    """The Slicer application object, or ``None`` on the MRML library alone."""
    return getattr(slicer, "app", None)


def workerCommand(module: str = "calid.worker") -> list[str]:
    """The command line of the worker process, without the job folder; or of another module, in the same Python.

    :raises CalidError: if Slicer's Python is not there.
    """
    python = shutil.which("PythonSlicer") if application() else sys.executable
    if python is None:  # sys.executable is Slicer itself then, and would open one more of its windows
        raise CalidError("the program PythonSlicer is not on the path of Slicer", "reinstall Slicer")
    return [python, "-m", module]


def workerEnvironment() -> dict[str, str]:
    """The environment of the worker process: that of Slicer before its launcher, with ``calid`` on the path.

    PythonSlicer is a launcher that sets Slicer's own values again, in front of those given here.
    """
    environment = dict(slicer.util.startupEnvironment() if application() else os.environ)
    paths = [str(CALID_PARENT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    # "python -m" would import from the folder that Slicer happened to be started in before anything else.
    environment.update(PYTHONSAFEPATH="1", PYTHONUTF8="1", PYTHONUNBUFFERED="1")
    return environment


def temporaryFolder() -> str | None:
    """Where job folders go: Slicer's own temporary folder, or ``None`` for that of the system."""
    app = application()
    return app.temporaryPath if app else None


def notify(text: str) -> None:
    """Say something in the status bar of the application's window, which leaves the user at what he does."""
    if application():
        slicer.util.showStatusMessage(text, NOTICE_MILLISECONDS)


def pause(seconds: float) -> None:
    """Wait a moment without freezing the application's window."""
    app = application()
    if app:
        app.processEvents()
    time.sleep(seconds)


def callRegularly(function: Callable[[], None], milliseconds: int) -> Callable[[], None]:
    """Call ``function`` from the application's event loop until the returned function is called.

    Without an application there is no event loop: the caller of the job polls it.
    """
    if not application():
        return lambda: None
    import qt

    # Slicer keeps the timer alive until it is told to delete it: a timer must not go away within its own signal, and
    # one that stayed would keep ``function`` and all that belongs to it.
    timer = qt.QTimer(application())
    timer.setInterval(milliseconds)
    timer.timeout.connect(function)
    timer.start()

    def stop() -> None:
        timer.stop()
        timer.deleteLater()

    return stop
