"""What depends on where the code runs: inside the Slicer application, or on the MRML library alone (tests, scripts)."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import slicer

from calid.errors import CalidError, Cancelled

NOTICE_MILLISECONDS = 15_000
"""How long a notice stays in the status bar."""

Result = TypeVar("Result")

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


def computeWithProgress(compute: Callable[[Callable[[int], None]], Result], steps: int, text: str) -> Result:
    """Return what ``compute`` returns, while a dialog shows how far it is; without a window, just compute.

    :param compute: must not touch Slicer, for it runs in a thread of its own. It is given a function to call with the
        number of steps done; that raises what ends the computation.
    :param steps: of the whole computation.
    :param text: of the dialog.
    :raises Cancelled: if the user pressed *Cancel*.
    """
    if not (application() and slicer.util.mainWindow()):
        return compute(lambda _done: None)
    import qt

    done, isCancelled = 0, False
    modal = {"windowModality": qt.Qt.ApplicationModal}  # the event loop runs: nothing else is to be started in it
    dialog = slicer.util.createProgressDialog(maximum=steps, labelText=text, windowTitle="CaLID", **modal)

    def tell(number: int) -> None:
        nonlocal done
        done = number
        if isCancelled:
            raise Cancelled(f"it was cancelled after {number} of {steps} steps")

    try:
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(compute, tell)
            while not future.done():
                pause(0.05)  # the two threads share one interpreter
                isCancelled = isCancelled or dialog.wasCanceled
                if done > dialog.value:
                    dialog.value = min(done, steps - 1)  # the last value would close it before the end
            return future.result()
    finally:
        dialog.hide()
        dialog.deleteLater()


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
